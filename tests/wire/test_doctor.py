"""The doctor against a fake carrier: a healthy trunk has no finding, and each of the usual faults is named right."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ringdown.config import Settings
from ringdown.doctor.examination import Examined, examine
from ringdown.telephony.models import Trunk, TrunkHost
from tests.fakes.carrier import Behaviour, Carrier
from tests.fakes.carrier_media import MediaBehaviour
from tests.wire.certificates import Authority

_NUMBER = "+12025550142"
_CALLER = "+12025550100"
_LIMIT_S = 30.0
_AT_ONCE = 8
_PRIVATE = "10.255.255.1"
_OTHER_HOST = "127.0.0.2"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A carrier with a fault, what differs in the trunk, and the code and words that name the fault."""

    code: str | None
    words: str = ""
    carrier: Behaviour = field(default_factory=Behaviour)
    trunk: dict[str, object] = field(default_factory=dict)
    is_certificate_expired: bool = False
    is_certificate_demanded: bool = False
    hosts: Callable[[int], tuple[TrunkHost, ...]] = lambda port: (TrunkHost("127.0.0.1", port),)


def _media(**behaviour: object) -> Behaviour:
    return Behaviour(media=replace(MediaBehaviour(), **behaviour))  # type: ignore[arg-type]


def _unused(_port: int) -> tuple[TrunkHost, ...]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return (TrunkHost("127.0.0.1", probe.getsockname()[1]),)


