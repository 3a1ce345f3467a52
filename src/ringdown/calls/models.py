"""What a call is: its states, endings, turns and figures; pure rules, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from ringdown.agents.models import OUTCOMES as OUTCOMES
from ringdown.agents.models import Agent
from ringdown.agents.models import Outcome as Outcome

CallStatus = Literal["queued", "ringing", "in_progress", "completed", "failed"]
Direction = Literal["inbound", "outbound", "webrtc"]
EndedReason = Literal[
    "user_hangup",
    "agent_hangup",
    "transferred",
    "voicemail",
    "inactivity",
    "max_duration",
    "no_answer",
    "busy",
    "declined",
    "invalid_destination",
    "unreachable",
    "cancelled",
    "dnc_blocked",
    "outside_window",
    "no_phone_number_configured",
    "insufficient_credits",
    "no_media",
    "provider_error",
    "carrier_error",
    "internal_error",
    "recovered_after_crash",
]
Fault = Literal["none", "callee", "customer", "carrier", "provider", "ours"]

CALL_STATUSES: tuple[CallStatus, ...] = get_args(CallStatus)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
LIVE_STATUSES: tuple[CallStatus, ...] = ("queued", "ringing", "in_progress")
ENDED_REASONS: tuple[EndedReason, ...] = get_args(EndedReason)

#: Whose doing each ending is; the retry of a contact depends on nothing else.
FAULTS: Mapping[EndedReason, Fault] = {
    "user_hangup": "none",
    "agent_hangup": "none",
    "transferred": "none",
    "voicemail": "callee",
    "inactivity": "callee",
    "max_duration": "none",
    "no_answer": "callee",
    "busy": "callee",
    "declined": "callee",
    "invalid_destination": "customer",
    "unreachable": "carrier",
    "cancelled": "customer",
    "dnc_blocked": "customer",
    "outside_window": "customer",
    "no_phone_number_configured": "customer",
    "insufficient_credits": "customer",
    "no_media": "carrier",
    "provider_error": "provider",
    "carrier_error": "carrier",
    "internal_error": "ours",
    "recovered_after_crash": "ours",
}

_OUTCOME_OF_ENDING: Mapping[EndedReason, Outcome] = {
    "voicemail": "voicemail",
    "no_answer": "no_answer",
    "busy": "busy",
    "transferred": "escalated",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended and whose fault that is."""

    ended_reason: EndedReason

    @property
    def fault(self) -> Fault:
        """Whose doing it was."""
        return FAULTS[self.ended_reason]


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What a caller of the API set for one call; None means the agent's setting."""

    recording_enabled: bool | None = None
    transcription_enabled: bool | None = None
    greeting: str | None = None
    max_duration_ms: int | None = None
    join_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCall:
    """A request to dial `phone_number`; without `from_number` the agent's first outbound number is shown."""

    agent_id: str
    phone_number: str
    from_number: str | None = None
    settings: CallSettings = CallSettings()
    variables: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """From the last voiced packet in to the first voiced packet out, in stages that sum to the total."""

    total_ms: int
    endpoint_ms: int = 0
    recognition_ms: int = 0
    model_ms: int = 0
    speech_ms: int = 0
    playout_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptTurn:
    """One contribution by one side as heard; times in milliseconds of media.

    `position` counts the call's turns from 0; writing the same position twice keeps the first.
    """

    position: int
    speaker: Literal["agent", "contact"]
    text: str
    start_ms: int
    end_ms: int
    interrupted: bool = False
    latency: TurnLatency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """Something that happened in a call besides its turns; `at_ms` of media, `details` are JSON.

    `position` counts the call's events from 0; writing the same position twice keeps the first.
    """

    position: int
    kind: str
    at_ms: int
    created_at: int
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaQuality:
    """How well the two sides could hear each other; None where it was not measured.

    Packets and loss are those of the far party as they reached us; `mos` is 1 (bad) to 4.5 (excellent), estimated from
    codec, loss, jitter and delay (ITU-T G.107).
    """

    codec: str
    is_encrypted: bool
    packets_received: int
    packets_lost: int
    loss_percent: float
    jitter_ms: float
    round_trip_ms: float | None = None
    remote_loss_percent: float | None = None
    mos: float | None = None


