"""Calls as the API shows them: the sixteen documented fields first and in order, then ours; pure."""

import dataclasses
from collections.abc import Mapping, Sequence

import msgspec

from ringdown import values
from ringdown.calls.link import LinkSigner
from ringdown.calls.models import Call, CallEvent, MediaQuality, TranscriptTurn, Transfer
from ringdown.calls.store.shown import ShownCall

#: So many rows are kept, about 3 KB each.
_MAX_KEPT = 4_000

_transfers = msgspec.json.Decoder(Transfer)
_encoder = msgspec.json.Encoder()


class CallLinks:
    """Where calls' documents are, as they are linked within one minute; and what lists show of calls with these links.

    The same few lists are asked for again and again: a row that is still as it was is not rendered anew.
    """

    def __init__(self, signer: LinkSigner, *, signed_at: int) -> None:
        self.signed_at = signed_at
        self._signer = signer
        self._kept: dict[str, tuple[ShownCall, msgspec.Raw]] = {}

    def sign_recording(self, organization_id: str, call_id: str) -> str:
        """The signed link to a recording, which is there."""
        return self._signer.sign(organization_id, call_id, now_seconds=self.signed_at)

    def find_recording(self, call: Call) -> str | None:
        """The signed link; None when nothing was recorded."""
        return self.sign_recording(call.organization_id, call.id) if call.has_recording else None

    def find_transcript(self, call: Call) -> str | None:
        """The link; None until the call was answered."""
        return self.find_transcript_of(call.id) if call.started_at is not None else None

    def find_transcript_of(self, call_id: str) -> str:
        """The link to the transcript of a call that was answered."""
        return f"{self._signer.base_url}/calls/{call_id}/transcript"

    def render_shown(self, call: ShownCall, organization_id: str) -> msgspec.Raw:
        """A row of the organization's list as JSON. Its id is one of all organizations'."""
        kept = self._kept.get(call.id)
        if kept is not None and kept[0] == call:
            return kept[1]
        rendered = msgspec.Raw(_encoder.encode(_render_shown(call, organization_id, self)))
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[call.id] = call, rendered
        return rendered


def render_call(call: Call, links: CallLinks) -> dict[str, object]:
    """The call without its transcript."""
    return {
        "id": call.id,
        "status": call.status,
        "direction": call.direction,
        "agent_id": call.agent_id,
        "to": call.to_number,
        "from": call.from_number,
        "duration_seconds": call.duration_seconds,
        "recording_url": links.find_recording(call),
        "transcript_url": links.find_transcript(call),
        "summary": call.summary,
        "cost_credits": call.cost_credits,
        "metadata": render_metadata(call),
        "started_at": values.to_wire_time(call.started_at),
        "ended_at": values.to_wire_time(call.ended_at),
        "created_at": values.to_wire_time(call.created_at),
        "updated_at": values.to_wire_time(call.updated_at),
        "ended_reason": call.ended_reason,
        "outcome": call.outcome,
        "sentiment": call.sentiment,
        "phone_number": call.phone_number,
        "from_number": call.from_number,
        "to_number": call.to_number,
        "variables": call.variables,
        "latency": {"p50_ms": call.latency_p50_ms, "p95_ms": call.latency_p95_ms},
        "analysis": call.analysis,
        "trunk_id": call.trunk_id,
        "media_quality": _render_quality(call.media_quality),
        "transfer": _render_transfer(call.transfer),
    }