CASES = {
    "a healthy trunk over UDP": Case(code=None),
    "a healthy trunk over TCP": Case(code=None, carrier=Behaviour(transport="tcp")),
    "a healthy trunk over TLS with SRTP": Case(
        code=None,
        carrier=replace(_media(is_srtp_required=True), transport="tls"),
        trunk={"srtp": "required"},
    ),
    "host unknown": Case(
        code="host_unknown", words="no-such-host.invalid", hosts=lambda _: (TrunkHost("no-such-host.invalid", 5060),)
    ),
    "port closed": Case(code="port_closed", words="Nobody listens", hosts=_unused),
    "port closed for TCP": Case(code="port_closed", words="set `transport` to `udp`", trunk={"transport": "tcp"}),
    "no answer": Case(code="no_answer", words="does not answer", carrier=Behaviour(is_silent=True)),
    "no answer to calls": Case(
        code="no_answer", words="the test call", carrier=Behaviour(ignores=frozenset({"INVITE"}))
    ),
    "no answer to OPTIONS only, which is no fault": Case(code=None, carrier=Behaviour(ignores=frozenset({"OPTIONS"}))),
    "TLS certificate of ours demanded": Case(
        code="tls_certificate",
        words="`tls_certificate` and `tls_private_key`",
        carrier=Behaviour(transport="tls"),
        is_certificate_demanded=True,
    ),
    "TLS certificate wrong": Case(
        code="tls_certificate",
        words="`tls_server_name`",
        carrier=Behaviour(transport="tls"),
        trunk={"tls_server_name": "sip.other.example"},
    ),
    "TLS certificate expired": Case(
        code="tls_certificate", words="expired", carrier=Behaviour(transport="tls"), is_certificate_expired=True
    ),
    "TLS certificate not trusted": Case(
        code="tls_certificate", words="`tls_ca`", carrier=Behaviour(transport="tls"), trunk={"tls_ca": None}
    ),
    "TLS expected and absent": Case(
        code="tls_absent",
        words="set `transport` to `tcp`",
        carrier=Behaviour(transport="tcp"),
        trunk={"transport": "tls"},
    ),
    "TLS not expected and required": Case(
        code="tls_required", words="to `tls`", carrier=Behaviour(transport="tls"), trunk={"transport": "tcp"}
    ),
    "user wrong": Case(code="user_wrong", words="'bob'", trunk={"username": "bob"}),
    "password wrong": Case(code="password_wrong", words="`password`", trunk={"password": "wrong"}),
    "password wrong, said as Forbidden": Case(
        code="password_wrong", words="403", carrier=Behaviour(wrong_password_status=403), trunk={"password": "wrong"}
    ),
    "password wrong of a carrier that hides its users": Case(
        code="credentials_wrong",
        words="`username` and `password`",
        carrier=Behaviour(unknown_user_status=401),
        trunk={"password": "wrong"},
    ),
    "password wrong without registration": Case(
        code="password_wrong", words="INVITE", trunk={"password": "wrong", "registers": False}
    ),
    "registration refused": Case(
        code="registration_refused", words="`registers`", carrier=Behaviour(registration_status=403)
    ),
    "registration refused by a carrier that says Forbidden to all": Case(
        code="registration_refused",
        words="`registers`",
        carrier=Behaviour(registration_status=403, unknown_user_status=403, wrong_password_status=403),
    ),
    "caller id refused": Case(
        code="caller_id_refused",
        words="`p_asserted_identity`",
        carrier=Behaviour(caller_id_form="p_asserted_identity", caller_ids=r"\+1202\d+"),
    ),
    "caller id refused, number not verified": Case(
        code="caller_id_refused", words="+12025550111", carrier=Behaviour(caller_ids=r"\+12025550111")
    ),
    "number form refused": Case(
        code="number_form_refused", words="`e164_without_plus`", carrier=Behaviour(numbers=r"1\d{10}")
    ),
    "number form refused, national wanted": Case(
        code="number_form_refused", words="`national`", carrier=Behaviour(numbers=r"202\d{7}", caller_ids=r"202\d{7}")
    ),
    "no common codec": Case(code="no_common_codec", words="`codecs`", carrier=_media(encodings=("G729",))),
    "no common codec, another one of ours would do": Case(
        code="no_common_codec",
        words="Add PCMA to `codecs`",
        carrier=_media(encodings=("PCMA",)),
        trunk={"codecs": ("PCMU",)},
    ),
    "SRTP required by the peer only": Case(
        code="srtp_mismatch", words="`required`", carrier=_media(is_srtp_required=True)
    ),
    "SRTP required by us only": Case(code="srtp_mismatch", words="`off`", trunk={"srtp": "required"}),
    "private address in SDP": Case(code="private_address", words=_PRIVATE, carrier=_media(sdp_host=_PRIVATE)),
    "private address in our SDP": Case(
        code="private_address",
        words="`RINGDOWN_PUBLIC_HOST` to `203.0.113.9`",
        carrier=replace(_media(is_rtp_sent=False), observed_host="203.0.113.9"),
    ),
    "RTP port blocked inbound": Case(
        code="rtp_blocked_inbound", words="`RINGDOWN_RTP_PORT_MIN`", carrier=_media(is_rtp_sent=False)
    ),
    "RTP port blocked outbound": Case(
        code="rtp_blocked_outbound", words="does not arrive", carrier=_media(is_rtp_heard=False)
    ),
    "RTP from another source": Case(code="rtp_other_source", words=_OTHER_HOST, carrier=_media(rtp_host=_OTHER_HOST)),
    "DTMF payload refused": Case(code="dtmf_refused", words="`inband`", carrier=_media(has_dtmf=False)),
    "SIP ALG rewriting": Case(code="sip_alg", words="203.0.113.7", carrier=Behaviour(rewrites_to="203.0.113.7")),
    "concurrency limit reached by a second call": Case(
        code="concurrency_limit", words="`max_concurrent_calls`", carrier=Behaviour(max_calls=1)
    ),
    "concurrency limit reached by other calls": Case(
        code="concurrency_limit", words="503", carrier=Behaviour(max_calls=0, refusal_status=503)
    ),
    "clock of the far end drifting": Case(code="clock_drift", words="too slow", carrier=_media(clock_ppm=5000.0)),
    "clock of the far end drifting ahead": Case(
        code="clock_drift", words="too fast", carrier=_media(clock_ppm=-2000.0)
    ),
    "one host of two closed": Case(
        code="port_closed",
        words="Nobody listens",
        hosts=lambda port: (TrunkHost("127.0.0.1", port), *(replace(host, priority=1) for host in _unused(port))),
    ),
    "a limit of one call that the trunk keeps, which is no fault": Case(
        code=None, carrier=Behaviour(max_calls=1), trunk={"max_concurrent_calls": 1}
    ),
    "credentials missing": Case(
        code="credentials_missing", words="`username`", trunk={"username": None, "password": None, "registers": False}
    ),
}


