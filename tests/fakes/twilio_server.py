"""Twilio's API as far as numbers need it: offers, numbers of the account, SIP credentials, trunks."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.vendor_server import Reply, Request, VendorServer

SID, TOKEN = "AC" + "0" * 32, "twilio-token"
_ACCOUNT = f"/2010-04-01/Accounts/{SID}"


@dataclass
class FakeTwilioServer(VendorServer):
    """The account `SID` with the auth token `TOKEN`; each number is sold once."""

    for_sale: list[str] = field(default_factory=lambda: [f"+1415555{number:04}" for number in range(100, 145)])
    owned: dict[str, dict[str, Any]] = field(default_factory=dict)
    logins: list[dict[str, str]] = field(default_factory=list)
    trunks: list[dict[str, str]] = field(default_factory=list)

    async def respond(self, request: Request) -> Reply:
        """The answer to a request."""
        expected = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return _refuse(401, 20003, "Authenticate")
        path = request.path.removeprefix(_ACCOUNT)
        if offer := re.fullmatch(r"/AvailablePhoneNumbers/(\w+)/(Local|TollFree|Mobile|National)\.json", path):
            return self._offer(request, country=offer[1])
        if path == "/IncomingPhoneNumbers.json":
            return self._buy(request) if request.method == "POST" else self._list(request)
        if path.startswith("/IncomingPhoneNumbers/"):
            return self._change(request, path.removesuffix(".json").rpartition("/")[2])
        if path.startswith("/SIP/CredentialLists"):
            is_list = path == "/SIP/CredentialLists.json"
            if not is_list:
                self.logins.append(request.form)
            return Reply(201, {"sid": ("CL" if is_list else "CR") + "1" * 32, "account_sid": SID})
        if path == "/v1/Trunks":
            self.trunks.append(request.form)
            return Reply(201, {"sid": "TK" + "1" * 32, "account_sid": SID, "domain_name": request.form["DomainName"]})
        if path == f"/v1/Trunks/TK{'1' * 32}/CredentialLists":
            return Reply(201, {"sid": request.form["CredentialListSid"], "account_sid": SID})
        return _refuse(404, 20404, f"The requested resource {request.path} was not found")

    def add(self, number: str) -> str:
        """Put a number into the account; returns its id there."""
        sid = "PN" + base64.b16encode(number.encode()).decode().lower().ljust(32, "0")[:32]
        self.owned[number] = {"sid": sid, "phone_number": number, "account_sid": SID}
        return sid

    def _offer(self, request: Request, *, country: str) -> Reply:
        if country != "US":
            return _refuse(404, 20404, "The requested resource was not found")
        area = "+1" + request.query.get("AreaCode", "")
        fitting = [number for number in self.for_sale if number.startswith(area)]
        shown = [
            {
                "phone_number": number,
                "locality": "San Francisco",
                "region": "CA",
                "iso_country": "US",
                "capabilities": {"voice": True, "SMS": True, "MMS": False, "fax": False},
            }
            for number in fitting[: int(request.query.get("PageSize", 50))]
        ]
        return Reply(200, {"available_phone_numbers": shown, "uri": request.path})

    def _buy(self, request: Request) -> Reply:
        number = request.form["PhoneNumber"]
        if number not in self.for_sale:
            return _refuse(400, 21422, f"{number} is not available.")
        self.for_sale.remove(number)
        self.add(number)
        return Reply(201, self.owned[number])

    def _list(self, request: Request) -> Reply:
        part = request.query.get("PhoneNumber", "")
        found = [entry for number, entry in self.owned.items() if part in number]
        return Reply(200, {"incoming_phone_numbers": found, "page": 0, "page_size": 50, "uri": request.path})

    def _change(self, request: Request, sid: str) -> Reply:
        entry = next((entry for entry in self.owned.values() if entry["sid"] == sid), None)
        if entry is None:
            return _refuse(404, 20404, f"The requested resource {request.path} was not found")
        if request.method == "DELETE":
            del self.owned[entry["phone_number"]]
            return Reply(204)
        entry |= request.form
        return Reply(200, entry)


def _refuse(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"code": code, "message": message, "status": status})
