"""Requests within a dialog: route sets, strict routers, target refresh, and the stored form."""

import json

import pytest

from ringdown.sip.destination import Destination
from ringdown.sip.dialog import Dialog
from ringdown.sip.message import Request, Response

VIA = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"


def make_invite(*extra: tuple[str, str]) -> Request:
    fields = [
        ("Via", VIA),
        ("From", '"A" <sip:a@192.0.2.1>;tag=from'),
        ("To", "<sip:b@192.0.2.2>"),
        ("Call-ID", "id"),
        ("CSeq", "5 INVITE"),
        ("Contact", "<sip:a@192.0.2.1:5070>"),
    ]
    return Request.build("INVITE", "sip:b@192.0.2.2", [*fields, *extra])


def make_dialog(*routes: str, contact: str = "<sip:b@192.0.2.9:5090;transport=tcp>") -> Dialog:
    fields = [("Contact", contact), *(("Record-Route", route) for route in routes)]
    return Dialog.from_response(make_invite(), Response.build(make_invite(), 200, tag="to", fields=fields))


def test_without_routes_a_request_goes_to_the_contact() -> None:
    dialog = make_dialog()
    request = dialog.build_request("BYE", via=VIA, cseq=6)
    assert request.uri == "sip:b@192.0.2.9:5090;transport=tcp"
    assert dialog.next_hop() == Destination("tcp", "192.0.2.9", 5090)
    assert (request.from_.tag, request.to.tag, request.call_id, request.cseq) == ("from", "to", "id", 6)
    assert request.headers.get("Route") is None


def test_a_loose_router_keeps_the_target() -> None:
    dialog = make_dialog("<sip:p2;lr>", "<sip:p1:5080;lr>")
    request = dialog.build_request("BYE", via=VIA, cseq=6)
    assert request.uri == "sip:b@192.0.2.9:5090;transport=tcp"
    assert request.headers.get_all("Route") == ["<sip:p1:5080;lr>", "<sip:p2;lr>"]
    assert dialog.next_hop() == Destination("udp", "p1", 5080)


def test_a_strict_router_becomes_the_target() -> None:
    dialog = make_dialog("<sip:p2;lr>", "<sip:p1:5080>")
    request = dialog.build_request("BYE", via=VIA, cseq=6)
    assert request.uri == "sip:p1:5080"
    assert request.headers.get_all("Route") == ["<sip:p2;lr>", "<sip:b@192.0.2.9:5090;transport=tcp>"]
    assert dialog.next_hop() == Destination("udp", "p1", 5080)


def test_the_callee_keeps_the_order_of_the_routes() -> None:
    invite = make_invite(("Record-Route", "<sip:p1;lr>, <sip:p2;lr>"))
    dialog = Dialog.from_invite(invite, local_tag="to", contact="<sip:b@192.0.2.2>")
    request = dialog.build_request("BYE", via=VIA, cseq=1)
    assert request.uri == "sip:a@192.0.2.1:5070"
    assert request.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert (request.from_.tag, request.to.tag) == ("to", "from")
    assert dialog.remote_cseq == 5


def test_a_new_contact_moves_the_target_and_a_bad_one_does_not() -> None:
    dialog = make_dialog()
    dialog.refresh_target(make_invite())
    assert dialog.remote_target == "sip:a@192.0.2.1:5070"
    bad = Response.build(make_invite(), 200, tag="to", fields=[("Contact", "<sip:x@y;transport=sctp>")])
    with pytest.raises(ValueError, match="transport"):
        dialog.refresh_target(bad)
    assert dialog.remote_target == "sip:a@192.0.2.1:5070"


@pytest.mark.parametrize(
    "contact",
    ["*", "<>", "<tel:1>", "<sip:b@c;transport=sctp>", "nonsense", "<sip:b@c;transport=ws>", "<sip:b\u200b@c>"],
)
def test_an_answer_with_an_unusable_contact_falls_back_to_the_dialled_target(contact: str) -> None:
    response = Response.build(make_invite(), 200, tag="to", fields=[("Contact", contact)])
    with pytest.raises(ValueError, match=r".+"):
        Dialog.from_response(make_invite(), response)
    dialog = Dialog.from_answer(make_invite(), response)
    assert (dialog.remote_target, dialog.remote_tag) == ("sip:b@192.0.2.2", "to")


def test_the_stored_form_is_json_and_gives_the_same_dialog() -> None:
    dialog = make_dialog("<sip:p1;lr>")
    assert Dialog.from_dict(json.loads(json.dumps(dialog.to_dict()))) == dialog
