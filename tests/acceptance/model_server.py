"""An OpenAI-compatible server that hears what the phone said, answers by a script and speaks in tones."""

import array
import asyncio
import io
import json
import math
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.openai_server import FakeOpenAIServer, Fault, Received

RATE_HZ = 24_000
TONE_HZ = 500
CHAT = "/v1/chat/completions"
TRANSCRIPTION = "/v1/audio/transcriptions"
SPEECH = "/v1/audio/speech"
SUMMARY = "The parcel comes on Friday."
#: What it makes of every call that is over.
ANALYSIS = {
    "summary": SUMMARY,
    "outcome": "interested",
    "sentiment": "positive",
    "success": "yes",
    "success_reason": "They have agreed on a day.",
    "structured_data": {"day": "Friday"},
}

MS_PER_CHARACTER = 30
#: A voice that takes this breath in its text lets a polite phone believe that it has finished.
BREATH = "…"
_BREATH_MS = 1_400
_LOUD, _SHORTEST_WORD_MS = 500, 160


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, and the tools (name, arguments) that it asks for; with `ends_call` the tool `end_call`."""

    text: str
    ends_call: bool = False
    tools: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class ScriptedServer(FakeOpenAIServer):
    """Answers by the last words of the conversation, speaks for as long as a text is, fails as `faults` say.

    `hear` is asked for the words of an utterance. `answers` maps what the caller said, or a tool's result, to the
    model's answer; a key that ends with `*` stands for all that begin like it.
    """

    hear: Callable[[], str] = lambda: ""
    answers: dict[str, Answer] = field(default_factory=dict)
    faults: list[tuple[str, Fault]] = field(default_factory=list)  # path and fault, each used once
    choose: Callable[[str], Answer | None] | None = None  # asked before `answers`
    summary_delay_s: float = 0.0

    async def _answer(self, received: Received, writer: Any) -> None:
        is_over = received.path == CHAT and is_of_past_call(received.fields["messages"])
        self.fault = "none" if is_over else self._take_fault(received.path)
        if received.path == CHAT:
            answer = self._choose(received.fields["messages"])
            if is_over:
                await asyncio.sleep(self.summary_delay_s)
            ends = [("end_call", "{}")] if answer.ends_call else []
            self.text, self.tool_calls = answer.text, [*answer.tools, *ends]
        elif received.path == TRANSCRIPTION:
            self.transcript = self.hear() if _has_words(received.fields["file"]) else ""
        await FakeOpenAIServer._answer(self, received, writer)

    def _take_fault(self, path: str) -> Fault:
        for number, (at, fault) in enumerate(self.faults):
            if at == path:
                del self.faults[number]
                return fault
        return "none"

    def _choose(self, messages: Sequence[dict[str, Any]]) -> Answer:
        if is_of_past_call(messages):
            is_summary = messages[0]["content"].startswith("Summarise")
            return Answer(SUMMARY) if is_summary else Answer("", tools=(("record_analysis", json.dumps(ANALYSIS)),))
        last = next(message["content"] for message in reversed(messages) if message["role"] != "system")
        if self.choose is not None and (chosen := self.choose(last)) is not None:
            return chosen
        for words, answer in self.answers.items():
            if last == words or (words.endswith("*") and last.startswith(words[:-1])):
                return answer
        return Answer("Pardon?")

    def _speech_pieces(self) -> list[bytes]:
        pcm = speak(str(self.requests_to(SPEECH)[-1].fields["input"]))
        return [pcm[at : at + 4801] for at in range(0, len(pcm), 4801)]

    def requests_to(self, path: str) -> list[Received]:
        """What was asked of one endpoint in the course of calls."""
        analyses = self.analyses()
        return [request for request in self.requests if request.path == path and request not in analyses]

    def analyses(self) -> list[Received]:
        """The requests for a summary or an analysis of calls that are over."""
        return [one for one in self.requests if one.path == CHAT and is_of_past_call(one.fields["messages"])]

    def conversations(self) -> list[list[dict[str, str]]]:
        """The messages of each chat request in the course of a call, without the system prompt."""
        chats = [request.fields["messages"] for request in self.requests_to(CHAT)]
        return [messages[1:] for messages in chats]


def is_of_past_call(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether a summary or an analysis is asked for."""
    return str(messages[0]["content"]).startswith(("Summarise", "You judge a phone call"))


def _has_words(recording: bytes) -> bool:
    """Whether there is more than the end of a sound in a WAV file."""
    with wave.open(io.BytesIO(recording)) as reader:
        rate_hz, samples = reader.getframerate(), array.array("h", reader.readframes(reader.getnframes()))
    frames = [samples[start : start + rate_hz // 50] for start in range(0, len(samples), rate_hz // 50)]
    return sum(max(frame, default=0) > _LOUD for frame in frames) * 20 >= _SHORTEST_WORD_MS


def speak(text: str) -> bytes:
    """A tone as long as the words, silence where the text has a breath; 24 kHz, as the protocol has it."""
    return _silence(_BREATH_MS).join(_tone(len(part) * MS_PER_CHARACTER) for part in text.split(BREATH))


def _tone(duration_ms: int) -> bytes:
    step = 2 * math.pi * TONE_HZ / RATE_HZ
    count = RATE_HZ * duration_ms // 1000
    return array.array("h", (round(8000 * math.sin(step * n)) for n in range(count))).tobytes()


def _silence(duration_ms: int) -> bytes:
    return bytes(RATE_HZ * duration_ms // 1000 * 2)
