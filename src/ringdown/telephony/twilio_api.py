"""Where Twilio asks what to do with a call: it is told to send it to our SIP, with a login that only it knows."""

from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from ringdown import values
from ringdown.config import Settings
from ringdown.errors import Forbidden
from ringdown.secret import SecretBox
from ringdown.telephony import carrier_login, carrier_store, sip_address, store, trunk_store
from ringdown.telephony.carrier import CarrierAccount
from ringdown.telephony.models import Trunk
from ringdown.web import context, route

_REJECT = "<Response><Reject/></Response>"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def new_router(box: SecretBox) -> APIRouter:
    """The route; it needs no key, Twilio signs what it asks."""
    router = route.new_public_router(prefix="/telephony/twilio", tag="Telephony")

    @router.post("/voice", include_in_schema=False)
    async def answer_twilio(request: Request) -> Response:
        """TwiML that dials our SIP for a number that was imported or bought; raises `Forbidden` for a bad signature."""
        fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        settings = context.get_settings(request)
        async with context.get_database(request).read() as connection:
            account, trunk = await _find_account(connection, settings, box, fields.get("To", ""))
        signature = request.headers.get("X-Twilio-Signature", "")
        if account is None or not _is_signed(settings, account, fields, signature):
            raise Forbidden("The request is not signed by Twilio for one of these numbers.")
        document = _REJECT if trunk is None else _dial(settings, fields["To"], trunk)
        return Response(_HEAD + document, media_type="text/xml")

    return router


async def _find_account(
    connection: AsyncConnection, settings: Settings, box: SecretBox, called: str
) -> tuple[CarrierAccount | None, Trunk | None]:
    """The account that a number is in, and the trunk whose login calls from there bear."""
    number = await store.find_number(connection, called) if values.is_e164(called) else None
    if number is None:
        return None, None
    organization_id = number.organization_id
    ours = (await carrier_store.list_numbers(connection, organization_id, [number.id])).get(number.id)
    if ours is None or ours.provider_type != "twilio":
        return None, None
    account = await carrier_login.find_account(connection, settings=settings, box=box, number=ours)
    made = await carrier_store.find_connection(connection, organization_id, "twilio", account.key)
    if made is None:
        return account, None
    trunks = await trunk_store.list_all(connection, organization_id)
    found = next((trunk for trunk in trunks if trunk.id == made.trunk_id and trunk.is_enabled), None)
    return account, None if found is None else trunk_store.open_secrets(found, box)


def _is_signed(settings: Settings, account: CarrierAccount, fields: dict[str, str], signature: str) -> bool:
    url = sip_address.make_voice_url(settings)
    is_own = fields.get("AccountSid") == account.account_sid
    return is_own and bool(RequestValidator(account.secret).validate(url, fields, signature))


def _dial(settings: Settings, called: str, trunk: Trunk) -> str:
    login = f"username={quoteattr(trunk.inbound_username or '')} password={quoteattr(trunk.inbound_password or '')}"
    uri = escape(f"sip:{called}@{sip_address.find_sip_host(settings)};transport=tcp")
    return f'<Response><Dial answerOnBridge="true"><Sip {login}>{uri}</Sip></Dial></Response>'
