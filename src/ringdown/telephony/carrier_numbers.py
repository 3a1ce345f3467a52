"""The use cases of numbers at carriers: search, buy exactly once, import, release, and settle what was left open.

A purchase is a row of state `pending` before the carrier hears of it, and nothing ever orders a number that has such a
row: what became of an order whose answer was lost is asked, by the request itself and later by a worker.
"""

import dataclasses
import secrets
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.accounts import store as account_store
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import Conflict
from ringdown.secret import SecretBox
from ringdown.telephony import (
    carrier_login,
    carrier_store,
    number_service,
    schemas,
    service,
    sip_address,
    store,
    trunk_store,
)
from ringdown.telephony.carrier import (
    TITLES,
    CarrierAccount,
    CarrierFailed,
    CarrierUnavailable,
    Connection,
    NewConnection,
    NumberOffers,
    NumberQuery,
    OwnedNumber,
    to_refusal,
)
from ringdown.telephony.carrier_loading import Carriers
from ringdown.telephony.carrier_login import Login, LoginFields
from ringdown.telephony.carrier_schemas import PurchaseNumber, SearchNumbers
from ringdown.telephony.carrier_store import CarrierConnection, CarrierNumber
from ringdown.telephony.number_schemas import ImportNumber
from ringdown.telephony.store import PhoneNumber
from ringdown.web import idempotency

log = structlog.get_logger(__name__)

# A number that the carrier does not know so long after its order was never bought.
_GIVEN_UP_AFTER_MS = 3_600_000
# Longer than a request works on its purchase, so that no worker looks at it meanwhile.
_UNTOUCHED_MS = 180_000
_MAX_SETTLED = 20


