"""LiveKit Agents as a process under test of the conversation benchmark: a session for each call, on stubs and our RTP.

The audio comes in as an `AudioInput` that yields frames of 20 ms at 8 kHz, and leaves by an `AudioOutput` that plays
them at that pace: where a room would be, there is our RTP. In its favour: no WebRTC and no room (which cost a multiple
of RTP), input at 8 kHz and in pieces as they come, all calls in one process instead of one process each, its own
detector in native code with one model for all calls, its plain silence rule instead of its turn detector, and no
recording or telemetry."""

import asyncio
import gc
import logging
import os
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectOptions, LanguageCode, utils
from livekit.agents import llm as lk_llm
from livekit.agents import stt as lk_stt
from livekit.agents import tts as lk_tts
from livekit.agents.inference import VAD
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import Agent, AgentSession
from livekit.agents.voice import io as lk_io

from benchmarks import conversation_stubs as stubs
from benchmarks import pair
from benchmarks.conversation_edge import FRAME_BYTES, FRAME_S, Pacer, RtpPort, report_cost

NAME = "LiveKit Agents"
_START_TIMEOUT_S = 25.0


class _Input(lk_io.AudioInput):
    def __init__(self, port: RtpPort) -> None:
        super().__init__(label="rtp")
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        port.on_frame = self._frames.put_nowait

    async def __anext__(self) -> rtc.AudioFrame:
        pcm = await self._frames.get()
        return rtc.AudioFrame(pcm, stubs.SAMPLE_RATE_HZ, 1, len(pcm) // 2)


class _Output(lk_io.AudioOutput):
    def __init__(self, port: RtpPort) -> None:
        super().__init__(
            label="rtp",
            capabilities=lk_io.AudioOutputCapabilities(pause=False),
            sample_rate=stubs.SAMPLE_RATE_HZ,
        )
        self._port = port
        self._frames: deque[bytes] = deque()
        self._rest = b""
        self._played_s = 0.0
        self._is_flushed = False
        self._changed = asyncio.Event()
        self._playing = asyncio.create_task(self._play())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        pcm = self._rest + bytes(frame.data)
        whole = len(pcm) // FRAME_BYTES * FRAME_BYTES
        self._frames.extend(pcm[start : start + FRAME_BYTES] for start in range(0, whole, FRAME_BYTES))
        self._rest = pcm[whole:]
        self._changed.set()

    def flush(self) -> None:
        super().flush()
        self._is_flushed = True
        self._changed.set()

    def clear_buffer(self) -> None:
        self._frames.clear()
        if self._played_s:
            self._end(is_interrupted=True)

    async def _play(self) -> None:
        pacer = Pacer()
        while True:
            while self._frames:
                await pacer.wait()
                if self._frames:
                    self._port.send(self._frames.popleft())
                    self._played_s += FRAME_S
            if self._is_flushed and self._played_s:
                self._end(is_interrupted=False)
            self._changed.clear()
            await self._changed.wait()

    def _end(self, *, is_interrupted: bool) -> None:
        played_s, self._played_s, self._rest, self._is_flushed = self._played_s, 0.0, b"", False
        self.on_playback_finished(playback_position=played_s, interrupted=is_interrupted)


class _Recognizer(lk_stt.STT[Any]):
    def __init__(self) -> None:
        super().__init__(capabilities=lk_stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(
        self, buffer: Any, *, language: Any = None, conn_options: Any = None
    ) -> lk_stt.SpeechEvent:
        del buffer, language, conn_options
        await asyncio.sleep(stubs.RECOGNITION_S)
        words = lk_stt.SpeechData(language=LanguageCode("en"), text=stubs.QUESTION)
        return lk_stt.SpeechEvent(type=lk_stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[words])


class _Model(lk_llm.LLM[Any]):
    def chat(self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = None, **_others: Any) -> lk_llm.LLMStream:
        options = conn_options or DEFAULT_API_CONNECT_OPTIONS
        return _Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=options)


class _Answer(lk_llm.LLMStream):
    async def _run(self) -> None:
        await asyncio.sleep(stubs.MODEL_S)
        for piece in stubs.ANSWER:
            delta = lk_llm.ChoiceDelta(role="assistant", content=piece)
            self._event_ch.send_nowait(lk_llm.ChatChunk(id="answer", delta=delta))


class _Voice(lk_tts.TTS[Any]):
    def __init__(self, tone: list[bytes]) -> None:
        capabilities = lk_tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=stubs.SAMPLE_RATE_HZ, num_channels=1)
        self.tone = tone

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> lk_tts.ChunkedStream:
        return _Spoken(tts=self, input_text=text, conn_options=conn_options)


class _Spoken(lk_tts.ChunkedStream):
    async def _run(self, output_emitter: lk_tts.AudioEmitter) -> None:
        assert isinstance(self._tts, _Voice)
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=stubs.SAMPLE_RATE_HZ,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=20,
        )
        await asyncio.sleep(stubs.VOICE_S)
        for piece in self._tts.tone:
            output_emitter.push(piece)
        output_emitter.flush()


def run_subject(connection: Connection, calls: int) -> None:
    """The process under test: gets the feeder's ports, sends its own, measures from begin to end."""
    logging.disable(logging.CRITICAL)
    asyncio.run(_run_subject(connection, calls))


async def _run_subject(connection: Connection, calls: int) -> None:
    far_ports = connection.recv()
    tone = stubs.make_tone()
    gc.collect()
    rss_before = pair.read_rss_bytes()
    ports = [RtpPort(port) for port in far_ports]
    async with asyncio.timeout(_START_TIMEOUT_S):
        sessions = [await _start_call(port, tone) for port in ports]
    assert len(sessions) == calls
    await report_cost(connection, ports=[port.local_port for port in ports], rss_before=rss_before)
    connection.close()
    os._exit(0)  # to end it politely takes longer than the measurement


async def _start_call(port: RtpPort, tone: list[bytes]) -> AgentSession[Any]:
    session: AgentSession[Any] = AgentSession(
        stt=_Recognizer(),
        vad=VAD(min_speech_duration=0.064, min_silence_duration=stubs.SILENCE_S, activation_threshold=stubs.THRESHOLD),
        llm=_Model(),
        tts=_Voice(tone),
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"min_delay": 0.0},
        },
        aec_warmup_duration=None,
        user_away_timeout=None,
    )
    session.input.audio = _Input(port)
    session.output.audio = _Output(port)
    await session.start(Agent(instructions="You are a benchmark."), record=False)
    return session
