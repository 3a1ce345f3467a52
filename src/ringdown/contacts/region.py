"""The country in which a request's numbers without country code are read."""

from fastapi import Request

from ringdown.accounts import preference_store
from ringdown.web import context


async def get_region(request: Request, organization_id: str, country: str | None = None) -> str:
    """The `country` of the request, else the organization's `default_region`, else the setting."""
    if country is not None:
        return country
    async with context.get_database(request).read() as connection:
        preferences = await preference_store.get_preferences(connection, organization_id)
    return preferences.default_region or context.get_settings(request).default_region
