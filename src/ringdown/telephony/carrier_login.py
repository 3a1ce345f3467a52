"""Which account at a carrier a request means: sent with it, stored, or that of the settings."""

from dataclasses import dataclass
from typing import Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.config import Settings
from ringdown.errors import FieldError, ValidationFailed
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.telephony import carrier_store
from ringdown.telephony.carrier import CarrierAccount, CarrierName
from ringdown.telephony.carrier_store import CarrierNumber, Credential

_SETTINGS: dict[CarrierName, str] = {
    "telnyx": "RINGDOWN_TELNYX_API_KEY",
    "twilio": "RINGDOWN_TWILIO_ACCOUNT_SID and RINGDOWN_TWILIO_AUTH_TOKEN",
}
_HINT = f"send api_key or credential_id, or set {_SETTINGS['telnyx']}, or {_SETTINGS['twilio']}"


class LoginFields(Protocol):
    """The fields of a request that say which account is meant."""

    @property
    def provider_type(self) -> Literal["telnyx", "twilio", "custom_sip"] | None:
        """The carrier; `custom_sip` is none."""

    @property
    def api_key(self) -> str | None:
        """Telnyx' key, or the auth token."""

    @property
    def account_sid(self) -> str | None:
        """Twilio's name of the account."""

    @property
    def auth_token(self) -> str | None:
        """Twilio's secret."""

    @property
    def credential_id(self) -> str | None:
        """A stored login."""


@dataclass(frozen=True, slots=True)
class Login:
    """An account, and the stored login that it comes from; one that was sent is stored with what it is used for."""

    account: CarrierAccount
    credential_id: str | None = None
    is_sent: bool = False


async def choose_login(
    connection: AsyncConnection, *, settings: Settings, box: SecretBox, organization_id: str, body: LoginFields
) -> Login:
    """The account that a request means. Raises `ValidationFailed`, which names what is missing or of no use."""
    sent = [name for name in ("api_key", "account_sid", "auth_token") if getattr(body, name) is not None]
    if body.credential_id is not None:
        if sent:
            raise ValidationFailed([FieldError(name, "must be absent with credential_id") for name in sent])
        return await _find_stored(connection, box, organization_id, body)
    named: CarrierName | None = body.provider_type if body.provider_type != "custom_sip" else None
    if sent:
        provider: CarrierName = named or ("telnyx" if sent == ["api_key"] else "twilio")
        return Login(read_account(provider, body), is_sent=True)
    wanted: tuple[CarrierName, ...] = ("telnyx", "twilio") if named is None else (named,)
    for name in wanted:
        account = read_settings(settings, name)
        if account is not None:
            return Login(account)
    if named is None:
        raise errors.invalid("provider_type", f"no carrier is configured: {_HINT}")
    raise errors.invalid(
        "api_key", f"is required: send it, name a stored login with credential_id, or set {_SETTINGS[wanted[0]]}"
    )


async def _find_stored(connection: AsyncConnection, box: SecretBox, organization_id: str, body: LoginFields) -> Login:
    try:
        stored = await carrier_store.get_credential(connection, organization_id, body.credential_id or "")
    except errors.NotFound:
        raise errors.invalid("credential_id", "there is no credential with this id") from None
    if body.provider_type not in (None, stored.provider_type):
        raise errors.invalid("provider_type", f"must be {stored.provider_type}, as the credential is")
    return Login(open_credential(stored, box), stored.id)


def read_account(provider: CarrierName, body: object) -> CarrierAccount:
    """The account of the fields `api_key`, `account_sid` and `auth_token`. Raises `ValidationFailed`."""
    key, sid, token = (getattr(body, name) for name in ("api_key", "account_sid", "auth_token"))
    if provider == "telnyx":
        refused = [
            FieldError(name, "belongs to twilio")
            for name, value in (("account_sid", sid), ("auth_token", token))
            if value
        ]
        if key is None:
            refused.insert(0, FieldError("api_key", "is required for telnyx"))
    else:
        refused = [] if sid else [FieldError("account_sid", "is required for twilio")]
        if key is None and token is None:
            refused.append(FieldError("auth_token", "is required for twilio"))
        elif None not in (key, token) and key != token:
            refused.append(FieldError("api_key", "is another name of auth_token, which says something else"))
    if refused:
        raise ValidationFailed(refused)
    return CarrierAccount(provider, key or token, sid)


def read_settings(settings: Settings, provider: CarrierName) -> CarrierAccount | None:
    """The account of the settings, if they have one at this carrier."""
    if provider == "telnyx":
        key = settings.telnyx_api_key
        return None if key is None else CarrierAccount("telnyx", key.get_secret_value())
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token
    return None if sid is None or token is None else CarrierAccount("twilio", token.get_secret_value(), sid)


def open_credential(stored: Credential, box: SecretBox) -> CarrierAccount:
    """The account of a stored login. Raises `SecretUnreadable`."""
    return CarrierAccount(stored.provider_type, box.unseal(stored.secret), stored.account_sid)


async def find_account(
    connection: AsyncConnection, *, settings: Settings, box: SecretBox, number: CarrierNumber
) -> CarrierAccount:
    """The account that a number is in. Raises `ValidationFailed` when the settings have lost it."""
    if number.credential_id is not None:
        stored = await carrier_store.get_credential(connection, number.organization_id, number.credential_id)
        return open_credential(stored, box)
    account = read_settings(settings, number.provider_type)
    if account is None:
        raise errors.invalid("number_id", f"its carrier is not configured: set {_SETTINGS[number.provider_type]}")
    return account


async def keep_login(connection: AsyncConnection, *, box: SecretBox, organization_id: str, login: Login) -> str | None:
    """Store a login that was sent, unless it is stored; returns its id, None for the account of the settings."""
    if not login.is_sent:
        return login.credential_id
    account = login.account
    for stored in await carrier_store.list_credentials(connection, organization_id):
        if _is_account(stored, account, box):
            return stored.id
    now = values.now_ms()
    made = Credential(
        organization_id=organization_id,
        id=values.new_id("cred"),
        provider_type=account.provider,
        account_sid=account.account_sid,
        secret=box.seal(account.secret),
        created_at=now,
        updated_at=now,
    )
    await carrier_store.insert_credential(connection, made)
    return made.id


def _is_account(stored: Credential, account: CarrierAccount, box: SecretBox) -> bool:
    try:
        return open_credential(stored, box) == account
    except SecretUnreadable:
        return False