class Tls:
    """An authority that the trunks trust, and what the carriers show."""

    def __init__(self, folder: Path) -> None:
        authority = Authority()
        self.ca = authority.certificate
        self._folder = folder
        self._right = authority.sign("127.0.0.1")
        self._expired = authority.sign("127.0.0.1", is_expired=True)

    def build_context(self, case: Case) -> ssl.SSLContext:
        """The carrier's side."""
        shown = self._expired if case.is_certificate_expired else self._right
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*shown.write(self._folder, "carrier"))
        if case.is_certificate_demanded:
            context.load_verify_locations(cadata=self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass(frozen=True)
class Verdict:
    """What the doctor said, and in how many seconds."""

    examined: Examined
    seconds: float
    carrier: Carrier


def make_trunk(hosts: tuple[TrunkHost, ...], changes: dict[str, Any]) -> Trunk:
    """A trunk that registers as the carrier's one user."""
    fields: dict[str, Any] = {"username": "alice", "password": "secret", "registers": True, "codecs": ("PCMU", "PCMA")}
    return Trunk(
        organization_id="org_1",
        id="trunk_1",
        name="carrier",
        hosts=hosts,
        created_at=0,
        updated_at=0,
        **{**fields, **changes},
    )


async def _examine_case(case: Case, settings: Settings, tls: Tls) -> Verdict:
    loop = asyncio.get_running_loop()
    async with Carrier(replace(case.carrier, tls=tls.build_context(case))).run() as carrier:
        hosts = case.hosts(carrier.port)
        trunk = make_trunk(hosts, {"transport": case.carrier.transport, "tls_ca": tls.ca, **case.trunk})
        started_at = loop.time()
        examined = await examine(trunk, settings=settings, number=_NUMBER, own_numbers=(_CALLER, "+12025550111"))
        return Verdict(examined, loop.time() - started_at, carrier)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """All cases, several at once: most of their time is listening."""
    folder = tmp_path_factory.mktemp("doctor")
    tls = Tls(folder)
    settings = Settings(data_dir=folder / "data", sip_host="127.0.0.1", public_host=None, stun_server=None)

    async def run_all() -> list[Verdict]:
        room = asyncio.Semaphore(_AT_ONCE)

        async def run_one(case: Case) -> Verdict:
            async with room:
                return await _examine_case(case, settings, tls)

        return await asyncio.gather(*(run_one(case) for case in CASES.values()))

    return dict(zip(CASES, asyncio.run(run_all()), strict=True))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", CASES)
def test_the_doctor_names_what_is_wrong_within_half_a_minute(name: str, verdicts: dict[str, Verdict]) -> None:
    case, verdict = CASES[name], verdicts[name]
    findings = verdict.examined.findings
    assert [finding.code for finding in findings] == ([] if case.code is None else [case.code]), verdict.examined
    assert all(case.words in f"{finding.sentence} {finding.remedy}" for finding in findings), findings
    assert verdict.seconds < _LIMIT_S
    assert verdict.carrier.live_calls == 0
    assert not any(verdict.carrier.bindings.values())


async def test_a_registration_of_the_gateway_is_left_alone(settings: Settings) -> None:
    async with Carrier(Behaviour()).run() as carrier:
        carrier.bindings["alice"] = ["sip:alice@127.0.0.1:5060"]
        examined = await examine(
            make_trunk((TrunkHost("127.0.0.1", carrier.port),), {"codecs": ("PCMU",)}), settings=settings, number=None
        )
        registers = [request for request in carrier.requests if request.method == "REGISTER"]
    assert examined.findings == ()
    assert carrier.bindings["alice"] == ["sip:alice@127.0.0.1:5060"]
    assert registers
    assert not any(request.headers.get("Contact") for request in registers)


@pytest.mark.parametrize(("host", "peer"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "::1")])
async def test_any_form_of_our_own_address_will_do(settings: Settings, host: str, peer: str) -> None:
    async with Carrier(Behaviour()).run() as carrier:
        port = carrier.port if peer == "127.0.0.1" else _unused(0)[0].port
        trunk = make_trunk((TrunkHost(peer, port),), {})
        examined = await examine(trunk, settings=settings.model_copy(update={"sip_host": host}), number=None)
    assert [finding.code for finding in examined.findings] == ([] if peer == "127.0.0.1" else ["port_closed"])
