"""Plays scenes of the turn-taking suite: the real Conversation and the real Silero on a virtual clock; judges nothing.

The recognizer is perfect: it writes the scene's words `PARTIAL_LAG_MS` after each was spoken, and all of them
`FINAL_DELAY_MS` after it was asked. Model and voice answer after fixed delays.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks import turns_audio as audio
from benchmarks.turns_scenes import Scene, Step
from benchmarks.turns_texts import AGENT_VOICE
from ringdown.voice import detector, ports
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import Event, Turn, TurnFinished
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.settings import ConversationSettings, GreetingSettings, InactivityMessage

FRAME_MS = 20
PARTIAL_LAG_MS, FINAL_DELAY_MS = 100, 100
MODEL_DELAY_MS, VOICE_DELAY_MS = 150, 50
ECHO_DB = -20.0
INACTIVITY_MS = 8000
_FRAME_BYTES = audio.FRAME_SAMPLES * 2
# The agent does not answer: the caller goes on.
_PATIENCE_MS = 5000
# After the last thing that happens, whatever follows from it is heard.
_AFTERMATH_MS = 2500

Clips = dict[audio.Line, audio.Clip]


@dataclass(slots=True)
class Happening:
    """A step of the caller that took place, in milliseconds of the call; words with their true times."""

    step: Step
    start_ms: int
    end_ms: int
    words: tuple[ports.Word, ...]


@dataclass(slots=True)
class Played:
    """What came of a scene; `audible` has one byte for each 20 ms, 1 where the agent was heard."""

    scene: Scene
    happenings: list[Happening] = field(default_factory=list)
    audible: bytearray = field(default_factory=bytearray)
    turns: list[Turn] = field(default_factory=list)


class SceneDetector:
    """The real model for all scenes at once; a window's result arrives one tick after its last sample."""

    def __init__(self) -> None:
        self._session = detector.load_session()
        self._streams: set[detector.WindowStream] = set()
        self._results: list[tuple[detector.WindowStream, float, int]] = []

    def open(self, on_window: detector.OnWindow) -> detector.ActivityStream:
        """Begin a call."""
        stream = detector.WindowStream(on_window, self._streams.discard)
        self._streams.add(stream)
        return stream

    def run(self) -> None:
        """Deliver what the last tick brought, and infer what this one completed."""
        for stream, probability, end_ms in self._results:
            stream.deliver(probability, end_ms)
        self._results = []
        ready = [stream for stream in self._streams if len(stream.pending) >= detector.WINDOW_SAMPLES * 2]
        if not ready:
            return
        windows = b"".join([stream.take_window() for stream in ready])
        found = detector.infer(self._session, windows, [stream.state for stream in ready])
        for stream, (probability, stream.state) in zip(ready, found, strict=True):
            self._results.append((stream, probability, stream.taken * detector.WINDOW_MS))


