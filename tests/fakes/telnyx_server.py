"""Telnyx' API as far as numbers need it: offers, orders, numbers of the account, connections."""

import base64
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.vendor_server import Reply, Request, VendorServer

KEY = "KEY_telnyx"


@dataclass
class FakeTelnyxServer(VendorServer):
    """An account with `key`. An order delivers at once, unless `holds_orders`; each number is sold once."""

    key: str = KEY
    for_sale: list[str] = field(default_factory=lambda: [f"+1212555{number:04}" for number in range(100, 145)])
    owned: dict[str, str] = field(default_factory=dict)
    orders: list[dict[str, Any]] = field(default_factory=list)
    connections: list[dict[str, Any]] = field(default_factory=list)
    pointed: dict[str, str] = field(default_factory=dict)
    holds_orders: bool = False

    async def respond(self, request: Request) -> Reply:
        """The answer to a request."""
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return _refuse(401, "Authentication failed")
        path = request.path
        if (request.method, path) == ("GET", "/available_phone_numbers"):
            return self._offer(request)
        if path == "/number_orders":
            return self._order(request) if request.method == "POST" else self._list_orders(request)
        if path == "/outbound_voice_profiles":
            return Reply(200, {"data": [{"id": "profile-1", "name": "Default"}], "meta": _PAGE})
        if path == "/credential_connections":
            self.connections.append(request.json)
            return Reply(201, {"data": {"id": f"connection-{len(self.connections)}", **request.json}})
        if (request.method, path) == ("GET", "/phone_numbers"):
            wanted = request.query.get("filter[phone_number]")
            found = [_show(number, identifier) for number, identifier in self.owned.items() if number == wanted]
            return Reply(200, {"data": found, "meta": _PAGE})
        return self._change(request)

    def add(self, number: str) -> str:
        """Put a number into the account; returns its id there."""
        self.owned[number] = base64.b16encode(number.encode()).decode().lower()
        return self.owned[number]

    def deliver(self) -> None:
        """Complete the orders that are held."""
        for order in self.orders:
            order["status"] = "success"
            for entry in order["phone_numbers"]:
                self.add(entry["phone_number"])

    def _offer(self, request: Request) -> Reply:
        limit = int(request.query.get("filter[limit]", 100))
        area = "+1" + request.query.get("filter[national_destination_code]", "")
        fitting = [number for number in self.for_sale if number.startswith(area)]
        shown = [
            {
                "record_type": "available_phone_number",
                "phone_number": number,
                "region_information": [{"region_type": "state", "region_name": "NY"}],
                "features": [{"name": "voice"}, {"name": "sms"}],
                "cost_information": {"upfront_cost": "1.00", "monthly_cost": "0.40", "currency": "USD"},
            }
            for number in fitting[:limit]
        ]
        return Reply(200, {"data": shown, "meta": {"total_results": len(fitting), "best_effort_results": 0}})

    def _order(self, request: Request) -> Reply:
        body = request.json
        numbers = [entry["phone_number"] for entry in body["phone_numbers"]]
        if any(number not in self.for_sale for number in numbers):
            return _refuse(422, "The phone number is no longer available.")
        for number in numbers:
            self.for_sale.remove(number)
        order = {"id": f"order-{len(self.orders) + 1}", "status": "pending", **body}
        self.orders.append(order)
        if not self.holds_orders:
            self.deliver()
        return Reply(200, {"data": order})

    def _list_orders(self, request: Request) -> Reply:
        wanted = request.query.get("filter[customer_reference]")
        found = [order for order in self.orders if order.get("customer_reference") == wanted]
        return Reply(200, {"data": found, "meta": _PAGE})

    def _change(self, request: Request) -> Reply:
        identifier = request.path.rpartition("/")[2]
        number = next((number for number, known in self.owned.items() if known == identifier), None)
        if number is None:
            return _refuse(404, "The requested resource or URL could not be found.")
        if request.method == "DELETE":
            del self.owned[number]
        else:
            self.pointed[number] = request.json["connection_id"]
        return Reply(200, {"data": _show(number, identifier)})


_PAGE = {"page_number": 1, "page_size": 20, "total_pages": 1, "total_results": 1}


def _show(number: str, identifier: str) -> dict[str, Any]:
    return {"id": identifier, "phone_number": number, "status": "active", "record_type": "phone_number"}


def _refuse(status: int, detail: str) -> Reply:
    return Reply(status, {"errors": [{"code": "1", "title": "Refused", "detail": detail}]})
