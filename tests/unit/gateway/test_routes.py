"""How numbers are dialled: over which hosts, in whose name, in which spelling, with which media."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from ringdown.config import Settings
from ringdown.gateway import routes
from ringdown.sip.digest import Credentials
from ringdown.telephony.models import Trunk, TrunkHost

ENDPOINT: Any = SimpleNamespace(local_uri=lambda user: f"sip:{user}@192.0.2.9:5060")


def make_trunk(**fields: Any) -> Trunk:
    known: dict[str, Any] = {
        "organization_id": "org_a",
        "id": "trunk_a",
        "name": "carrier",
        "hosts": (TrunkHost("carrier.example"),),
        "created_at": 0,
        "updated_at": 0,
    }
    return Trunk(**(known | fields))


def build(trunk: Trunk, number: str = "+4930901820", from_number: str | None = "+12025550100") -> routes.Route:
    return routes.build_route(trunk, ENDPOINT, number=number, from_number=from_number)


def test_the_documented_number_is_the_test_phone_unless_that_is_off() -> None:
    settings = Settings(test_phone_number="+12025550142", test_phone_port=5062)
    assert routes.is_test_phone(settings, "+12025550142")
    assert not routes.is_test_phone(settings, "+12025550143")
    assert not routes.is_test_phone(settings.model_copy(update={"test_phone_enabled": False}), "+12025550142")
    way = routes.find_test_phone(settings, ENDPOINT, number="+12025550142", from_number=None)
    assert way.target == "sip:+12025550142@127.0.0.1:5062"
    assert way.from_uri == "sip:anonymous@192.0.2.9:5060"


def test_a_number_is_asked_for_at_the_trunk_with_its_port_and_transport() -> None:
    way = build(make_trunk(hosts=(TrunkHost("carrier.example", 5080),), transport="tcp"))
    assert way.target == "sip:+4930901820@carrier.example:5080;transport=tcp"
    assert way.hosts == ("sip:carrier.example:5080;transport=tcp",)
    assert way.from_uri == "sip:+12025550100@192.0.2.9:5060"
    assert way.credentials is None and way.security is None


def test_an_account_calls_in_its_own_domain_and_answers_challenges() -> None:
    way = build(make_trunk(username="ann", password="s@crt"))
    assert way.credentials == Credentials("ann", "s@crt")
    assert way.from_uri == "sip:+12025550100@carrier.example"
    assert "s@crt" not in repr(way)


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("p_asserted_identity", ("P-Asserted-Identity", "<sip:+12025550100@carrier.example>")),
        (
            "remote_party_id",
            ("Remote-Party-ID", "<sip:+12025550100@carrier.example>;party=calling;privacy=off;screen=yes"),
        ),
    ],
)
def test_the_number_shown_may_stand_beside_the_account(form: str, header: tuple[str, str]) -> None:
    way = build(make_trunk(username="ann", password="x", caller_id_form=form))
    assert way.from_uri == "sip:ann@carrier.example"
    assert way.headers == (header,)


@pytest.mark.parametrize(
    ("number_format", "prefix", "user"),
    [
        ("e164", "", "+4930901820"),
        ("e164_without_plus", "", "4930901820"),
        ("international", "", "0114930901820"),
        ("e164", "9", "9+4930901820"),
    ],
)
def test_both_numbers_are_written_as_the_trunk_wants_them(number_format: str, prefix: str, user: str) -> None:
    way = build(make_trunk(number_format=number_format, number_prefix=prefix))
    assert way.target == f"sip:{user}@carrier.example"


def test_an_outbound_proxy_takes_all_requests_by_a_loose_route() -> None:
    way = build(make_trunk(outbound_proxy="proxy.example:5070", transport="tls"))
    assert way.headers[0] == ("Route", "<sip:proxy.example:5070;transport=tls;lr>")
    assert way.hosts == ("sip:proxy.example:5070;transport=tls",)
    assert way.target == "sip:+4930901820@carrier.example;transport=tls"
    assert way.security is not None and way.security.is_verified


def test_hosts_are_tried_by_priority_and_share_calls_by_weight() -> None:
    hosts = (TrunkHost("spare", priority=2), TrunkHost("big", weight=3), TrunkHost("small", weight=1))
    orders = Counter(tuple(host.host for host in routes.order_hosts(hosts)) for _ in range(2000))
    assert set(orders) == {("big", "small", "spare"), ("small", "big", "spare")}
    assert 1350 < orders["big", "small", "spare"] < 1650


def test_a_host_without_weight_comes_after_the_others_of_its_priority() -> None:
    hosts = (TrunkHost("last", weight=0), TrunkHost("first", weight=10))
    firsts = Counter(routes.order_hosts(hosts)[0].host for _ in range(500))
    assert firsts["first"] > 490


def test_media_and_timers_are_the_trunks() -> None:
    way = build(make_trunk(codecs=("PCMA",), srtp="required", dtmf="inband", session_timer="request", nat="off"))
    assert (way.terms.encodings, way.terms.srtp, way.terms.dtmf) == (("PCMA",), "required", "inband")
    assert not way.terms.is_nat_expected
    assert way.session_timer is not None and way.session_timer.mode == "request"


def test_the_outbound_peer_of_the_settings_is_a_trunk() -> None:
    trunk = routes.parse_peer("sip:ann:s%40crt@carrier.example:5080;transport=tls")
    assert (trunk.hosts, trunk.transport) == ((TrunkHost("carrier.example", 5080),), "tls")
    assert (trunk.username, trunk.password) == ("ann", "s@crt")
    assert build(routes.parse_peer("sip:[::1]:5070")).target == "sip:+4930901820@[::1]:5070"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "carrier.example",
        "sips:carrier.example",
        "sip:a b@host;transport=sctp",
        "sip:host;lr",
        "sip:host:0",
        "sip:host:99999",
        "sip:u:p@[::1",
    ],
)
def test_a_peer_that_cannot_be_read_is_refused_without_showing_its_password(text: str) -> None:
    with pytest.raises(ValueError, match="RINGDOWN_OUTBOUND_PEER") as refused:
        routes.parse_peer(text)
    assert "p@" not in str(refused.value) or "password@" in str(refused.value)
