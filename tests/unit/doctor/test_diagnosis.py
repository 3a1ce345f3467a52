"""What the doctor concludes from what it has seen: a row for each fault, its look-alikes and its remedy."""

from dataclasses import replace
from typing import Any

import pytest

from ringdown.doctor.diagnosis import diagnose
from ringdown.doctor.observation import Attempt, Contact, Login, Observations, Outcome, Variation
from ringdown.sip.destination import Destination, Transport
from tests.unit.doctor.seen import AUDIO, HEALTHY, HOP, OK, RINGING, SILENCE, TRUNK

_FORBIDDEN = Outcome(403, "Forbidden")
_UNAUTHORIZED = Outcome(401, "Unauthorized")


def _codes(seen: Observations) -> list[str]:
    return [finding.code for finding in diagnose(seen)]


def _contact(fault: str, transport: Transport = "udp") -> Contact:
    return Contact(replace(HOP, transport=transport), Outcome(None, fault=fault))


def _unreached(contact: Contact, **changes: Any) -> Observations:
    return Observations(trunk=TRUNK, own_host="0.0.0.0", contacts=(contact,), **changes)


def _logged_in(outcome: Outcome, user: Outcome | None, password: Outcome | None, **changes: Any) -> Observations:
    login = Login(
        method="REGISTER",
        outcome=outcome,
        is_challenged=changes.pop("is_challenged", True),
        with_unknown_user=user,
        with_wrong_password=password,
    )
    return replace(HEALTHY, login=login, call=changes.pop("call", None), second_call=None, audio=None, **changes)


def _refused(outcome: Outcome, **changes: Any) -> Observations:
    return replace(HEALTHY, call=Attempt(outcome=outcome), second_call=None, audio=None, **changes)


def _varied(aspect: Any, setting: str, value: str, outcome: Outcome, encoding: str | None = None) -> Attempt:
    variation = Variation(aspect=aspect, setting=setting, value=value, trunk=TRUNK, number="+1202", caller=None)
    return Attempt(outcome=outcome, variation=variation, encoding=encoding)


def test_a_healthy_trunk_has_no_finding() -> None:
    assert diagnose(HEALTHY) == []


@pytest.mark.parametrize(
    ("transport", "fault", "code"),
    [
        ("udp", "connection refused", "port_closed"),
        ("udp", "timed out", "no_answer"),
        ("tcp", "host unreachable", "no_answer"),
        ("tls", "certificate: self-signed certificate", "tls_certificate"),
        ("tls", "certificate: the peer refuses ours (unknown ca)", "tls_certificate"),
        ("tls", "connection closed", "tls_certificate"),
        ("tcp", "connection closed", "no_answer"),
        ("tls", "not TLS", "tls_absent"),
        ("tcp", "the peer speaks TLS here", "tls_required"),
    ],
)
def test_a_peer_that_says_nothing_is_explained_by_the_fault_of_the_connection(
    transport: Transport, fault: str, code: str
) -> None:
    assert _codes(_unreached(_contact(fault, transport))) == [code]


def test_an_unknown_host_hides_all_that_follows() -> None:
    seen = Observations(trunk=TRUNK, own_host="0.0.0.0", location_fault="The host 'x' cannot be found: no such name.")
    assert _codes(seen) == ["host_unknown"]


@pytest.mark.parametrize(
    ("transport", "other", "code", "remedy"),
    [
        ("tls", Destination("tcp", HOP.host, HOP.port), "tls_absent", "`tcp`"),
        ("tcp", Destination("tls", HOP.host, HOP.port), "tls_required", "`tls`"),
        ("udp", Destination("tcp", HOP.host, HOP.port), "no_answer", "203.0.113.1:5060 over TCP"),
        ("tls", Destination("udp", HOP.host, 5070), "no_answer", "203.0.113.1:5070 over UDP"),
    ],
)
def test_a_silent_peer_that_answers_on_another_transport_is_named_with_it(
    transport: Transport, other: Destination, code: str, remedy: str
) -> None:
    (finding,) = diagnose(_unreached(_contact("timed out", transport), other_ways=(other,)))
    assert finding.code == code
    assert remedy in finding.remedy


def test_from_loopback_no_peer_elsewhere_can_be_reached() -> None:
    seen = replace(_unreached(_contact("Invalid argument")), own_host="127.0.0.1")
    assert _codes(seen) == ["local_address"]


def test_a_peer_that_answers_all_but_options_is_not_silent() -> None:
    assert diagnose(replace(HEALTHY, contacts=(_contact("timed out"),))) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"call": Attempt(outcome=SILENCE)}, "test call"),
        ({"login": Login(method="REGISTER", outcome=SILENCE, is_challenged=False)}, "REGISTER"),
    ],
)
def test_a_peer_that_is_there_and_leaves_a_request_unanswered_is_found(changes: dict[str, Any], name: str) -> None:
    (finding,) = diagnose(replace(HEALTHY, second_call=None, audio=None, **changes))
    assert finding.code == "no_answer"
    assert name in finding.sentence


