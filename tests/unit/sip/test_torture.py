"""The torture messages of RFC 4475 and RFC 5118: what is read from each, what is answered, and that calls survive."""

from pathlib import Path

import pytest

from ringdown.sip import sdp
from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.admission import admit_all
from ringdown.sip.destination import Destination
from ringdown.sip.events import Ended
from ringdown.sip.framing import StreamFramer
from ringdown.sip.message import Request, Response, Via, parse_message
from ringdown.sip.useragent import UserAgent
from tests.unit.sip.network import Network

DATA = Path(__file__).parents[2] / "data" / "sip"
AGENT, FAR, STRANGER = "10.0.0.1", "10.0.0.2", "10.0.0.9"

# What a user agent that is no registrar answers; 100: it rings a call; None: it drops the message in silence.
# Where the RFC leaves the choice between 400 and reading it liberally, the entry says what is done here.
OUTCOMES: dict[str, int | None] = {
    # RFC 4475 §3.1.1, valid
    "wsinv": 481,  # its To has the tag of a dialog that is not ours
    "intmeth": 501, "esc01": 100, "escnull": 405, "esc02": 501, "lwsdisp": 200, "longreq": 100, "dblreq": 405,
    "semiuri": 200, "transports": 200, "mpart01": 405, "unreason": None, "noreason": None,
    # §3.1.2, invalid
    "badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": None, "quotbal": 400, "ltgtruri": 400,
    "lwsruri": 400, "lwsstart": 400, "trws": 400, "escruri": 400,
    "baddate": 100,  # the Date is not needed
    "regbadct": 405,
    "badaspec": 200,  # the blanks are ignored
    "baddn": 400, "badvers": 505, "mismatch01": 400, "mismatch02": 400, "bigcode": None,
    # §3.2 transactions, §3.3 application, §3.4 older versions
    "badbranch": 200,
    "insuf": None,  # nothing that a response could be built of
    "unkscm": 416, "novelsc": 416, "unksm2": 405, "bext01": 420, "invut": 415, "regaut01": 405, "multi01": 400,
    "mcl01": 400, "bcast": None, "zeromf": 200, "cparam01": 405, "cparam02": 405, "regescrt": 405, "sdp01": 406,
    "inv2543": 400,  # it has no Contact, and so no dialog can come of it
    # RFC 5118 §4
    "ipv6-good": 405, "ipv6-bad": 400, "port-ambiguous": 405, "port-unambiguous": 405,
    "via-received-param-with-delim": 481, "via-received-param-no-delim": 200, "ipv6-in-sdp": 100,
    "mult-ip-in-header": 481, "mult-ip-in-sdp": 100, "ipv4-mapped-ipv6": 100, "ipv6-bug-abnf-3-colons": 400,
    "ipv6-correct-abnf-2-colons": 200,
}  # fmt: skip


def read(name: str) -> bytes:
    return next(DATA.glob(f"rfc*/{name}.dat")).read_bytes()


def parse_request(name: str) -> Request:
    message = parse_message(read(name))
    assert isinstance(message, Request)
    return message


def source_of(data: bytes) -> Destination:
    """Over the transport that its top Via names, as in real life."""
    transport = next((kind for kind in ("tcp", "tls") if f"SIP/2.0/{kind}".upper().encode() in data), "udp")
    return Destination(transport, STRANGER, 5060, None if transport == "udp" else 3)  # type: ignore[arg-type]


def test_every_message_of_the_rfcs_has_an_outcome_and_the_other_way_round() -> None:
    assert {path.stem for path in DATA.glob("rfc*/*.dat")} == set(OUTCOMES)
    assert len(OUTCOMES) == 49 + 12


@pytest.mark.parametrize("name", OUTCOMES)
def test_each_message_gets_its_answer(name: str) -> None:
    agent = UserAgent(locate=lambda _: (AGENT, 5060), admit=admit_all, user_agent="Test")
    data = read(name)
    agent.receive(data, source=Destination("udp", STRANGER, 5060) if name == "transports" else source_of(data), now=0.0)
    statuses = [transmission.data.split(b" ")[1] for transmission in agent.data_to_send()]
    expected = OUTCOMES[name]
    assert statuses == ([] if expected is None else [str(expected).encode()])
    assert len(agent.events()) == (expected == 100)


