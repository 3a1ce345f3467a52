"""Tiny Pipecat services of our own, as a vendor would write them: streamed words, word times, faults."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transcriptions.language import Language


@dataclass
class Behaviour:
    """What the services of one test do, and what they saw."""

    error: str | None = None
    hangs_at_setup: bool = False
    finalizes: bool = True
    has_word_times: bool = True
    pauses: bool = False
    built: list[Any] = field(default_factory=list)
    closed: int = 0
    texts: list[str] = field(default_factory=list)


class WordRecognizer(STTService):
    """Hears one word in each second of audio: the first sample of the second is its number."""

    Settings = STTSettings

    def __init__(self, *, behaviour: Behaviour, settings: STTSettings | None = None, **kwargs: Any) -> None:
        chosen = STTSettings(model="words", language=None)
        if settings is not None:
            chosen.apply_update(settings)
        super().__init__(settings=chosen, ttfs_p99_latency=0.4, **kwargs)
        self.behaviour = behaviour
        self.audio = bytearray()
        self.told = 0
        behaviour.built.append(self)

    async def setup(self, setup: FrameProcessorSetup) -> None:
        if self.behaviour.hangs_at_setup:
            await asyncio.sleep(3600)
        await super().setup(setup)

    async def cleanup(self) -> None:
        await super().cleanup()
        self.behaviour.closed += 1

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        if self.behaviour.error is not None:
            yield ErrorFrame(self.behaviour.error)
            return
        self.audio += audio
        words = self._words()
        if words:
            yield InterimTranscriptionFrame(" ".join(words), "", "now")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame) and self._words():
            words, self.told = self._words(), self.told + len(self._words())
            told = TranscriptionFrame(" ".join(words), "", "now", Language.DE_DE, finalized=self.behaviour.finalizes)
            await self.push_frame(told)

    def _words(self) -> list[str]:
        second = self.sample_rate * 2
        numbers = [struct.unpack_from("<h", self.audio, at)[0] for at in range(0, len(self.audio) - 1, second)]
        return [f"word{number}" for number in numbers[self.told :]]


class WordVoice(TTSService):
    """Speaks each word for 100 ms at 24 kHz: samples of its number."""

    Settings = TTSSettings

    def __init__(self, *, behaviour: Behaviour, settings: TTSSettings | None = None, **kwargs: Any) -> None:
        chosen = TTSSettings(model=None, voice="own", language=None)
        if settings is not None:
            chosen.apply_update(settings)
        super().__init__(
            settings=chosen,
            push_text_frames=not behaviour.has_word_times,
            push_stop_frames=True,
            push_start_frame=True,
            **kwargs,
        )
        self.behaviour = behaviour
        behaviour.built.append(self)

    async def cleanup(self) -> None:
        await super().cleanup()
        self.behaviour.closed += 1

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        self.behaviour.texts.append(text)
        if self.behaviour.error is not None:
            yield ErrorFrame(self.behaviour.error)
            return
        if self.behaviour.has_word_times:
            times = [(word, index * 0.1) for index, word in enumerate(text.split())]
            await self.add_word_timestamps(times, context_id)
        for index, _ in enumerate(text.split()):
            if self.behaviour.pauses and index:
                await asyncio.sleep(3600)
            pcm = struct.pack("<h", 1000) * 2400
            yield TTSAudioRawFrame(pcm, self.sample_rate, 1, context_id=context_id)
