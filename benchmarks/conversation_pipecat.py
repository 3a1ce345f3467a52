"""Pipecat as a process under test of the conversation benchmark: a pipeline for each call, on the stubs and our RTP.

Each call is what Pipecat's own telephone examples build: transport, segmented speech-to-text, context aggregators,
model, text-to-speech. The audio comes in as frames of 20 ms at 8 kHz, pushed by a transport of `BaseInputTransport`; it
leaves by one of `BaseOutputTransport`, paced as its WebSocket transport does. In its favour: 8 kHz throughout, so that
nothing is resampled, output in pieces of 20 ms instead of 40, no metrics, no tracing, no RTVI, no idle watch, no log,
and its plain silence rule instead of the smart-turn model that it has by default."""

import asyncio
import gc
import os
from collections.abc import AsyncGenerator
from multiprocessing.connection import Connection
from typing import Any

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from benchmarks import conversation_stubs as stubs
from benchmarks import pair
from benchmarks.conversation_edge import Pacer, RtpPort, report_cost

NAME = "Pipecat"
_START_TIMEOUT_S = 25.0


class _Input(BaseInputTransport):
    def __init__(self, port: RtpPort, params: TransportParams) -> None:
        super().__init__(params)
        self._port = port
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.started = asyncio.Event()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._port.on_frame = self._frames.put_nowait
        self.create_task(self._push_frames())
        self.started.set()

    async def _push_frames(self) -> None:
        while True:
            pcm = await self._frames.get()
            await self.push_audio_frame(InputAudioRawFrame(pcm, sample_rate=stubs.SAMPLE_RATE_HZ, num_channels=1))


class _Output(BaseOutputTransport):
    def __init__(self, port: RtpPort, params: TransportParams) -> None:
        super().__init__(params)
        self._port = port
        self._pacer = Pacer()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await self._pacer.wait()
        self._port.send(frame.audio)
        return True


class _Recognizer(SegmentedSTTService):
    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        del audio
        await asyncio.sleep(stubs.RECOGNITION_S)
        yield TranscriptionFrame(stubs.QUESTION, "caller", time_now_iso8601())


class _Model(LLMService[Any]):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        await asyncio.sleep(stubs.MODEL_S)
        for piece in stubs.ANSWER:
            await self.push_frame(LLMTextFrame(piece))
        await self.push_frame(LLMFullResponseEndFrame())


class _Voice(TTSService):
    def __init__(self, tone: list[bytes], **options: Any) -> None:
        super().__init__(**options)
        self._tone = tone

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        del text
        await asyncio.sleep(stubs.VOICE_S)
        yield TTSStartedFrame(context_id=context_id)
        for piece in self._tone:
            yield TTSAudioRawFrame(piece, stubs.SAMPLE_RATE_HZ, 1, context_id=context_id)
        yield TTSStoppedFrame(context_id=context_id)


def run_subject(connection: Connection, calls: int) -> None:
    """The process under test: gets the feeder's ports, sends its own, measures from begin to end."""
    logger.remove()
    asyncio.run(_run_subject(connection, calls))


async def _run_subject(connection: Connection, calls: int) -> None:
    far_ports = connection.recv()
    tone = stubs.make_tone()
    SileroVADAnalyzer(sample_rate=stubs.SAMPLE_RATE_HZ)  # what is loaded once is no call's memory
    gc.collect()
    rss_before = pair.read_rss_bytes()
    ports = [RtpPort(port) for port in far_ports]
    inputs, workers = [], []
    for port in ports:
        source, worker = _make_call(port, tone)
        inputs.append(source)
        workers.append(worker)
    runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
    await runner.add_workers(*workers)
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(_START_TIMEOUT_S):
        await asyncio.gather(*(source.started.wait() for source in inputs))
    assert len(inputs) == calls
    await report_cost(connection, ports=[port.local_port for port in ports], rss_before=rss_before)
    running.cancel()
    connection.close()
    os._exit(0)  # to end it politely takes longer than the measurement


def _make_call(port: RtpPort, tone: list[bytes]) -> tuple[_Input, PipelineWorker]:
    rate_hz = stubs.SAMPLE_RATE_HZ
    params = TransportParams(
        audio_in_enabled=True,
        audio_in_sample_rate=rate_hz,
        audio_out_enabled=True,
        audio_out_sample_rate=rate_hz,
        audio_out_10ms_chunks=2,
    )
    vad = SileroVADAnalyzer(
        sample_rate=rate_hz,
        params=VADParams(confidence=stubs.THRESHOLD, start_secs=0.064, stop_secs=stubs.SILENCE_S, min_volume=0.0),
    )
    strategies = UserTurnStrategies(
        start=[VADUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)]
    )
    context = LLMContext([{"role": "system", "content": "You are a benchmark."}])
    aggregators = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=vad, user_turn_strategies=strategies)
    )
    source = _Input(port, params)
    pipeline = Pipeline(
        [
            source,
            _Recognizer(sample_rate=rate_hz, settings=STTSettings(model=None, language=None)),
            aggregators.user(),
            _Model(settings=_model_settings()),
            _Voice(tone, sample_rate=rate_hz, settings=TTSSettings(model=None, voice=None, language=None)),
            _Output(port, params),
            aggregators.assistant(),
        ]
    )
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(
            audio_in_sample_rate=rate_hz, audio_out_sample_rate=rate_hz, send_initial_empty_metrics=False
        ),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
        check_dangling_tasks=False,
    )
    return source, worker


def _model_settings() -> LLMSettings:
    return LLMSettings(model=None)
