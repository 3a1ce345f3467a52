"""What a live call leaves behind while it runs: dialog, turns, recording; and its one end."""

import asyncio
from collections.abc import Mapping

import structlog

from ringdown import values
from ringdown.calls import service
from ringdown.calls.models import (
    OUTCOMES,
    ClaimedCall,
    Ending,
    FinishedCall,
    Outcome,
    TranscriptTurn,
    TurnLatency,
)
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.gateway.patience import keep_trying
from ringdown.media.recording import Recorder
from ringdown.sip.call import Call
from ringdown.voice import events as voice

log = structlog.get_logger(__name__)

_SILENT_FRAME = bytes(320)


class CallRecord:
    """The record of one live call. Turns are stored as they end, so that a crash loses none that was over."""

    def __init__(self, claimed: ClaimedCall, *, database: Database, settings: Settings, spool: Spool) -> None:
        self._claimed = claimed
        self._database = database
        self._settings = settings
        self._spool = spool
        self._recorder: Recorder | None = None
        self._turns: list[TranscriptTurn] = []
        self._unsaved_turns: asyncio.Queue[TranscriptTurn] = asyncio.Queue()
        self.started_at: int | None = None

    async def store_dialog(self, dialog_state: Mapping[str, object]) -> None:
        """Keep what is needed to end the SIP dialog after a crash."""
        await keep_trying(
            lambda: service.record_dialog(
                self._database,
                organization_id=self._claimed.call.organization_id,
                attempt_id=self._claimed.attempt_id,
                dialog_state=dialog_state,
            )
        )

    def follow_dialog(self, call: Call) -> "asyncio.Task[None]":
        """Keep it again whenever the dialog grows: a new branch after a digest challenge, a tag; to be cancelled.

        Beside the call: a slow database holds up no audio.
        """
        changed = asyncio.Event()
        call.on_dialog_change = lambda _state: changed.set()
        return asyncio.create_task(self._store_changes(call, changed))

    async def _store_changes(self, call: Call, changed: asyncio.Event) -> None:
        while True:
            await changed.wait()
            changed.clear()
            await self.store_dialog(call.dialog_state)

    def begin(self) -> None:
        """The far party answered: media time 0 is now, and the recording begins."""
        self.started_at = values.now_ms()
        wanted = self._claimed.call.settings.recording_enabled
        if wanted is None:
            wanted = self._claimed.agent.recording_enabled is not False
        if wanted:
            try:
                self._recorder = Recorder.open(self._spool.path(self._claimed.call))
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
            self._recorder.write(far_pcm, near_pcm or _SILENT_FRAME)

    def hear(self, event: voice.Event) -> None:
        """Take what the conversation tells."""
        if isinstance(event, voice.TurnFinished):
            turn = _to_transcript(event.turn, position=len(self._turns))
            self._turns.append(turn)
            self._unsaved_turns.put_nowait(turn)

    async def save_turns(self) -> None:
        """Store turns as they end; never returns."""
        while True:
            await self._save(await self._unsaved_turns.get())

    async def _save(self, turn: TranscriptTurn) -> None:
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
            summary=summary or (report.summary if report else None),
            outcome=_find_outcome(report),
            slots=report.slots if report else {},
            has_recording=await self._keep_recording(),
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
        call = self._claimed.call
        await keep_trying(
            lambda: service.add_summary(
                self._database, organization_id=call.organization_id, call_id=call.id, summary=summary
            )
        )

    async def _keep_recording(self) -> bool:
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
        text=turn.text,
        start_ms=turn.start_ms,
        end_ms=turn.end_ms,
        interrupted=turn.interrupted,
        latency=latency,
    )
