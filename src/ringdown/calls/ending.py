"""What the end of a call makes of it: status, times, latency, outcome, analysis; pure rules."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ringdown.calls import models
from ringdown.calls.models import Call, FinishedCall, TranscriptTurn, Transfer


def end_call(
    call: Call, finish: FinishedCall, *, turns: Sequence[TranscriptTurn], cost_credits: int, now_ms: int
) -> dict[str, Any]:
    """The columns of the call that its end sets.

    An answered call is `completed` and its time is the media clock's; any other is `failed` and ends now.
    """
    started_at = find_start(call, finish)
    duration_seconds = compute_duration_seconds(call, finish)
    latencies = [turn.latency.total_ms for turn in turns if turn.latency is not None]
    is_answered = started_at is not None
    return {
        "status": "completed" if is_answered else "failed",
        "ended_reason": finish.ended_reason,
        "outcome": finish.outcome or models.find_outcome(finish.ended_reason, is_answered=is_answered),
        "started_at": started_at,
        "ended_at": now_ms if started_at is None else started_at + duration_seconds * 1000,
        "duration_seconds": duration_seconds,
        "cost_credits": cost_credits,
        "summary": finish.summary,
        "has_recording": finish.has_recording,
        "media_quality": finish.media_quality,
        "transfer": close_transfer(call, finish),
        "latency_p50_ms": models.compute_percentile(latencies, 50),
        "latency_p95_ms": models.compute_percentile(latencies, 95),
        "analysis": {"structured_data": dict(finish.slots)} if finish.slots else None,
        "updated_at": now_ms,
    }


def close_transfer(call: Call, finish: FinishedCall) -> Transfer | None:
    """The call's last transfer, which has come to its own end with the call at the latest."""
    transfer = finish.transfer or call.transfer
    if transfer is None or not transfer.is_open:
        return transfer
    if finish.ended_reason == "transferred":
        return replace(transfer, status="connected")
    reason = "the call was hung up" if finish.ended_reason == "agent_hangup" else "the call ended"
    if finish.ended_reason == "user_hangup":
        reason = "the caller hung up" if call.direction == "inbound" else "the far party hung up"
    return replace(transfer, status="failed", reason=reason)


def find_start(call: Call, finish: FinishedCall) -> int | None:
    """When the call was answered; None when it never was."""
    return call.started_at if call.started_at is not None else finish.started_at


def compute_duration_seconds(call: Call, finish: FinishedCall) -> int:
    """The whole seconds of conversation on the media clock; 0 for a call that never connected."""
    return 0 if find_start(call, finish) is None else finish.media_ms // 1000