def test_none_of_them_disturbs_a_call() -> None:
    network = Network()
    agent, far = network.add(AGENT), network.add(FAR)
    call = agent.dial(f"sip:bob@{FAR}")
    network.run(0.1)
    far.incoming[0].answer(b"v=0\r\n", network.now)
    network.run(0.1)
    for name in OUTCOMES:
        data = read(name)
        for _ in range(2):  # and a retransmission
            agent.agent.receive(data, source=source_of(data), now=network.now)
            agent.agent.data_to_send()  # to somebody else
    assert [owner for owner, _ in agent.log] == [call] * len(agent.log)
    call.bye(network.now)
    network.run(200)
    assert agent.events_of(call)[-1] == Ended("local")
    assert far.events_of(far.incoming[0])[-1] == Ended("bye")


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_stream_survives_each_or_is_closed_by_a_value_error(name: str) -> None:
    framer, data = StreamFramer(), read(name)
    try:
        messages = [message for at in range(0, len(data), 7) for message in framer.receive(data[at : at + 7])]
    except ValueError:
        assert name in ("ncl", "mcl01")
        return
    # The second request in `dblreq` says a length that leaves a rest.
    assert len(messages) == {"dblreq": 3, "baddn": 0, "clerr": 0}.get(name, 1)


# --- the right parts of the valid ones -------------------------------------------------------------------------------


