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

# What the reader hands to the speaking side: sentences, then None; or the failure that ended the text.
_Queue = asyncio.Queue[str | ports.ProviderError | None]


class Producer:
    """Fills replies. One for each conversation."""

    def __init__(self, *, speaker: ports.TextToSpeech, settings: settings.ConversationSettings, spawn: Spawn) -> None:
        self._speaker = speaker
        self._settings = settings
        self._spawn = spawn

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
        try:
            try:
                await self._read(reply, proposal, queue=queue, marks=marks)
            except ports.ProviderError as error:
                # A second answer would not continue the first one: what is whole of it stays, and is all.
                if not queue.empty() or reply.sentences:
                    queue.put_nowait(None)
                    return
                if not error.retryable:
                    raise
                await self._read(reply, proposal, queue=queue, marks=marks)
        except ports.ProviderError as error:
            queue.put_nowait(error)

    async def _read(self, reply: Reply, proposal: brain.Proposal, *, queue: _Queue, marks: attempt.Marks) -> None:
        splitter = sentences.SentenceSplitter()
        parts = streams.bound(proposal.parts(), timeout_s=self._settings.timeouts.model_s, provider="model")
        async with contextlib.aclosing(parts):
            async for part in parts:
                if isinstance(part, brain.HangUp):
                    reply.ends = ConversationEnd("agent_hangup")
                    continue
                if marks.first_text_ms is None:
                    marks.first_text_ms = marks.now()
                _hand_over(splitter.push(part), queue)
        _hand_over(splitter.flush(), queue)
        queue.put_nowait(None)

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


def _hand_over(texts: Sequence[str], queue: _Queue) -> None:
    """Queue sentences; one without a word ("…", an emoji) has no sound."""
    for text in texts:
        if turns.split_words(text):
            queue.put_nowait(text)
