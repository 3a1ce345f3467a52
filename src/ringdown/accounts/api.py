"""Routes of API keys and of the organization."""

from fastapi import Request, Response

from ringdown import values
from ringdown.accounts import key_store, preference_store, schemas, service, store
from ringdown.accounts.preference_store import Preferences
from ringdown.accounts.store import ApiKey, Organization
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller
from ringdown.web.pagination import PageQuery

_KEY = {"$ref": "#/components/schemas/ApiKeyObject"}
_NEW_KEY = openapi.describe_one({"$ref": "#/components/schemas/NewApiKeyObject"}, "The key, shown once.", status=201)
_ONE_KEY = openapi.describe_one(_KEY, "The key.")
_ORGANIZATION = openapi.describe_one({"$ref": "#/components/schemas/OrganizationObject"}, "The organization.")

router = route.new_router(prefix="/api-keys", tag="Account")
organization_router = route.new_router(prefix="/organization", tag="Account")


@router.get("", summary="List API keys", responses=openapi.describe_list(_KEY, "Keys."))
async def list_api_keys(request: Request, caller: AuthenticatedCaller, page: PageQuery) -> Response:
    """Keys that are in use, newest first. The keys themselves are not known any more."""
    async with context.get_database(request).read() as connection:
        found, total = await key_store.list_keys(
            connection, caller.organization_id, limit=page.limit, offset=page.offset
        )
    rendered = [_render_key(key) for key in found]
    return envelope.respond_page(request, rendered, page.describe(total=total, returned=len(rendered)))


@router.post("", summary="Create an API key", status_code=201, responses=_NEW_KEY)
async def create_api_key(request: Request, caller: AuthenticatedCaller, body: schemas.CreateApiKey) -> Response:
    """Make a key. It is shown now and never again; its name must be free (409)."""
    key, text = await service.create_key(
        context.get_database(request),
        organization_id=caller.organization_id,
        name=body.name,
        allow_list=tuple(body.allow_list or ()),
        requests_per_minute=body.requests_per_minute,
    )
    return envelope.respond_secret(request, {**_render_key(key), "key": text})


@router.get("/{key_id}", summary="Get an API key", responses=_ONE_KEY)
async def get_api_key(request: Request, caller: AuthenticatedCaller, key_id: str) -> Response:
    """One key, and when it was used last (to the minute)."""
    async with context.get_database(request).read() as connection:
        key = await key_store.get_key(connection, caller.organization_id, key_id)
    return envelope.respond(request, _render_key(key))


@router.put("/{key_id}", summary="Update an API key", responses=_ONE_KEY, operation_id="replace_api_key")
@router.patch("/{key_id}", summary="Update an API key", responses=_ONE_KEY)
async def update_api_key(
    request: Request, caller: AuthenticatedCaller, key_id: str, body: schemas.UpdateApiKey
) -> Response:
    """Change the fields that are sent; PUT and PATCH do the same."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    key = await service.update_key(
        context.get_database(request), organization_id=caller.organization_id, key_id=key_id, changes=changes
    )
    return envelope.respond(request, _render_key(key))


@router.delete("/{key_id}", summary="Revoke an API key", responses=openapi.describe_deleted())
async def delete_api_key(request: Request, caller: AuthenticatedCaller, key_id: str) -> Response:
    """Revoke a key at once; also the one that sends this request."""
    await service.delete_key(context.get_database(request), organization_id=caller.organization_id, key_id=key_id)
    return envelope.respond_deleted(request, key_id)


@organization_router.get("", summary="Get the organization", responses=_ORGANIZATION)
async def get_organization(request: Request, caller: AuthenticatedCaller) -> Response:
    """The organization that the key selects, and what it has set for itself."""
    async with context.get_database(request).read() as connection:
        organization = await store.get_organization(connection, caller.organization_id)
        preferences = await preference_store.get_preferences(connection, caller.organization_id)
    return envelope.respond(request, _render_organization(organization, preferences))


@organization_router.put(
    "", summary="Update the organization", responses=_ORGANIZATION, operation_id="replace_organization"
)
@organization_router.patch("", summary="Update the organization", responses=_ORGANIZATION)
async def update_organization(
    request: Request, caller: AuthenticatedCaller, body: schemas.UpdateOrganization
) -> Response:
    """Change the fields that are sent; PUT and PATCH do the same."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    organization, preferences = await service.update_organization(
        context.get_database(request), organization_id=caller.organization_id, changes=changes
    )
    return envelope.respond(request, _render_organization(organization, preferences))


def _render_key(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "key_hint": key.key_hint,
        "allow_list": key.allow_list,
        "requests_per_minute": key.requests_per_minute,
        "last_used_at": values.to_wire_time(key.last_used_at),
        "created_at": values.to_wire_time(key.created_at),
    }


def _render_organization(organization: Organization, preferences: Preferences) -> dict[str, object]:
    return {
        "id": organization.id,
        "name": organization.name,
        "default_region": preferences.default_region,
        "timezone": preferences.timezone,
        "credits_low_mark": preferences.credits_low_mark,
        "daily_credit_limit": preferences.daily_credit_limit,
        "recording_retention_days": preferences.recording_retention_days,
        "transcript_retention_days": preferences.transcript_retention_days,
        "created_at": values.to_wire_time(organization.created_at),
        "updated_at": values.to_wire_time(preferences.updated_at or organization.created_at),
    }