def test_wsinv_is_read_through_its_folds_and_blanks() -> None:
    request = parse_request("wsinv")
    assert (request.method, request.uri) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert (request.to.uri, request.to.tag) == ("sip:vivekg@chair-dnrc.example.com", "1918181833n")
    assert request.from_ == NameAddr("sip:jdrosen@example.com", 'J Rosenberg \\"', {"tag": "98asjd8"})
    assert (request.call_id, request.cseq, request.cseq_method) == ("wsinv.ndaksdj@192.0.2.1", 9, "INVITE")
    vias = [Via.parse(value) for value in request.headers.get_all("Via")]
    assert [(via.transport, via.host, via.branch) for via in vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    contact = NameAddr.parse(request.headers.get("Contact") or "")
    assert (contact.display, contact.uri) == ('Quoted string ""', "sip:jdrosen@example.com")
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    route = NameAddr.parse(request.headers.get_all("Route")[0])
    assert Uri.parse(route.uri).params == {"lr": None, "unknownwith": "value", "unknown-no-value": None}
    assert request.headers.get("Subject") == ""
    assert request.headers.get("Newfangledheader") == "newfangled value continued newfangled value"
    assert request.headers.get("Unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert len(request.body) == 150


def test_intmeth_keeps_every_token_character_but_no_nul() -> None:
    request = parse_request("intmeth")
    assert request.method == request.cseq_method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert request.via.branch == "z9hG4bK-.!%66*_+`'~"
    assert request.to.display == "BEL:\x07 NUL:\ufffd DEL:\x7f"
    assert request.from_.display == "token1~` token2'+_ token3*%!.-"
    assert request.from_.tag == "_token~1'+`*%!-."
    assert request.from_.params["fromparam''~+*_!.-%"] == '"работающий"'
    assert request.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert Uri.parse(request.uri).host == "example.com"
    assert Uri.parse(request.uri).password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"


@pytest.mark.parametrize(("name", "user", "host"), [
    ("esc01", "sips%3Auser%40example.com", "example.net"),
    ("semiuri", "user;par=u%40example.net", "example.com"),
    ("lwsdisp", "user", "example.com"),
    ("ipv6-in-sdp", "user", "2001:db8::10"),
    ("ipv6-correct-abnf-2-colons", "user", "2001:db8::c000:201"),
    ("ipv6-good", None, "2001:db8::10"),
])  # fmt: skip
def test_the_request_uri_has_its_parts_with_escapes_as_written(name: str, user: str | None, host: str) -> None:
    uri = Uri.parse(parse_request(name).uri)
    assert (uri.user, uri.host, uri.port, uri.params) == (user, host, None, {})


def test_escapes_stay_escaped() -> None:
    request = parse_request("escnull")
    assert request.from_.uri == "sip:null-%00-null@example.com"
    contacts = [NameAddr.parse(value).uri for value in request.headers.get_all("Contact")]
    assert contacts == ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"]
    assert parse_request("esc02").method == "RE%47IST%45R"
    contact = NameAddr.parse(parse_request("esc01").headers.get("Contact") or "")
    assert Uri.parse(contact.uri).params == {"%6c%72": None, "n%61me": "v%61lue%25%34%31"}


def test_a_display_name_may_touch_the_bracket() -> None:
    assert parse_request("lwsdisp").from_ == NameAddr("sip:caller@example.com", "caller", {"tag": "323"})


def test_long_values_come_whole() -> None:
    request = parse_request("longreq")
    assert len(request.headers.get_lines("Via")) == 34
    assert (request.from_.tag or "").startswith("12982982982982982982")
    assert request.call_id.endswith("longcallid")
    assert len(request.body) == 150


def test_what_follows_the_content_length_is_not_the_body() -> None:
    request = parse_request("dblreq")
    assert (request.method, request.body) == ("REGISTER", b"")


def test_unknown_transports_in_the_path_do_no_harm() -> None:
    transports = [Via.parse(value).transport for value in parse_request("transports").headers.get_all("Via")]
    assert transports == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_a_binary_body_is_kept_to_the_byte() -> None:
    assert read("mpart01").endswith(parse_request("mpart01").body)
    assert len(parse_request("mpart01").body) == 553


@pytest.mark.parametrize(("name", "status", "reason"), [
    ("unreason", 200, "= 2**3 * 5**2 но сто девяносто девять - простое"), ("noreason", 100, ""), ("bcast", 200, "OK"),
])  # fmt: skip
def test_a_reason_may_be_anything_or_nothing(name: str, status: int, reason: str) -> None:
    message = parse_message(read(name))
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (status, reason)


def test_a_parameter_belongs_to_the_header_unless_brackets_hold_it() -> None:
    bare = NameAddr.parse(parse_request("cparam01").headers.get("Contact") or "")
    bracketed = NameAddr.parse(parse_request("cparam02").headers.get("Contact") or "")
    escaped = NameAddr.parse(parse_request("regescrt").headers.get("Contact") or "")
    assert (Uri.parse(bare.uri).params, bare.params) == ({}, {"unknownparam": None})
    assert (Uri.parse(bracketed.uri).params, bracketed.params) == ({"unknownparam": None}, {})
    assert Uri.parse(escaped.uri).headers == "Route=%3Csip:sip.example.com%3E"


def test_schemes_that_nobody_dials_are_read_as_addresses() -> None:
    request = parse_request("unksm2")
    assert (request.to.uri, request.from_.uri) == ("isbn:2983792873", "http://www.example.com")


@pytest.mark.parametrize(("name", "received"), [
    ("via-received-param-with-delim", "[2001:db8::9:255]"), ("via-received-param-no-delim", "2001:db8::9:255"),
])  # fmt: skip
def test_an_ipv6_received_parameter_is_read_with_and_without_brackets(name: str, received: str) -> None:
    via = parse_request(name).via
    assert (via.host, via.port, via.params["received"]) == ("2001:db8::9:1", None, received)


def test_a_port_behind_an_ipv6_address_needs_brackets() -> None:
    ambiguous, plain = (Uri.parse(parse_request(f"port-{kind}").uri) for kind in ("ambiguous", "unambiguous"))
    assert (ambiguous.host, ambiguous.port) == ("2001:db8::10:5070", None)
    assert (plain.host, plain.port) == ("2001:db8::10", 5070)


def test_a_path_may_mix_both_families() -> None:
    vias = [Via.parse(value) for value in parse_request("mult-ip-in-header").headers.get_all("Via")]
    assert [(via.host, via.port) for via in vias] == [
        ("2001:db8::9:1", 6050), ("192.0.2.1", None), ("2001:db8::9:255", None)
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "hosts"), [
    ("ipv6-in-sdp", ["2001:db8::20", "2001:db8::20"]),
    ("mult-ip-in-sdp", ["192.0.2.1", "2001:db8::1"]),
    ("ipv4-mapped-ipv6", ["::ffff:192.0.2.2", "::ffff:192.0.2.2"]),
])  # fmt: skip
def test_each_stream_has_the_address_of_its_own_family(name: str, hosts: list[str]) -> None:
    session = sdp.SessionDescription.parse(parse_request(name).body)
    assert [media.host or session.host for media in session.media] == hosts
