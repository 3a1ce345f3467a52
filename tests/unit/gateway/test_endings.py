"""Every way a call can end has one row."""

from typing import get_args

import pytest

from ringdown.calls.models import ENDED_REASONS, Ending
from ringdown.gateway import endings
from ringdown.sip.events import EndCause
from ringdown.voice.events import EndReason

STATUSES = {
    **dict.fromkeys(range(300, 700), "carrier_error"),
    404: "invalid_destination",
    408: "no_answer",
    410: "invalid_destination",
    416: "invalid_destination",
    480: "no_answer",
    484: "invalid_destination",
    485: "invalid_destination",
    486: "busy",
    487: "cancelled",
    600: "busy",
    603: "declined",
    604: "invalid_destination",
    607: "declined",
    608: "declined",
}


@pytest.mark.parametrize(("status", "ended_reason"), STATUSES.items())
def test_every_final_status_of_a_peer_has_an_ended_reason(status: int, ended_reason: str) -> None:
    assert endings.from_sip_status(status, is_local=False).ended_reason == ended_reason


@pytest.mark.parametrize("status", [408, 503])
def test_silence_and_a_dead_transport_are_unreachable(status: int) -> None:
    assert endings.from_sip_status(status, is_local=True).ended_reason == "unreachable"


@pytest.mark.parametrize(
    ("cause", "ended_reason"),
    [
        ("bye", "user_hangup"),
        ("local", "agent_hangup"),
        ("cancelled", "cancelled"),
        ("timeout", "carrier_error"),
        ("transport", "carrier_error"),
        ("expired", "carrier_error"),
        ("expired", "carrier_error"),
    ],
)
def test_every_end_of_a_dialog_has_an_ended_reason(cause: EndCause, ended_reason: str) -> None:
    assert endings.from_dialog(cause).ended_reason == ended_reason


@pytest.mark.parametrize(
    ("reason", "ended_reason"),
    [
        ("agent_hangup", "agent_hangup"),
        ("dismissed", "insufficient_credits"),
        ("inactivity", "inactivity"),
        ("max_duration", "max_duration"),
        ("provider_error", "provider_error"),
        ("stopped", "agent_hangup"),
    ],
)
def test_every_end_of_a_conversation_has_an_ended_reason(reason: EndReason, ended_reason: str) -> None:
    assert endings.from_conversation(reason).ended_reason == ended_reason


def test_no_end_of_a_dialog_is_left_out() -> None:
    assert all(endings.from_dialog(cause) for cause in get_args(EndCause))


def test_every_ending_is_one_of_the_contracts_words() -> None:
    found = {ending.ended_reason for ending in vars(endings).values() if isinstance(ending, Ending)}
    assert found <= set(ENDED_REASONS)
    assert found