def test_a_dead_host_beside_a_live_one_is_found() -> None:
    contacts = (*HEALTHY.contacts, _contact("connection refused"))
    assert _codes(replace(HEALTHY, contacts=contacts)) == ["port_closed"]


@pytest.mark.parametrize(
    ("outcome", "user", "password", "code"),
    [
        (_UNAUTHORIZED, Outcome(404), _UNAUTHORIZED, "password_wrong"),
        (_FORBIDDEN, Outcome(404), _FORBIDDEN, "password_wrong"),
        (Outcome(404), Outcome(404), Outcome(404), "user_wrong"),
        (_FORBIDDEN, _FORBIDDEN, _UNAUTHORIZED, "user_wrong"),
        (_UNAUTHORIZED, _UNAUTHORIZED, _UNAUTHORIZED, "credentials_wrong"),
        (_FORBIDDEN, _FORBIDDEN, _FORBIDDEN, "credentials_wrong"),
        (_FORBIDDEN, Outcome(404), _UNAUTHORIZED, "registration_refused"),
        (Outcome(405), _UNAUTHORIZED, _UNAUTHORIZED, "registration_refused"),
    ],
)
def test_credentials_are_judged_by_how_wrong_ones_are_answered(
    outcome: Outcome, user: Outcome, password: Outcome, code: str
) -> None:
    assert _codes(_logged_in(outcome, user, password)) == [code]


def test_a_call_with_the_same_credentials_proves_them() -> None:
    seen = _logged_in(_FORBIDDEN, _FORBIDDEN, _FORBIDDEN, call=Attempt(outcome=OK))
    assert _codes(seen) == ["registration_refused"]


def test_a_refusal_before_any_challenge_says_nothing_of_the_password() -> None:
    assert _codes(_logged_in(_FORBIDDEN, None, None, is_challenged=False)) == ["registration_refused"]
    assert _codes(_logged_in(Outcome(404), None, None, is_challenged=False)) == ["user_wrong"]


def test_a_challenge_without_credentials_to_answer_it_is_found() -> None:
    seen = _logged_in(_UNAUTHORIZED, None, None)
    assert _codes(replace(seen, trunk=replace(TRUNK, username=None, password=None))) == ["credentials_missing"]


@pytest.mark.parametrize(
    ("taken", "code", "remedy"),
    [
        (_varied("number", "number_format", "national", RINGING), "number_form_refused", "`national`"),
        (_varied("caller", "caller_id_form", "remote_party_id", RINGING), "caller_id_refused", "`remote_party_id`"),
        (_varied("caller", "caller", "+12025550111", RINGING), "caller_id_refused", "+12025550111"),
        (_varied("srtp", "srtp", "required", RINGING), "srtp_mismatch", "`required`"),
        (_varied("codecs", "codecs", "G722, OPUS", OK, "G722"), "no_common_codec", "G722"),
    ],
)
def test_the_variation_that_is_taken_names_the_fault(taken: Attempt, code: str, remedy: str) -> None:
    first = _varied("caller", "caller", "alice", _FORBIDDEN)
    (finding,) = diagnose(_refused(_FORBIDDEN, variations=(first, taken), repeated=_FORBIDDEN))
    assert finding.code == code
    assert remedy in finding.remedy


def test_a_variation_proves_nothing_when_the_call_is_taken_unchanged_as_well() -> None:
    taken = _varied("number", "number_format", "national", RINGING)
    assert _codes(_refused(_FORBIDDEN, variations=(taken,), repeated=RINGING)) == ["concurrency_limit"]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome(503, "Service Unavailable"), "concurrency_limit"),
        (Outcome(403, "Channel limit exceeded"), "concurrency_limit"),
        (Outcome(500, "Try later", retry_after=5), "concurrency_limit"),
        (Outcome(480, "Try later", retry_after=5), "call_refused"),  # the called party is away, not the trunk full
        (Outcome(486, "Busy Here"), "call_refused"),
        (Outcome(407, "Proxy Authentication Required"), "call_refused"),  # the same credentials could register
        (Outcome(403, "Caller ID not verified"), "caller_id_refused"),
        (Outcome(484, "Address Incomplete"), "number_form_refused"),
        (Outcome(402, "Payment Required"), "call_refused"),
        (Outcome(488, "Not Acceptable Here"), "no_common_codec"),
    ],
)
def test_where_no_variation_helps_the_peers_words_count(outcome: Outcome, code: str) -> None:
    assert _codes(_refused(outcome, repeated=outcome)) == [code]


def test_a_call_to_our_own_number_that_nobody_takes_asks_for_the_gateway() -> None:
    (finding,) = diagnose(_refused(Outcome(480, "Temporarily Unavailable"), is_loop=True))
    assert finding.code == "call_refused"
    assert "gateway" in finding.remedy


def test_a_call_refused_for_its_credentials_is_not_explained_twice() -> None:
    login = Login(
        method="INVITE",
        outcome=Outcome(407),
        is_challenged=True,
        with_unknown_user=Outcome(404),
        with_wrong_password=Outcome(407),
    )
    assert _codes(_refused(Outcome(407), login=login)) == ["password_wrong"]


