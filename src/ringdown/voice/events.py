"""What a conversation tells its owner: turns as they were heard, how it ended, what it achieved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ConversationState = Literal["listening", "thinking", "speaking"]
EndReason = Literal["agent_hangup", "dismissed", "inactivity", "max_duration", "provider_error", "stopped", "voicemail"]


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """Last voiced packet in to first voiced packet out, in milliseconds; the stages sum to `total_ms`.

    `endpoint_ms` is all waiting for the end of the turn, before and after the answer was ready, beginning with what the
    jitter buffer held the packet back. `playout_ms` is all between the release and the packet: the way to the next
    tick, silence that the voice begins with, and filling a packet that is longer than a frame.
    """

    total_ms: int
    endpoint_ms: int
    recognition_ms: int
    model_ms: int
    speech_ms: int
    playout_ms: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One contribution by one side, as heard; times count from the first tick. `latency` is an answer's."""

    speaker: Literal["agent", "contact"]
    text: str
    start_ms: int
    end_ms: int
    interrupted: bool = False
    latency: TurnLatency | None = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is over. Turns arrive in the order of their start."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class Noted:
    """Something else that the call's owner may want to know, such as `tool.finished` or `provider.fallback`.

    `details` is JSON; `at_ms` counts from the first tick.
    """

    kind: str
    at_ms: int
    details: Mapping[str, object] = field(default_factory=dict)


Event = TurnFinished | Noted


@dataclass(frozen=True, slots=True)
class ConversationEnd:
    """Why the conversation is over; `detail` is one sentence for the operator, empty when there is nothing to add."""

    reason: EndReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ConversationReport:
    """What the conversation achieved, as far as the brain can tell."""

    slots: Mapping[str, str] = field(default_factory=dict)
    summary: str | None = None
    outcome: str | None = None
