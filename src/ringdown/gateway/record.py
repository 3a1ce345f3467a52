"""What a live call leaves behind while it runs: dialog, turns, recording; and its one end."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence

import structlog

from ringdown import values
from ringdown.calls import service
from ringdown.calls.models import (
    OUTCOMES,
    CallEvent,
    ClaimedCall,
    Ending,
    FinishedCall,
    MediaQuality,
    Outcome,
    TranscriptTurn,
    Transfer,
    TurnLatency,
)
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.gateway.leg import Leg
from ringdown.gateway.patience import keep_trying
from ringdown.media.recording import Recorder
from ringdown.media.wheel import FRAME_MS
from ringdown.sip.call import Call
from ringdown.voice import events as voice

log = structlog.get_logger(__name__)

# Early media: as much of an announcement as is worth keeping, and less than which is only a click.
_MAX_EARLY_FRAMES = 30_000 // FRAME_MS
_MIN_EARLY_FRAMES = 1000 // FRAME_MS
# A model that uses tools in circles fills no database.
_MAX_EVENTS = 1000


class CallRecord:
    """The record of one live call. Turns are stored as they end, so that a crash loses none that was over."""

    def __init__(self, claimed: ClaimedCall, *, database: Database, settings: Settings, spool: Spool) -> None:
        self._claimed = claimed
        self._database = database
        self._settings = settings
        self._spool = spool
        self._recorder: Recorder | None = None
        self._turns: list[TranscriptTurn] = []
        self._events: list[CallEvent] = []
        self._unsaved: asyncio.Queue[TranscriptTurn | CallEvent | Transfer] = asyncio.Queue()
        self._unsaved_transfer: Transfer | None = None
        self._dialogs: list[Call] = []
        self._dialog_changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._early: list[bytes] = []
        self._quality: MediaQuality | None = None
        self.started_at: int | None = None

    @property
    def turns(self) -> Sequence[TranscriptTurn]:
        """The turns that are over, in order."""
        return self._turns

    async def keep_dialog(self, call: Call) -> None:
        """Store what is needed to end this SIP dialog after a crash; again, beside the call, whenever it changes.

        A call has several while another host is tried or the far party is being transferred.
        """
        self._dialogs.append(call)
        call.on_dialog_change = lambda _state: self._dialog_changed.set()
        await self._store_dialogs()
        if self._following is None:
            self._following = asyncio.create_task(self._store_changes())

    async def stop_following(self) -> None:
        """The dialogs are over, or are ended without being stored any more. Safe twice."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _store_dialogs(self) -> None:
        states = [call.dialog_state for call in self._dialogs]
        self._dialogs = [call for call, state in zip(self._dialogs, states, strict=True) if state["phase"] != "ended"]
        await keep_trying(
            lambda: service.record_dialog(
                self._database,
                organization_id=self._claimed.call.organization_id,
                attempt_id=self._claimed.attempt_id,
                dialog_state={"dialogs": [state for state in states if state["phase"] != "ended"]},
            )
        )

    async def _store_changes(self) -> None:
        """Beside the call: a slow database holds up no audio."""
        while True:
            await self._dialog_changed.wait()
            self._dialog_changed.clear()
            await self._store_dialogs()

    def note_transfer(self, transfer: Transfer) -> None:
        """Take how far a transfer is; it is stored beside the call."""
        self._unsaved_transfer = transfer
        self._unsaved.put_nowait(transfer)

    def hear_early(self, far_pcm: bytes, _at_ms: int) -> None:
        """Take 20 ms of what the far end plays before it answers: an announcement says why a call failed.

        Kept from the first sound: many open the audio path and play nothing.
        """
        if len(self._early) < _MAX_EARLY_FRAMES and (self._early or any(far_pcm)):
            self._early.append(far_pcm)

    def note_media(self, leg: Leg) -> None:
        """The media ends: keep how good it was."""
        figures, agreed = leg.media.statistics, leg.agreed
        assert agreed is not None
        expected = figures.packets_received + figures.packets_lost
        self._quality = MediaQuality(
            codec=agreed.encoding,
            is_encrypted=agreed.crypto is not None,
            packets_received=figures.packets_received,
            packets_lost=figures.packets_lost,
            loss_percent=round(100 * figures.packets_lost / expected, 2) if expected else 0.0,
            jitter_ms=round(figures.jitter_ms, 1),
            round_trip_ms=None if figures.round_trip_ms is None else round(figures.round_trip_ms, 1),
            remote_loss_percent=(
                None if figures.remote_fraction_lost is None else round(100 * figures.remote_fraction_lost, 2)
            ),
            mos=None if figures.mos is None else round(figures.mos, 2),
        )
        log.info(
            "media ended",
            call_id=self._claimed.call.id,
            **{name: value for name, value in dataclasses.asdict(self._quality).items() if value is not None},
            packets_late=figures.packets_late,
            packets_sent=figures.packets_sent,
            ticks_late=figures.ticks_late,
            ticks_unsent=figures.ticks_unsent,
        )

    def begin(self, sample_rate_hz: int = 8000) -> None:
        """The far party answered: media time 0 is now, and the recording begins, at the sample rate of the media."""
        self.started_at = values.now_ms()
        self._early.clear()
        self._open_recorder(sample_rate_hz)

    def _open_recorder(self, sample_rate_hz: int) -> None:
        wanted = self._claimed.call.settings.recording_enabled
        if wanted is None:
            wanted = self._claimed.agent.recording_enabled is not False
        if wanted:
            try:
                self._recorder = Recorder.open(self._spool.path(self._claimed.call), sample_rate_hz)
            except OSError as error:  # a call without a recording is better than none
                log.error("call cannot be recorded", call_id=self._claimed.call.id, error=str(error))

    async def store_answer(self) -> bool:
        """Store that the call is in progress; False when it has ended meanwhile."""
        call, started_at = self._claimed.call, self.started_at
        assert started_at is not None
        return await keep_trying(
            lambda: service.mark_answered(
                self._database, organization_id=call.organization_id, call_id=call.id, started_at=started_at
            )
        )

    def record(self, far_pcm: bytes, near_pcm: bytes | None, at_ms: int) -> None:
        """Take 20 ms of both sides."""
        if self._recorder is not None:
            self._recorder.pad_to(at_ms)
            self._recorder.write(far_pcm, near_pcm or bytes(len(far_pcm)))

    def hear(self, event: voice.Event) -> None:
        """Take what the conversation tells."""
        if isinstance(event, voice.TurnFinished):
            turn = _to_transcript(event.turn, position=len(self._turns))
            self._turns.append(turn)
            self._unsaved.put_nowait(turn)
        else:
            self.note(event.kind, at_ms=event.at_ms, details=event.details)

    def note(self, kind: str, *, at_ms: int, details: Mapping[str, object]) -> None:
        """Keep something that happened; `details` are JSON."""
        if len(self._events) >= _MAX_EVENTS:
            return
        event = CallEvent(
            position=len(self._events),
            kind=kind,
            at_ms=at_ms,
            created_at=values.now_ms(),
            details={name: values.clean_json(value) for name, value in details.items()},
        )
        self._events.append(event)
        self._unsaved.put_nowait(event)

    async def save_progress(self) -> None:
        """Store turns and events as they come, and how far a transfer is; never returns."""
        while True:
            match await self._unsaved.get():
                case Transfer() as transfer:
                    await self._save_transfer(transfer)
                case CallEvent() as event:
                    await self._save_event(event)
                case TranscriptTurn() as turn:
                    await self._save_turn(turn)

    async def _save_event(self, event: CallEvent) -> None:
        call = self._claimed.call
        await keep_trying(
            lambda: service.append_event(
                self._database, organization_id=call.organization_id, call_id=call.id, event=event
            )
        )

    async def _save_transfer(self, transfer: Transfer) -> None:
        call = self._claimed.call
        await keep_trying(
            lambda: service.set_transfer(
                self._database, organization_id=call.organization_id, call_id=call.id, transfer=transfer
            )
        )
        if self._unsaved_transfer is transfer:
            self._unsaved_transfer = None

    async def _save_turn(self, turn: TranscriptTurn) -> None:
        call = self._claimed.call
        await keep_trying(
            lambda: service.append_turn(
                self._database, organization_id=call.organization_id, call_id=call.id, turn=turn
            )
        )

    async def finish(
        self, ending: Ending, *, media_ms: int, summary: str | None, report: voice.ConversationReport | None
    ) -> None:
        """Store the end; safe to repeat."""
        call = self._claimed.call
        finish = FinishedCall(
            ended_reason=ending.ended_reason,
            media_ms=media_ms,
            started_at=self.started_at,
            turns=tuple(self._turns),
            events=tuple(self._events),
            summary=_clean(summary or (report.summary if report else None)),
            outcome=_find_outcome(report),
            slots={name: values.clean_text(value) for name, value in report.slots.items()} if report else {},
            has_recording=await self._keep_recording(),
            media_quality=self._quality,
            transfer=self._unsaved_transfer,
        )
        await keep_trying(
            lambda: service.finish_call(
                self._database,
                settings=self._settings,
                organization_id=call.organization_id,
                call_id=call.id,
                finish=finish,
            )
        )
        log.info(
            "call ended",
            call_id=call.id,
            ended_reason=ending.ended_reason,
            fault=ending.fault,
            media_ms=media_ms,
            turns=len(self._turns),
        )

    async def add_summary(self, summary: str) -> None:
        """Store a summary that was written after the end; safe to repeat."""
        call, clean = self._claimed.call, values.clean_text(summary)
        await keep_trying(
            lambda: service.add_summary(
                self._database, organization_id=call.organization_id, call_id=call.id, summary=clean
            )
        )

    def _record_early(self) -> None:
        """A call that nobody answered: what was heard instead is its recording."""
        if self.started_at is not None or len(self._early) < _MIN_EARLY_FRAMES:
            return
        self._open_recorder(len(self._early[0]) * 1000 // (2 * FRAME_MS))
        if self._recorder is not None:
            for far_pcm in self._early:
                self._recorder.write(far_pcm, bytes(len(far_pcm)))

    async def _keep_recording(self) -> bool:
        self._record_early()
        if self._recorder is None:
            return False
        try:
            await self._recorder.close()
        except TimeoutError:
            log.error("recording not written in time", call_id=self._claimed.call.id, path=str(self._recorder.path))
            return False
        if self._recorder.failure is not None:
            log.error("recording incomplete", call_id=self._claimed.call.id, error=self._recorder.failure)
        return await self._spool.keep(self._claimed.call)


def _clean(text: str | None) -> str | None:
    return None if text is None else values.clean_text(text)


def _find_outcome(report: voice.ConversationReport | None) -> Outcome | None:
    """The brain's outcome, if it is one of the contract's words."""
    return next((outcome for outcome in OUTCOMES if report is not None and report.outcome == outcome), None)


def _to_transcript(turn: voice.Turn, *, position: int) -> TranscriptTurn:
    latency = None
    if turn.latency is not None:
        latency = TurnLatency(**{name: getattr(turn.latency, name) for name in TurnLatency.__slots__})
    return TranscriptTurn(
        position=position,
        speaker=turn.speaker,
        text=values.clean_text(turn.text),
        start_ms=turn.start_ms,
        end_ms=turn.end_ms,
        interrupted=turn.interrupted,
        latency=latency,
    )