def _render_shown(call: ShownCall, organization_id: str, links: CallLinks) -> dict[str, object]:
    """What `render_call` shows, from a row of a list: its JSON goes out as it was stored."""
    # Unpacked at once: a page has over a thousand fields.
    (
        _, call_id, status, direction, agent_id, to_number, from_number, duration, has_recording, summary, cost,
        metadata, started_at, ended_at, created_at, updated_at, ended_reason, outcome, sentiment, variables,
        latency_p50, latency_p95, analysis, trunk_id, quality, transfer, batch_call_id, contact_id,
    ) = call  # fmt: skip
    has_shown = batch_call_id is not None or contact_id is not None
    return {
        "id": call_id,
        "status": status,
        "direction": direction,
        "agent_id": agent_id,
        "to": to_number,
        "from": from_number,
        "duration_seconds": duration,
        "recording_url": links.sign_recording(organization_id, call_id) if has_recording else None,
        "transcript_url": links.find_transcript_of(call_id) if started_at is not None else None,
        "summary": summary,
        "cost_credits": cost,
        "metadata": _splice_metadata(metadata, batch_call_id, contact_id) if has_shown else msgspec.Raw(metadata),
        "started_at": values.to_wire_time(started_at),
        "ended_at": values.to_wire_time(ended_at),
        "created_at": values.to_wire_time(created_at),
        "updated_at": values.to_wire_time(updated_at),
        "ended_reason": ended_reason,
        "outcome": outcome,
        "sentiment": sentiment,
        "phone_number": from_number if direction == "inbound" else to_number,
        "from_number": from_number,
        "to_number": to_number,
        "variables": msgspec.Raw(variables),
        "latency": {"p50_ms": latency_p50, "p95_ms": latency_p95},
        "analysis": None if analysis is None else msgspec.Raw(analysis),
        "trunk_id": trunk_id,
        "media_quality": None if quality is None else msgspec.Raw(quality),
        "transfer": None if transfer is None else _render_transfer(_transfers.decode(transfer)),
    }


def render_with_transcript(call: Call, turns: Sequence[TranscriptTurn], links: CallLinks) -> dict[str, object]:
    """The call with its transcript, which is None until the call was answered."""
    transcript = None if call.started_at is None else render_turns(turns)
    return {**render_call(call, links), "transcript": transcript}


def render_turns(turns: Sequence[TranscriptTurn]) -> list[dict[str, object]]:
    """The turns with times in seconds from the answer."""
    return [
        {
            "speaker": turn.speaker,
            "text": turn.text,
            "timestamp": turn.start_ms / 1000,
            "end_timestamp": turn.end_ms / 1000,
            "interrupted": turn.interrupted,
            "latency": None if turn.latency is None else dataclasses.asdict(turn.latency),
        }
        for turn in turns
    ]


def render_event(event: CallEvent) -> dict[str, object]:
    """The event with its time in seconds from the answer."""
    return {
        "type": event.kind,
        "timestamp": event.at_ms / 1000,
        "created_at": values.to_wire_time(event.created_at),
        "data": event.details,
    }


def _render_quality(quality: MediaQuality | None) -> dict[str, object] | None:
    return None if quality is None else dataclasses.asdict(quality)


def _render_transfer(transfer: Transfer | None) -> dict[str, object] | None:
    if transfer is None:
        return None
    return {"to": transfer.to, "mode": transfer.mode, "status": transfer.status, "reason": transfer.reason}


def _splice_metadata(stored: str, batch_call_id: str | None, contact_id: str | None) -> object:
    """The stored metadata with the batch and the contact before it, which a client's keys do not replace."""
    if "campaign_id" in stored or "contact_id" in stored:  # perhaps as a key
        return _place_metadata(batch_call_id, contact_id, msgspec.json.decode(stored))
    batch = "" if batch_call_id is None else f'"campaign_id":"{batch_call_id}",'
    contact = "" if contact_id is None else f'"contact_id":"{contact_id}",'
    ours = f"{{{batch}{contact}"
    return msgspec.Raw(f"{ours[:-1]}}}" if stored == "{}" else ours + stored[1:])


def render_metadata(call: Call) -> Mapping[str, object]:
    """The metadata with the batch and the contact before it, which a client's keys do not replace."""
    return _place_metadata(call.batch_call_id, call.contact_id, call.metadata)


def _place_metadata(
    batch_call_id: str | None, contact_id: str | None, metadata: Mapping[str, object]
) -> Mapping[str, object]:
    placed_by = {"campaign_id": batch_call_id, "contact_id": contact_id}
    ours = {name: value for name, value in placed_by.items() if value is not None}
    return {**ours, **{name: value for name, value in metadata.items() if name not in ours}}
