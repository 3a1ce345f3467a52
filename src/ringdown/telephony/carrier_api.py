"""Routes of what carriers sell: searching and buying numbers, and where their calls are to be sent."""

from typing import Any

from fastapi import APIRouter, Request, Response

from ringdown.telephony import number_api, sip_address
from ringdown.telephony.carrier import AvailableNumber
from ringdown.telephony.carrier_numbers import CarrierNumbers
from ringdown.telephony.carrier_schemas import PurchaseNumber, SearchNumbers
from ringdown.telephony.number_service import RequireAgent
from ringdown.web import context, envelope, openapi, route
from ringdown.web.auth import AuthenticatedCaller

_NUMBER = {"$ref": "#/components/schemas/NumberObject"}
_WEBHOOK = {"$ref": "#/components/schemas/WebhookUrlObject"}
_PAGINATION = {
    "type": "object",
    "required": ["page", "page_size", "total_results", "total_pages", "has_more"],
    "properties": {
        **{name: {"type": "integer"} for name in ("page", "page_size", "total_results", "total_pages")},
        "has_more": {"type": "boolean"},
    },
}


def _describe_offers() -> dict[int | str, dict[str, Any]]:
    offers = {"type": "array", "items": {"$ref": "#/components/schemas/AvailableNumberObject"}}
    described = openapi.describe_one(offers, "Numbers for sale.", status=201)
    schema = described[201]["content"]["application/json"]["schema"]
    schema["required"].append("pagination")
    schema["properties"]["pagination"] = _PAGINATION
    return {**described, **openapi.PROVIDER_FAILED}


def new_router(require_agent: RequireAgent, desk: CarrierNumbers) -> APIRouter:
    """The routes; include them before those of `number_api`, whose paths are wider."""
    router = route.new_router(prefix="/telephony", tag="Telephony")

    @router.post("/numbers/search", summary="Search numbers for sale", status_code=201, responses=_describe_offers())
    async def search_numbers(request: Request, caller: AuthenticatedCaller, body: SearchNumbers) -> Response:
        """Numbers that a carrier sells, in pages; nothing is reserved."""
        offers, provider = await desk.search_numbers(organization_id=caller.organization_id, body=body)
        shown = [_render_offer(offer, provider) for offer in offers.numbers]
        paging = {
            "page": body.page,
            "page_size": body.page_size,
            "total_results": offers.total,
            "total_pages": -(-offers.total // body.page_size),
            "has_more": body.page * body.page_size < offers.total,
        }
        answer = {"data": shown, "meta": envelope.get_meta(request), "pagination": paging}
        return envelope.render(answer, status=201)

    bought = {**openapi.describe_one(_NUMBER, "The number.", status=201), **openapi.PROVIDER_FAILED}

    @router.post("/numbers/purchase", summary="Buy a number", status_code=201, responses=bought)
    async def purchase_number(request: Request, caller: AuthenticatedCaller, body: PurchaseNumber) -> Response:
        """Buy a number and have its calls sent here; `pending` while the carrier works on the order."""
        number = await desk.buy_number(organization_id=caller.organization_id, body=body)
        return envelope.respond_created(request, await number_api.render_alone(request, number))

    named = openapi.describe_one(_WEBHOOK, "Where calls go.")

    @router.get("/agents/{agent_id}/webhook-url", summary="Get the webhook URL of an agent", responses=named)
    async def get_webhook_url(request: Request, caller: AuthenticatedCaller, agent_id: str) -> Response:
        """What to enter at a carrier for the numbers that ring an agent; it is the same for all agents."""
        async with context.get_database(request).read() as connection:
            await require_agent(connection, caller.organization_id, agent_id)
        settings = context.get_settings(request)
        shown = {
            "agent_id": agent_id,
            "webhook_url": sip_address.make_voice_url(settings),
            "sip_uri": f"sip:{sip_address.find_sip_host(settings)}",
        }
        return envelope.respond(request, shown)

    return router


def _render_offer(offer: AvailableNumber, provider: str) -> dict[str, object]:
    costs = {name: getattr(offer, name) for name in ("upfront_cost", "monthly_cost", "currency")}
    return {
        "phone_number": offer.phone_number,
        "phone_number_type": offer.phone_number_type,
        "range": None,
        "region_information": [{"region_type": kind, "region_name": name} for kind, name in offer.regions],
        "features": list(offer.features),
        "cost_information": costs if any(costs.values()) else None,
        "provider": provider,
    }