class SceneRecognizer:
    """Knows the words of the scene and when they were spoken."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self.now_ms = 0
        self.echoes: list[ports.Word] = []

    def open(self, *, sample_rate_hz: int, language: str, expectation: ports.Expectation) -> "_SceneUtterance":
        """Begin an utterance."""
        del sample_rate_hz, language, expectation
        return _SceneUtterance(self)

    def words(self, from_ms: int, until_ms: int) -> list[ports.Word]:
        """The words spoken in this time."""
        spoken = [word for happening in self._played.happenings for word in happening.words]
        found = [word for word in (*spoken, *self._list_echoes()) if from_ms < word.end_ms <= until_ms]
        return sorted(found, key=lambda word: word.start_ms)

    def _list_echoes(self) -> list[ports.Word]:
        """The agent's words that came back: those it did say."""
        delay_ms, audible = self._played.scene.echo_delay_ms, self._played.audible
        if delay_ms is None:
            return []
        indexes = [(word, (word.start_ms - delay_ms) // FRAME_MS) for word in self.echoes]
        return [word for word, index in indexes if index < len(audible) and audible[index]]


class _SceneUtterance:
    def __init__(self, owner: SceneRecognizer) -> None:
        self._owner = owner
        self._pushed_ms = 0

    def push(self, pcm: bytes) -> None:
        self._pushed_ms += len(pcm) // (_FRAME_BYTES // FRAME_MS)

    def partial(self) -> str:
        now_ms = self._owner.now_ms
        found = self._owner.words(now_ms - self._pushed_ms, now_ms - PARTIAL_LAG_MS)
        return " ".join(word.text for word in found)

    async def final(self) -> ports.Recognition:
        now_ms = self._owner.now_ms
        start_ms = now_ms - self._pushed_ms
        found = self._owner.words(start_ms, now_ms)
        await asyncio.sleep(FINAL_DELAY_MS / 1000)
        words = tuple(ports.Word(word.text, word.start_ms - start_ms, word.end_ms - start_ms) for word in found)
        return ports.Recognition(" ".join(word.text for word in found), words)

    async def close(self) -> None:
        pass


class _Model:
    """Says the reply that follows those that the caller has heard."""

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = replies

    async def reply(
        self, messages: Sequence[ports.Message], *, tools: Sequence[ports.ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[ports.TextDelta | ports.ToolRequest]:
        """Stream the reply at once."""
        del tools, temperature
        said = sum(message.role == "assistant" for message in messages)
        await asyncio.sleep(MODEL_DELAY_MS / 1000)
        yield ports.TextDelta(self._replies[min(said, len(self._replies) - 1)])


class _Voice:
    """Speaks the known lines; the first audio after a fixed delay, then faster than it is played."""

    def __init__(self, clips: Clips) -> None:
        self._clips = clips

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[ports.Speech]:
        """Stream a line in pieces of half a second."""
        del sample_rate_hz
        clip = self._clips.get(audio.Line(text, AGENT_VOICE)) or self._find_part(text)
        pcm = np.clip(clip.samples, -32768, 32767).astype(np.int16).tobytes()
        await asyncio.sleep(VOICE_DELAY_MS / 1000)
        piece_ms = 500
        for start_ms in range(0, clip.length_ms + 1, piece_ms):
            words = tuple(word for word in clip.words if start_ms <= word.start_ms < start_ms + piece_ms)
            yield ports.Speech(pcm[start_ms * 16 : (start_ms + piece_ms) * 16], words)

    def _find_part(self, text: str) -> audio.Clip:
        """A clause of a line, cut from its audio by word times."""
        tokens = text.split()
        for line, clip in self._clips.items():
            whole = line.text.split()
            if line.voice != AGENT_VOICE or len(whole) != len(clip.words):
                continue
            for first in range(len(whole) - len(tokens) + 1):
                if whole[first : first + len(tokens)] == tokens:
                    return _cut(clip, first, first + len(tokens))
        raise KeyError(text)


def _cut(clip: audio.Clip, first: int, last: int) -> audio.Clip:
    begin_ms = clip.words[first].start_ms
    end_ms = clip.words[last].start_ms if last < len(clip.words) else clip.length_ms
    words = tuple(
        ports.Word(word.text, word.start_ms - begin_ms, word.end_ms - begin_ms) for word in clip.words[first:last]
    )
    return audio.Clip(clip.samples[begin_ms * 8 : end_ms * 8], words)


class Stage:
    """One scene being played."""

    def __init__(self, scene: Scene, *, clips: Clips, detector: SceneDetector) -> None:
        self.played = Played(scene)
        self._scene = scene
        self._clips = clips
        self._recognizer = SceneRecognizer(self.played)
        self._steps = list(scene.steps)
        self._far: audio.Samples = np.zeros(0, np.float32)
        self._far_at = 0
        self._has_answer_due = False
        # What is still heard of the reply that was interrupted is no new one.
        self._is_dying_away = False
        self._sent: list[bytes | None] = []
        self._quiet_ms = self._reply_ms = self._waiting_ms = 0
        self._over_at_ms: int | None = None
        # Which of the replies comes back as echo.
        self._echoed = -1
        self.conversation = Conversation(
            settings=ConversationSettings(
                language=scene.language,
                greeting=GreetingSettings(text=scene.replies[0]),
                inactivity_messages=(InactivityMessage(INACTIVITY_MS, scene.replies[-1]),),
            ),
            brain=ModelBrain(model=_Model(scene.replies), system_prompt="You are a test."),
            recognizer=self._recognizer,
            speaker=_Voice(clips),
            detector=detector,
            on_event=self._keep,
        )

    def _keep(self, event: Event) -> None:
        if isinstance(event, TurnFinished):
            self.played.turns.append(event.turn)

    def tick(self, at_ms: int) -> bool:
        """Play 20 ms; False when the scene is over."""
        self._recognizer.now_ms = at_ms + FRAME_MS
        self._begin_step(at_ms)
        frame = self.conversation.tick(audio.compand(self._mix(at_ms)), at_ms)
        self._sent.append(frame)
        self.played.audible.append(frame is not None)
        if frame is None:
            self._quiet_ms, self._is_dying_away = self._quiet_ms + FRAME_MS, False
        elif not self._is_dying_away:
            self._reply_ms, self._quiet_ms = self._reply_ms + FRAME_MS, 0
            if self._scene.is_echo_recognized:
                self._write_echo(at_ms)
        if self._over_at_ms is None and not self._steps and self._far_at >= len(self._far):
            self._over_at_ms = at_ms + _AFTERMATH_MS + (INACTIVITY_MS if not self._scene.steps else 0)
        limit_ms = self._scene.limit_ms if self._over_at_ms is None else min(self._scene.limit_ms, self._over_at_ms)
        return at_ms < limit_ms

    def _begin_step(self, at_ms: int) -> None:
        if self._far_at < len(self._far):
            self._waiting_ms = 0
            return
        self._waiting_ms += FRAME_MS
        while self._steps:
            step = self._steps[0]
            if step.when == "over":
                # The agent has said it all: it is too late for this.
                if self._reply_ms > 0 and self._quiet_ms > 1500:
                    self._steps.pop(0)
                    continue
                if self._reply_ms < step.delay_ms or self._quiet_ms > 0:
                    is_forgotten = self._waiting_ms >= _PATIENCE_MS and self._reply_ms == 0
                    if is_forgotten:
                        self._steps.pop(0)
                        continue
                    return
            elif not (self._reply_ms > 0 and self._quiet_ms >= step.delay_ms) and (
                self._waiting_ms < _PATIENCE_MS or self._quiet_ms < _PATIENCE_MS
            ):
                return
            self._steps.pop(0)
            self._start(step, at_ms)
            return

    def _start(self, step: Step, at_ms: int) -> None:
        self._far, self._far_at = step.samples, 0
        self._has_answer_due = step.kind in ("turn", "interruption", "endless")
        words = tuple(ports.Word(word.text, word.start_ms + at_ms, word.end_ms + at_ms) for word in step.words)
        end_ms = at_ms + len(step.samples) * 1000 // audio.RATE_HZ
        self.played.happenings.append(Happening(step, at_ms, end_ms, words))

    def _mix(self, at_ms: int) -> audio.Samples:
        length = audio.FRAME_SAMPLES
        begin = at_ms * 8 % len(self._scene.noise)
        mixed = self._scene.noise[begin : begin + length].copy()
        piece = self._far[self._far_at : self._far_at + length]
        mixed[: len(piece)] += piece
        if self._far_at < len(self._far) <= self._far_at + length and self._has_answer_due:
            self._reply_ms, self._is_dying_away = 0, self._quiet_ms == 0
        self._far_at += length
        if self._scene.echo_delay_ms is not None:
            mixed += self._echo(at_ms)
        return mixed

    def _echo(self, at_ms: int) -> audio.Samples:
        assert self._scene.echo_delay_ms is not None
        index = (at_ms - self._scene.echo_delay_ms) // FRAME_MS
        frame = self._sent[index] if index >= 0 else None
        if frame is None:
            return np.zeros(audio.FRAME_SAMPLES, np.float32)
        return np.frombuffer(frame, np.int16).astype(np.float32) * np.float32(10 ** (ECHO_DB / 20))

    def _write_echo(self, at_ms: int) -> None:
        """A recognizer that hears the agent's own words come back writes them down, too."""
        assert self._scene.echo_delay_ms is not None
        said = sum(turn.speaker == "agent" for turn in self.played.turns)
        if said == self._echoed:
            return
        self._echoed = said
        clip = self._clips[audio.Line(self._scene.replies[min(said, len(self._scene.replies) - 1)], AGENT_VOICE)]
        moved_ms = at_ms + self._scene.echo_delay_ms
        self._recognizer.echoes = [
            ports.Word(word.text, word.start_ms + moved_ms, word.end_ms + moved_ms) for word in clip.words
        ]


async def play(scenes: Sequence[Scene], clips: Clips, session: SceneDetector) -> list[Played]:
    """Play scenes side by side, tick by tick, on the loop's clock."""
    stages = [Stage(scene, clips=clips, detector=session) for scene in scenes]
    running = [asyncio.create_task(stage.conversation.run()) for stage in stages]
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    started_s, at_ms, playing = loop.time(), 0, list(stages)
    while playing:
        ended = [stage for stage in playing if not stage.tick(at_ms)]
        session.run()
        for stage in ended:
            await stage.conversation.finish()
            playing.remove(stage)
        at_ms += FRAME_MS
        await asyncio.sleep(started_s + at_ms / 1000 - loop.time())
    async with asyncio.timeout(60):
        await asyncio.gather(*running)
    return [stage.played for stage in stages]