TransferMode = Literal["blind", "attended"]
TransferStatus = Literal["requested", "ringing", "talking", "connected", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Handing the far party over to somebody else: to whom, how, how far it is, and why it failed."""

    to: str
    mode: TransferMode
    status: TransferStatus = "requested"
    reason: str | None = None
    introduction: str | None = None
    timeout_ms: int = 30_000

    @property
    def is_open(self) -> bool:
        """Whether it is neither connected nor failed yet."""
        return self.status not in ("connected", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One conversation attempt, from ring to its ending. Instants are milliseconds UTC."""

    organization_id: str
    id: str
    seq: int
    status: CallStatus
    direction: Direction
    agent_id: str
    to_number: str | None
    from_number: str | None
    settings: CallSettings
    variables: Mapping[str, str]
    metadata: Mapping[str, object]
    created_at: int
    updated_at: int
    batch_call_id: str | None = None
    contact_id: str | None = None
    duration_seconds: int | None = None
    has_recording: bool = False
    summary: str | None = None
    cost_credits: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    ended_reason: EndedReason | None = None
    outcome: Outcome | None = None
    sentiment: str | None = None
    latency_p50_ms: int | None = None
    latency_p95_ms: int | None = None
    analysis: Mapping[str, object] | None = None
    trunk_id: str | None = None
    media_quality: MediaQuality | None = None
    transfer: Transfer | None = None
    forgotten_at: int | None = None
    """When its words were deleted; none are written after that."""

    @property
    def phone_number(self) -> str | None:
        """The far party's number."""
        return self.from_number if self.direction == "inbound" else self.to_number

    @property
    def is_live(self) -> bool:
        """Whether the call has not ended yet."""
        return self.status in LIVE_STATUSES

    @property
    def is_transcribed(self) -> bool:
        """Whether its turns are kept."""
        return self.settings.transcription_enabled is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedCall:
    """How a call came to its end.

    `media_ms` is the media clock at the end. `started_at` tells when it was answered, for the case that
    `mark_answered` was not stored; None trusts the stored row. `turns` and `events` may repeat what is stored already.
    `transfer` is how far it had come, where that was not stored; None trusts the stored row. Without `is_far_end_told`
    the gateway of the call still has to say so to the far end.
    """

    ended_reason: EndedReason
    media_ms: int = 0
    started_at: int | None = None
    turns: tuple[TranscriptTurn, ...] = ()
    events: tuple[CallEvent, ...] = ()
    summary: str | None = None
    outcome: Outcome | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    has_recording: bool = False
    media_quality: MediaQuality | None = None
    transfer: Transfer | None = None
    is_far_end_told: bool = True


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A call that this gateway now owns; it waits for its turn on the lines of `paced_by` before its INVITE leaves."""

    call: Call
    agent: Agent
    attempt_id: str
    paced_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnfinishedCall:
    """What a dead gateway left; an attempt that was never answered is ambiguous and is never redialled."""

    call: Call
    attempt_id: str
    dialog_state: Mapping[str, object] | None
    media_ms: int
    started_at: int | None = None
    """When it was answered, where the gateway could not store that any more."""


CommandKind = Literal["hang_up", "hold", "resume", "send_digits", "transfer"]


@dataclass(frozen=True, slots=True)
class CallCommand:
    """Something the gateway that owns a call is asked to do."""

    organization_id: str
    call_id: str
    kind: CommandKind
    arguments: Mapping[str, object] = field(default_factory=dict)


def find_outcome(ended_reason: EndedReason, *, is_answered: bool) -> Outcome:
    """What the ending alone tells about what the call achieved."""
    return _OUTCOME_OF_ENDING.get(ended_reason, "contacted" if is_answered else "failed")


def compute_percentile(values: Sequence[int], percent: int) -> int | None:
    """The nearest-rank percentile of `values`; None of none."""
    if not values:
        return None
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(rank, 1) - 1]
