"""Routes of stored logins at carriers; their secrets go in and never come out."""

import dataclasses
from typing import Any

from fastapi import APIRouter, Request, Response

from ringdown import errors, values
from ringdown.secret import SecretBox
from ringdown.telephony import carrier_login, carrier_store
from ringdown.telephony.carrier_schemas import CreateCredential, UpdateCredential
from ringdown.telephony.carrier_store import Credential
from ringdown.web import context, envelope, idempotency, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import ShortPageQuery

_CREDENTIAL = {"$ref": "#/components/schemas/CredentialObject"}
_ONE = openapi.describe_one(_CREDENTIAL, "The credential.")


def new_router(box: SecretBox) -> APIRouter:
    """The routes; `box` seals the secrets."""
    router = route.new_router(prefix="/telephony/credentials", tag="Telephony")
    listed = openapi.describe_list(_CREDENTIAL, "Credentials, newest first.")
    router.get("", summary="List carrier credentials", responses=listed)(list_credentials)
    router.get("/{credential_id}", summary="Get a carrier credential", responses=_ONE)(get_credential)
    router.delete("/{credential_id}", summary="Delete a carrier credential", responses=openapi.describe_deleted())(
        delete_credential
    )
    made = openapi.describe_one(_CREDENTIAL, "The credential.", status=201)

    @router.post("", summary="Store a carrier credential", status_code=201, responses=made)
    async def create_credential(request: Request, caller: AuthenticatedCaller, body: CreateCredential) -> Response:
        """Store a login at Telnyx or Twilio; it is not tried out until it is used."""
        account = carrier_login.read_account(body.provider_type, body)
        now = values.now_ms()
        stored = Credential(
            organization_id=caller.organization_id,
            id=values.new_id("cred"),
            provider_type=account.provider,
            friendly_name=body.friendly_name,
            account_sid=account.account_sid,
            secret=box.seal(account.secret),
            created_at=now,
            updated_at=now,
        )
        async with context.get_database(request).write() as connection:
            await carrier_store.insert_credential(connection, stored)
            await idempotency.bind_resource(connection, stored.id)
        return envelope.respond_created(request, _render(stored))

    change = "Update a carrier credential"

    @router.put("/{credential_id}", summary=change, responses=_ONE, operation_id="replace_credential")
    @router.patch("/{credential_id}", summary=change, responses=_ONE)
    async def update_credential(
        request: Request, caller: AuthenticatedCaller, credential_id: str, body: UpdateCredential
    ) -> Response:
        """Change the name or the secret; PUT and PATCH do the same. Carrier and account stay."""
        async with context.get_database(request).write() as connection:
            present = await carrier_store.get_credential(connection, caller.organization_id, credential_id, lock=True)
            changed = dataclasses.replace(present, **_read_changes(body, present, box), updated_at=values.now_ms())
            await carrier_store.update_credential(connection, changed)
        return envelope.respond(request, _render(changed))

    return router


async def list_credentials(request: Request, caller: AuthenticatedCaller, page: ShortPageQuery) -> Response:
    """All stored logins at carriers, newest first, without secrets, in pages if `limit` says so."""
    async with context.get_database(request).read() as connection:
        stored = await carrier_store.list_credentials(connection, caller.organization_id)
    found, pagination = page.cut(stored)
    return envelope.respond_page(request, [_render(each) for each in found], pagination)


async def get_credential(request: Request, caller: AuthenticatedCaller, credential_id: str) -> Response:
    """One stored login, without its secret."""
    async with context.get_database(request).read() as connection:
        stored = await carrier_store.get_credential(connection, caller.organization_id, credential_id)
    return envelope.respond(request, _render(stored))


async def delete_credential(request: Request, caller: AuthenticatedCaller, credential_id: str) -> Response:
    """Delete a login; refused (422) while numbers came with it."""
    async with context.get_database(request).write() as connection:
        await carrier_store.get_credential(connection, caller.organization_id, credential_id, lock=True)
        used = await carrier_store.list_numbers_of(connection, caller.organization_id, credential_id, limit=10)
        if used:
            raise errors.invalid("credential_id", f"delete its numbers first: {', '.join(used)}")
        await carrier_store.delete_credential(connection, caller.organization_id, credential_id)
    return envelope.respond_deleted(request, credential_id)


def _read_changes(body: UpdateCredential, present: Credential, box: SecretBox) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "friendly_name" in body.model_fields_set:
        changes["friendly_name"] = body.friendly_name
    if present.provider_type == "telnyx" and body.auth_token is not None:
        raise errors.invalid("auth_token", "belongs to twilio")
    if None not in (body.api_key, body.auth_token) and body.api_key != body.auth_token:
        raise errors.invalid("api_key", "is another name of auth_token, which says something else")
    secret = body.auth_token or body.api_key
    if secret is not None:
        changes["secret"] = box.seal(secret)
    return changes


def _render(stored: Credential) -> dict[str, object]:
    return {
        "id": stored.id,
        "provider_type": stored.provider_type,
        "friendly_name": stored.friendly_name,
        "account_sid": stored.account_sid,
        "created_at": values.to_wire_time(stored.created_at),
        "updated_at": values.to_wire_time(stored.updated_at),
    }
