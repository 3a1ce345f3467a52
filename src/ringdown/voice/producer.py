"""Turns a proposal into audio: reads its text, cuts sentences and has them spoken, one ahead of what is played."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ringdown.voice import attempt, brain, ports, sentences, settings, streams, turns
from ringdown.voice.events import ConversationEnd
from ringdown.voice.reply import Reply, Sentence

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

# A sentence that is never reached belongs to a reply that nobody plays any more.
_NEVER_REACHED_S = 300.0

# A tool that takes longer than this, in silence, is announced; and again.
_SILENT_MS = 1000
_AGAIN_MS = 8000

# What the reader hands to the speaking side: sentences, then None; or the failure that ended the text.
_Queue = asyncio.Queue[str | ports.ProviderError | None]


class Producer:
    """Fills replies. One for each conversation."""

    def __init__(self, *, speaker: ports.TextToSpeech, settings: settings.ConversationSettings, spawn: Spawn) -> None:
        self._speaker = speaker
        self._settings = settings
        self._spawn = spawn

    def switch_speaker(self, speaker: ports.TextToSpeech) -> None:
        """Speak with another voice from the next answer on."""
        self._speaker = speaker

    async def produce(self, reply: Reply, proposal: brain.Proposal, marks: attempt.Marks) -> None:
        """Write and speak `proposal` into `reply`. Raises `ports.ProviderError` after one retry."""
        queue: _Queue = asyncio.Queue()
        reply.producers.append(self._spawn(self._write(reply, proposal, queue=queue, marks=marks)))
        index = 0
        while True:
            item = await queue.get()
            if isinstance(item, ports.ProviderError):
                raise item
            if item is None:
                break
            if index > 0 and not await _is_reached(reply, index - 1):
                break
            await self._speak(reply.add_sentence(item), marks)
            index += 1
        reply.is_written = True

    async def _write(self, reply: Reply, proposal: brain.Proposal, *, queue: _Queue, marks: attempt.Marks) -> None:
        text = _Text(reply, queue, marks)
        for is_last_try in (False, True):
            try:
                await self._read(text, proposal)
                return
            except ports.ProviderError as error:
                # A second answer would not continue the first one: what is whole of it stays, and is all.
                if text.has_sentences:
                    queue.put_nowait(None)
                    return
                if is_last_try or not error.retryable:
                    queue.put_nowait(error)
                    return

    async def _read(self, text: "_Text", proposal: brain.Proposal) -> None:
        parts = streams.bound(proposal.parts(), timeout_s=self._settings.timeouts.model_s, provider="model")
        splitter = sentences.SentenceSplitter()
        async with contextlib.aclosing(parts):
            async for part in parts:
                match part:
                    case str():
                        text.add(splitter.push(part), is_text=bool(part))
                    case brain.HangUp():
                        text.reply.ends = ConversationEnd("agent_hangup")
                    case brain.Act():
                        text.reply.act = part
                    case brain.Commit():
                        text.add(splitter.flush())
                        text.commit()
                    case brain.Waiting():
                        text.wait(part)
        text.add(splitter.flush())
        text.queue.put_nowait(None)

    async def _speak(self, sentence: Sentence, marks: attempt.Marks) -> None:
        try:
            await self._stream(sentence, marks)
        except ports.ProviderError as error:
            if not error.retryable:
                raise
            await self._stream(sentence, marks)

    async def _stream(self, sentence: Sentence, marks: attempt.Marks) -> None:
        """Fetch a sentence's audio; what a failed try has brought already is skipped, it may have been played."""
        known, skip = len(sentence.words), len(sentence.pcm)
        timeout_s = self._settings.timeouts.speech_s
        source = self._speaker.speak(sentence.text, sample_rate_hz=self._settings.sample_rate_hz)
        pieces = streams.bound(source, timeout_s=timeout_s, provider="voice")
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                if piece.pcm and marks.first_audio_ms is None:
                    marks.first_audio_ms = marks.now()
                sentence.pcm += piece.pcm[skip:]
                skip = max(0, skip - len(piece.pcm))
                sentence.words.extend(piece.words[known:])
                known = max(0, known - len(piece.words))
        if not sentence.pcm:
            raise ports.ProviderError("voice", "no audio for the text", retryable=True)
        sentence.is_complete = True


async def _is_reached(reply: Reply, index: int) -> bool:
    """Wait until the sentence with this index is played; False when that never happens."""
    try:
        async with asyncio.timeout(_NEVER_REACHED_S):
            await reply.reached(index)
    except TimeoutError:
        return False
    return True


class _Text:
    """The text of one reply on its way from the brain to the voice."""

    def __init__(self, reply: Reply, queue: _Queue, marks: attempt.Marks) -> None:
        self.reply = reply
        self.queue = queue
        # Sentences came that a second try would not continue.
        self.has_sentences = False
        self._marks = marks
        self._waiting_since_ms: int | None = None
        self._fillers = 0

    def add(self, texts: Sequence[str], *, is_text: bool = False) -> None:
        """Queue sentences; one without a word ("…", an emoji) has no sound."""
        if (is_text or texts) and self._marks.first_text_ms is None:
            self._marks.first_text_ms = self._marks.now()
        for text in texts:
            if turns.split_words(text):
                self.queue.put_nowait(text)
                self.has_sentences = True
                self._waiting_since_ms = None

    def commit(self) -> None:
        """What follows continues what came so far, also after a failure."""
        self.has_sentences = False
        self.reply.needs_commit = True

    def wait(self, waiting: brain.Waiting) -> None:
        """Say that the agent is busy once there has been silence for long enough."""
        now = self._marks.now()
        if self._waiting_since_ms is None:
            self._waiting_since_ms, self._fillers = now, 0
        is_idle = self.queue.empty() and self.reply.idle_ms(now) > 0
        silent_ms = min(now - self._waiting_since_ms, self.reply.idle_ms(now)) if is_idle else 0
        if waiting.texts and silent_ms >= (_AGAIN_MS if self._fillers else _SILENT_MS):
            if self._marks.first_text_ms is None:
                self._marks.first_text_ms = now
            text = waiting.texts[self._fillers % len(waiting.texts)]
            self.queue.put_nowait(text)
            waiting.said(text)
            self._fillers += 1