def test_a_call_is_still_explained_when_only_the_registration_is_refused() -> None:
    seen = _logged_in(_FORBIDDEN, Outcome(404), _UNAUTHORIZED, call=Attempt(outcome=Outcome(503)))
    assert _codes(seen) == ["registration_refused", "concurrency_limit"]


def test_a_call_refused_whoever_asks_is_not_a_matter_of_credentials() -> None:
    login = Login(
        method="INVITE",
        outcome=_FORBIDDEN,
        is_challenged=True,
        with_unknown_user=_FORBIDDEN,
        with_wrong_password=_FORBIDDEN,
    )
    assert _codes(_refused(_FORBIDDEN, login=login)) == ["call_refused"]


@pytest.mark.parametrize(
    ("outcome", "codes"),
    [
        (_FORBIDDEN, ["concurrency_limit"]),
        (Outcome(486, "Busy Here"), []),  # the called party has one line
        (Outcome(486, "Maximum calls in progress"), ["concurrency_limit"]),
        (SILENCE, []),
    ],
)
def test_a_second_call_shows_a_limit_unless_the_called_party_is_busy(outcome: Outcome, codes: list[str]) -> None:
    assert _codes(replace(HEALTHY, second_call=outcome)) == codes


@pytest.mark.parametrize(
    ("answer_fault", "code"),
    [
        ("no common codec", "no_common_codec"),
        ("the peer offers no SRTP, which is required here", "srtp_mismatch"),
        ("no address for the audio stream", "no_common_codec"),
    ],
)
def test_an_answer_that_cannot_be_used_is_explained(answer_fault: str, code: str) -> None:
    assert _codes(replace(HEALTHY, answer_fault=answer_fault, audio=None)) == [code]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"packets_received": 0}, ["rtp_blocked_inbound"]),
        ({"packets_received": 0, "host": "10.1.2.3"}, ["private_address"]),
        ({"packets_received": 0, "host": "10.1.2.3", "signalling_host": "10.1.2.4"}, ["rtp_blocked_inbound"]),
        ({"packets_received": 0, "is_sent_to_us": False}, []),  # the peer has put us on hold
        ({"host": "10.1.2.3"}, []),  # it is heard, so both are in the same network
        ({"packets_received": 0, "foreign_sources": ("198.51.100.7:9",)}, ["rtp_other_source"]),
        ({"packets_received": 0, "packets_unauthenticated": 9}, ["srtp_mismatch"]),
        ({"packets_received": 0, "own_host": "192.168.1.5", "observed_host": "198.51.100.7"}, ["private_address"]),
        ({"own_host": "192.168.1.5", "observed_host": "198.51.100.7"}, []),  # the peer answers where it hears us
        ({"is_reported": False}, ["rtp_blocked_outbound"]),
        ({"is_reported": False, "reports_received": 0}, []),  # a peer without RTCP shows nothing
        ({"is_reported": False, "reports_received": 1}, []),  # it may be older than our first packet
        ({"has_dtmf": False}, ["dtmf_refused"]),
        ({"clock_drift_ppm": 900.0}, ["clock_drift"]),
        ({"clock_drift_ppm": -900.0}, ["clock_drift"]),
        ({"clock_drift_ppm": -150.0}, []),
        ({"clock_drift_ppm": None}, []),
        ({"has_dtmf": False, "is_reported": False}, ["rtp_blocked_outbound", "dtmf_refused"]),
    ],
)
def test_the_audio_is_judged_by_what_was_heard_and_reported(changes: dict[str, Any], codes: list[str]) -> None:
    assert _codes(replace(HEALTHY, audio=replace(AUDIO, **changes))) == codes


def test_digits_as_tones_need_no_events() -> None:
    trunk = replace(TRUNK, dtmf="inband")
    assert diagnose(replace(HEALTHY, trunk=trunk, audio=replace(AUDIO, has_dtmf=False))) == []


def test_a_private_address_from_behind_nat_is_mended_by_a_setting_where_that_is_off() -> None:
    audio = replace(AUDIO, packets_received=0, host="10.1.2.3", foreign_sources=("203.0.113.1:4000",))
    remedies = [
        diagnose(replace(HEALTHY, trunk=replace(TRUNK, nat=nat), audio=audio))[0].remedy for nat in ("off", "auto")
    ]
    assert "set `nat` to `auto`" in remedies[0]
    assert "set `nat`" not in remedies[1]


def test_an_address_that_comes_back_changed_shows_a_sip_alg() -> None:
    (finding,) = diagnose(replace(HEALTHY, rewritten=("192.168.1.5", "198.51.100.7")))
    assert finding.code == "sip_alg"
    assert "192.168.1.5" in finding.sentence


def test_every_finding_is_one_sentence_and_one_remedy() -> None:
    seen = replace(HEALTHY, rewritten=("a", "b"), second_call=_FORBIDDEN, audio=replace(AUDIO, has_dtmf=False))
    for finding in diagnose(seen):
        assert finding.sentence.endswith(".")
        assert finding.remedy.endswith(".")
        assert "\n" not in finding.sentence + finding.remedy
