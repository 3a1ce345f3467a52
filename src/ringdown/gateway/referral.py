"""How the far end hands us over to somebody else: by REFER, or by an INVITE that replaces its own dialog."""

import asyncio
import contextlib

import structlog

from ringdown.calls.models import Call
from ringdown.gateway import reception, routes, transfer
from ringdown.gateway.dialling import Dialler, Failed
from ringdown.gateway.leg import Leg
from ringdown.gateway.record import CallRecord
from ringdown.gateway.routes import Route
from ringdown.gateway.services import Services
from ringdown.gateway.transfer import TransferFailed
from ringdown.sip.address import Uri
from ringdown.sip.call import IncomingCall
from ringdown.sip.destination import DEFAULT_PORTS
from ringdown.sip.events import Answered, Referred
from ringdown.telephony import permission
from ringdown.telephony.models import Trunk

log = structlog.get_logger(__name__)

_DIAL_TIMEOUT_MS = 60_000
_ANSWER_TIMEOUT_S = 32.0


async def follow(
    services: Services,
    call: Call,
    trunk: Trunk | None,
    leg: Leg,
    event: Referred,
    *,
    record: CallRecord,
    stop: asyncio.Event,
) -> Leg | None:
    """Call whom the far end names, where that is allowed; the leg that is up then, on the media of the one before.

    A trunk must allow it (`accepts_refer`), and the target is dialled over that same trunk as any number is. A phone
    on this machine may name another one on this machine.
    """
    try:
        route = _find_route(services, call, trunk, event)
    except (TransferFailed, ValueError) as error:
        log.info("refer refused", call_id=call.id, reason=str(error))
        await event.referral.reject(603)
        return None
    if not await event.referral.accept():  # it waited for so long that it was declined
        return None
    following = await services.open_leg_to(route, media=leg.media)
    dialler = Dialler(
        services.endpoint,
        route,
        following,
        timeout_ms=_DIAL_TIMEOUT_MS,
        stop=stop,
        keep=record.keep_dialog,
        settings=services.settings,
    )
    outcome = await dialler.dial()
    if isinstance(outcome, Failed):
        await event.referral.notify(603, outcome.reason or outcome.ending.ended_reason)
        return None
    await event.referral.notify(200, "OK")
    return following


def _find_route(services: Services, call: Call, trunk: Trunk | None, event: Referred) -> Route:
    headers = (("Replaces", event.replaces),) if event.replaces else ()
    if event.referred_by:
        headers = (*headers, ("Referred-By", event.referred_by))
    target = Uri.parse(event.target)
    if trunk is None:
        _check_phone(services, target)
        user = call.to_number if call.direction == "inbound" else call.from_number
        from_uri = services.endpoint.local_uri(_local_part(user))
        return Route(target=event.target, from_uri=from_uri, hosts=(event.target,), headers=headers)
    if not trunk.accepts_refer:
        raise TransferFailed("the trunk does not accept transfers from the far end")
    number = trunk.read_number(target.user or "")
    if number is None:
        raise TransferFailed("the target is not a phone number")
    route = transfer.find_route(services, call, trunk, number)
    return routes.with_headers(route, headers)


def _check_phone(services: Services, target: Uri) -> None:
    """A phone of this machine may only name another one of it: nobody logged in who could be charged for a call."""
    host = (target.params.get("maddr") or target.host).strip("[]")
    # A trunk of this machine is reached by each of its addresses.
    trunks = {port for place, port in services.trunks.places if reception.is_own_address(place)}
    if not reception.is_own_address(host) or (target.port or DEFAULT_PORTS["udp"]) in trunks:
        raise TransferFailed("a phone of this machine may only name another one of it")
    refusal = permission.find_refusal_of_user(target.user or "", settings=services.settings)
    if refusal is not None:
        raise TransferFailed(refusal.message)


def _local_part(user: str | None) -> str:
    return user if user is not None and not user.startswith(("sip:", "sips:")) else "agent"


async def accept(services: Services, leg: Leg, incoming: IncomingCall, *, record: CallRecord) -> Leg | None:
    """Answer a call that replaces the far end's dialog; the leg that is up then."""
    is_up = False
    try:
        following = await services.open_leg(leg.terms, peer_host=incoming.source[0], media=leg.media)
        following.bind(incoming)
        await record.keep_dialog(incoming)
        is_up = await _answer(following, incoming)
        return following if is_up else None
    finally:
        if not is_up:  # nobody stays on a dead line
            await incoming.bye()


async def _answer(leg: Leg, incoming: IncomingCall) -> bool:
    try:
        body = leg.make_answer(incoming.body) if incoming.body else leg.make_offer()
    except ValueError:
        await incoming.reject(488)
        return False
    await incoming.answer(body)
    with contextlib.suppress(TimeoutError, ValueError):
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            async for event in incoming.events():
                if isinstance(event, Answered):
                    if not incoming.body:
                        leg.take_answer(event.body)
                    return True
    return False