@dataclass(frozen=True, slots=True)
class CarrierNumbers:
    """What these use cases share."""

    database: Database
    settings: Settings
    box: SecretBox
    carriers: Carriers

    # --- search ------------------------------------------------------------------------------------------------------

    async def search_numbers(self, *, organization_id: str, body: SearchNumbers) -> tuple[NumberOffers, str]:
        """Numbers for sale, and at whom. Raises `ValidationFailed` and `CarrierUnavailable`."""
        login = await self._choose_login(organization_id, body)
        fields = dataclasses.fields(NumberQuery)
        query = NumberQuery(**{each.name: getattr(body, each.name) for each in fields})
        try:
            offers = await self.carriers.run(login.account, lambda carrier: carrier.search_numbers(query))
        except CarrierFailed as error:
            raise to_refusal(error, field="country_code") from error
        return offers, login.account.provider

    # --- purchase ----------------------------------------------------------------------------------------------------

    async def buy_number(self, *, organization_id: str, body: PurchaseNumber) -> PhoneNumber:
        """Buy a number; it is `pending` while the carrier works on it.

        Raises `ValidationFailed`, `Conflict` when the installation has the number or is buying it, and
        `CarrierUnavailable`, with `details.number_id` when nobody knows yet whether it was bought.
        """
        login = await self._choose_login(organization_id, body)
        self._require_public_url(login.account)
        number, ours, is_kept = await self._intend(organization_id, login, body)
        try:
            await self.carriers.run(
                login.account, lambda carrier: carrier.buy_number(number.phone_number, reference=number.id)
            )
        except CarrierFailed as error:
            if not error.is_sent:
                await self._forget(number, None if is_kept else ours.credential_id)
                raise to_refusal(error, field="phone_number") from error
            return await self._settle_lost_answer(number, ours, login.account, error)
        async with self.database.write() as connection:
            await idempotency.bind_resource(connection, number.id)
        try:
            return await self._settle(number, ours, login.account) or number
        except CarrierFailed as error:
            log.warning("bought number not set up yet", number_id=number.id, provider=error.provider, error=str(error))
            return number

    async def _intend(
        self, organization_id: str, login: Login, body: PurchaseNumber
    ) -> tuple[PhoneNumber, CarrierNumber, bool]:
        now = values.now_ms()
        number = PhoneNumber(
            id=values.new_id("num"),
            organization_id=organization_id,
            phone_number=body.phone_number,
            friendly_name=body.friendly_name,
            status="pending",
            created_at=now,
            updated_at=now,
        )
        async with self.database.write() as connection:
            known = {stored.id for stored in await carrier_store.list_credentials(connection, organization_id)}
            ours = CarrierNumber(
                organization_id=organization_id,
                number_id=number.id,
                provider_type=login.account.provider,
                credential_id=await self._keep_login(connection, organization_id, login),
                is_managed=True,
                checked_at=now,
            )
            if not await store.insert_number(connection, number):
                raise _is_taken(number.phone_number)
            await carrier_store.put_number(connection, ours)
        return number, ours, ours.credential_id in known

    async def _settle_lost_answer(
        self, number: PhoneNumber, ours: CarrierNumber, account: CarrierAccount, error: CarrierFailed
    ) -> PhoneNumber:
        async with self.database.write() as connection:
            await idempotency.bind_resource(connection, number.id)
        try:
            settled = await self._settle(number, ours, account)
        except CarrierFailed:
            settled = None
        if settled is not None:
            return settled
        title = TITLES[error.provider]
        raise CarrierUnavailable(
            f"{title} failed: {error}. Whether the number was bought is found out; it is pending until then.",
            {"provider": error.provider, "retryable": False, "number_id": number.id},
        ) from error

    async def settle_purchases(self) -> int:
        """Ask after open purchases, oldest question first; returns how many numbers are ours or free again."""
        async with self.database.read() as connection:
            open_ones = await carrier_store.list_unsettled(
                connection, checked_before=values.now_ms() - _UNTOUCHED_MS, limit=_MAX_SETTLED
            )
        settled = 0
        for ours in open_ones:
            try:
                settled += await self._settle_later(ours)
            except (CarrierFailed, errors.RingdownError, ValueError) as error:
                log.warning("purchase not settled", number_id=ours.number_id, error=str(error))
                await self._touch(ours)
        return settled

    async def _settle_later(self, ours: CarrierNumber) -> bool:
        async with self.database.read() as connection:
            number = await store.get_number(connection, ours.organization_id, ours.number_id)
            account = await carrier_login.find_account(connection, settings=self.settings, box=self.box, number=ours)
        settled = await self._settle(number, ours, account)
        if settled is None and number.created_at < values.now_ms() - _GIVEN_UP_AFTER_MS:
            log.warning("purchase given up: the carrier knows nothing of it", number_id=number.id)
            await self._forget(number, None)
            return True
        if settled is None or settled.status == "pending":
            await self._touch(ours)
            return False
        return True

    async def _settle(self, number: PhoneNumber, ours: CarrierNumber, account: CarrierAccount) -> PhoneNumber | None:
        """The number as it stands at the carrier, set up if it is there; None while the carrier knows nothing of it."""
        owned = await self.carriers.run(
            account, lambda carrier: carrier.find_number(number.phone_number, reference=number.id)
        )
        if owned is None or not owned.is_active:
            return None if owned is None else number
        trunk_id = await self._set_up(number.organization_id, account, owned)
        async with self.database.write() as connection:
            present = await store.get_number(connection, number.organization_id, number.id, lock=True)
            trunk = present.trunk_id or trunk_id
            settled = dataclasses.replace(present, status="active", trunk_id=trunk, updated_at=values.now_ms())
            await store.update_number(connection, settled)
            await carrier_store.put_number(connection, dataclasses.replace(ours, provider_number_id=owned.id))
        return settled

    async def _touch(self, ours: CarrierNumber) -> None:
        async with self.database.write() as connection:
            await carrier_store.put_number(connection, dataclasses.replace(ours, checked_at=values.now_ms()))

    async def _forget(self, number: PhoneNumber, credential_id: str | None) -> None:
        async with self.database.write() as connection:
            await store.delete_number(connection, number.organization_id, number.id)
            await carrier_store.delete_number(connection, number.organization_id, number.id)
            if credential_id is not None:
                await carrier_store.delete_credential(connection, number.organization_id, credential_id)

    # --- import ------------------------------------------------------------------------------------------------------

    async def import_number(self, *, organization_id: str, body: ImportNumber) -> PhoneNumber:
        """Add a number of a carrier account; unless it has a trunk already, its calls are sent to us from now on.

        Raises `ValidationFailed`, `Conflict` when the installation has the number, and `CarrierUnavailable`.
        """
        sent = [name for name in ("sip_server", "sip_username", "sip_password") if getattr(body, name) is not None]
        if sent:
            raise errors.ValidationFailed([errors.FieldError(name, "belongs to custom_sip") for name in sent])
        login = await self._choose_login(organization_id, body)
        if body.trunk_id is None:
            self._require_public_url(login.account)
        await self._refuse_known(organization_id, body)
        try:
            owned = await self.carriers.run(login.account, lambda carrier: carrier.find_number(body.phone_number))
            if owned is None:
                title = TITLES[login.account.provider]
                raise errors.invalid("phone_number", f"is not a number of this {title} account")
            trunk_id = body.trunk_id or await self._set_up(organization_id, login.account, owned)
        except CarrierFailed as error:
            raise to_refusal(error, field="phone_number") from error
        now = values.now_ms()
        number = PhoneNumber(
            id=values.new_id("num"),
            organization_id=organization_id,
            phone_number=body.phone_number,
            friendly_name=body.friendly_name,
            trunk_id=trunk_id,
            created_at=now,
            updated_at=now,
        )
        async with self.database.write() as connection:
            await number_service.require_trunk(connection, organization_id, trunk_id)
            if not await store.insert_number(connection, number):
                raise _is_taken(number.phone_number)
            ours = CarrierNumber(
                organization_id=organization_id,
                number_id=number.id,
                provider_type=login.account.provider,
                provider_number_id=owned.id,
                credential_id=await self._keep_login(connection, organization_id, login),
                checked_at=now,
            )
            await carrier_store.put_number(connection, ours)
            await idempotency.bind_resource(connection, number.id)
        return number

    async def _refuse_known(self, organization_id: str, body: ImportNumber) -> None:
        """What would be refused in the end is refused before the carrier changes anything."""
        async with self.database.write() as connection:
            if body.trunk_id is not None:
                await number_service.require_trunk(connection, organization_id, body.trunk_id)
            if await store.is_known(connection, body.phone_number):
                raise _is_taken(body.phone_number)

    # --- release -----------------------------------------------------------------------------------------------------

    async def delete_number(self, *, organization_id: str, number_id: str) -> None:
        """Delete a number; one that was bought through us is given back to the carrier first.

        Raises `NotFound`, `ValidationFailed` while its purchase is open, and `CarrierUnavailable`.
        """
        async with self.database.read() as connection:
            number = await store.get_number(connection, organization_id, number_id)
            ours = (await carrier_store.list_numbers(connection, organization_id, [number_id])).get(number_id)
            if ours is not None and ours.is_managed:
                if number.status == "pending":
                    raise errors.invalid("number_id", "its purchase is still open; try again when it is settled")
                account = await carrier_login.find_account(
                    connection, settings=self.settings, box=self.box, number=ours
                )
        if ours is not None and ours.is_managed:
            provider_number_id = ours.provider_number_id or ""
            try:
                await self.carriers.run(account, lambda carrier: carrier.release_number(provider_number_id))
            except CarrierFailed as error:
                raise to_refusal(error, field="number_id") from error
        await number_service.delete_number(self.database, organization_id=organization_id, number_id=number_id)

    # --- shared ------------------------------------------------------------------------------------------------------

    async def _choose_login(self, organization_id: str, body: LoginFields) -> Login:
        async with self.database.read() as connection:
            return await carrier_login.choose_login(
                connection, settings=self.settings, box=self.box, organization_id=organization_id, body=body
            )

    async def _keep_login(self, connection: AsyncConnection, organization_id: str, login: Login) -> str | None:
        await account_store.lock_organization(connection, organization_id)  # a login is stored once
        return await carrier_login.keep_login(connection, box=self.box, organization_id=organization_id, login=login)

    def _require_public_url(self, account: CarrierAccount) -> None:
        if account.provider == "twilio" and self.settings.public_url is None:
            raise errors.invalid(
                "provider_type", "Twilio cannot reach this installation: set RINGDOWN_PUBLIC_URL, or send a trunk_id"
            )

    async def _set_up(self, organization_id: str, account: CarrierAccount, owned: OwnedNumber) -> str:
        """Have the carrier send the number's calls to us; returns the trunk that calls from it take."""
        known = await self._find_connection(organization_id, account)
        if known is None:
            wanted = NewConnection(
                name=f"Ringdown {organization_id[-8:]}",
                username=f"ringdown{secrets.token_hex(8)}",
                password=f"{secrets.token_hex(16)}Aa1",
            )
            made = await self.carriers.run(account, lambda carrier: carrier.connect(wanted))
            known = await self._keep_connection(organization_id, account, wanted, made)
        connection_id, voice_url = known.connection_id, sip_address.make_voice_url(self.settings)
        await self.carriers.run(
            account,
            lambda carrier: carrier.point_number(owned.id, connection_id=connection_id, voice_url=voice_url),
        )
        return known.trunk_id

    async def _find_connection(self, organization_id: str, account: CarrierAccount) -> CarrierConnection | None:
        async with self.database.read() as connection:
            known = await carrier_store.find_connection(connection, organization_id, account.provider, account.key)
            if known is None:
                return None
            try:
                await trunk_store.get_trunk(connection, organization_id, known.trunk_id)
            except errors.NotFound:
                return None
            return known

    async def _keep_connection(
        self, organization_id: str, account: CarrierAccount, wanted: NewConnection, made: Connection
    ) -> CarrierConnection:
        async with self.database.write() as connection:
            await account_store.lock_organization(connection, organization_id)
            taken = {trunk.name for trunk in await trunk_store.list_all(connection, organization_id)}
            login = {"username": wanted.username, "password": wanted.password}
            # Telnyx calls whoever registers; Twilio calls by its own voice URL, and logs in with the same words.
            way = (
                {"registers": True, "transport": "tcp"}
                if account.provider == "telnyx"
                else {f"inbound_{name}": value for name, value in login.items()}
            )
            table = {"name": number_service.choose_name(f"{account.provider} {account.key[-6:]}", taken)}
            body = schemas.parse_trunk({**table, "hosts": [made.host], **login, **way})
            trunk = await service.insert_trunk(connection, box=self.box, organization_id=organization_id, body=body)
            kept = CarrierConnection(
                organization_id=organization_id,
                provider_type=account.provider,
                account_key=account.key,
                connection_id=made.id,
                trunk_id=trunk.id,
            )
            await carrier_store.put_connection(connection, kept)
        return kept


def _is_taken(phone_number: str) -> Conflict:
    return Conflict(f"This installation has the number {phone_number} already.")
