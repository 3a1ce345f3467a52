"""The gateway program: opens its ports and providers, runs the switchboard, drains when asked to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from ringdown.calls import service
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import open_database
from ringdown.gateway import reception, recovery, routes
from ringdown.gateway.session import Services
from ringdown.gateway.speech import SpeechProviders
from ringdown.gateway.switchboard import Switchboard
from ringdown.lifecycle import CannotStart
from ringdown.media.clock import MediaClock
from ringdown.sip.admission import Admit
from ringdown.sip.call import IncomingCall
from ringdown.sip.endpoint import Endpoint
from ringdown.voice.detector import SpeechDetector
from ringdown.voice.ports import ProviderError

_USER_AGENT = "Ringdown/0.1"


def make_gateway_id(host: str, port: int) -> str:
    """The name under which a gateway claims calls: the same again after a restart on this machine and SIP address."""
    return f"{socket.gethostname()}/{host}:{port}"


async def serve(settings: Settings, *, asked: asyncio.Event, urgent: asyncio.Event, ready: Callable[[], None]) -> None:
    """Carry calls until `asked` is set and the live calls have ended; `urgent` ends them at once.

    Raises `CannotStart` when its port cannot be had or the outbound peer cannot be read.
    """
    try:
        dial_plan = routes.Routes(settings)
    except ValueError as error:
        raise CannotStart(f"{error}.") from error
    async with contextlib.AsyncExitStack() as stack:
        database = open_database(settings.sqlalchemy_url)
        stack.push_async_callback(database.close)
        speech, detector, clock = SpeechProviders(settings), SpeechDetector(), MediaClock()
        for part in (speech, detector, clock):
            stack.push_async_callback(part.close)
            try:
                await part.start()
            except ProviderError as error:
                raise CannotStart(f"The gateway cannot start its speech ({error}).") from error
        ringing: asyncio.Queue[IncomingCall] = asyncio.Queue()
        endpoint = await _listen(settings, ringing, await reception.make_guard(dial_plan.peer))
        stack.push_async_callback(endpoint.close)
        services = Services(
            settings=settings,
            database=database,
            endpoint=endpoint,
            clock=clock,
            detector=detector,
            speech=speech,
            routes=dial_plan,
            spool=Spool(settings.data_dir / "spool", RecordingStore.open(settings)),
        )
        await _carry_calls(services, ringing, asked=asked, urgent=urgent, ready=ready)


async def _listen(settings: Settings, ringing: "asyncio.Queue[IncomingCall]", admit: Admit) -> Endpoint:
    try:
        return await Endpoint.start(
            host=settings.sip_host,
            port=settings.sip_port,
            user_agent=_USER_AGENT,
            on_invite=ringing.put_nowait,
            admit=admit,
        )
    except OSError as error:
        where = f"{settings.sip_host} port {settings.sip_port}"
        raise CannotStart(f"The gateway cannot listen on {where} ({error.strerror}).") from error


async def _carry_calls(
    services: Services,
    ringing: "asyncio.Queue[IncomingCall]",
    *,
    asked: asyncio.Event,
    urgent: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    gateway_id = make_gateway_id(services.settings.sip_host, services.endpoint.port)
    left = await service.list_unfinished(services.database, gateway_id=gateway_id)
    switchboard = Switchboard(services, gateway_id=gateway_id)
    async with asyncio.TaskGroup() as group:
        endless = [
            group.create_task(switchboard.claim_calls()),
            group.create_task(switchboard.take_calls(ringing)),
            group.create_task(switchboard.renew_leases()),
            group.create_task(switchboard.obey_commands()),
            group.create_task(switchboard.end_lost_calls()),
        ]
        recovering = group.create_task(recovery.recover_calls(services, left))
        ready()
        await asked.wait()
        await switchboard.drain(urgent, timeout_s=services.settings.drain_seconds)
        await recovering
        for task in endless:
            task.cancel()
