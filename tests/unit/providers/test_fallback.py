"""Several providers behind one port: who answers when one fails, is slow, or breaks off; on virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from ringdown.providers.fallback import FallbackModel, FallbackRecognizer, FallbackSpeaker, ProviderHealth
from ringdown.voice.ports import (
    Expectation,
    Message,
    ProviderError,
    Recognition,
    Speech,
    TextDelta,
    ToolRequest,
    ToolSpec,
)
from tests.fakes import virtual_time

AWAY = ProviderError("away", "no connection", retryable=True)


@dataclass
class Model:
    """Says its pieces; an exception among them is raised, a number is a wait in seconds."""

    pieces: Sequence[str | float | ProviderError]
    asked: int = 0
    closed: int = 0

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), temperature: float = 0.3
    ) -> AsyncIterator[TextDelta | ToolRequest]:
        self.asked += 1
        try:
            for piece in self.pieces:
                if isinstance(piece, ProviderError):
                    raise piece
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    yield TextDelta(piece)
        finally:
            self.closed += 1

    async def speak(self, text: str, *, sample_rate_hz: int) -> AsyncIterator[Speech]:
        async for part in self.reply(()):
            assert isinstance(part, TextDelta)
            yield Speech(part.text.encode())


@dataclass
class Notes:
    told: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    def __call__(self, kind: str, details: Mapping[str, object]) -> None:
        self.told.append((kind, details))


def choose(*models: tuple[str, Model], notes: Notes, health: ProviderHealth | None = None) -> FallbackModel:
    return FallbackModel(models, health=health or ProviderHealth(), on_note=notes)


async def ask(model: FallbackModel) -> str:
    return "".join([part.text async for part in model.reply(()) if isinstance(part, TextDelta)])


def test_the_first_answers_and_the_others_are_not_asked() -> None:
    first, second, notes = Model(["a", "b"]), Model(["c"]), Notes()
    assert virtual_time.run(ask(choose(("one", first), ("two", second), notes=notes))) == "ab"
    assert (second.asked, notes.told) == (0, [])


def test_a_failure_before_the_first_piece_goes_to_the_next_in_the_same_request_and_is_told() -> None:
    first, second, notes = Model([AWAY]), Model(["c"]), Notes()
    assert virtual_time.run(ask(choose(("one", first), ("two", second), notes=notes))) == "c"
    assert notes.told == [
        ("provider.fallback", {"kind": "model", "from": "one", "to": "two", "error": "away: no connection"})
    ]


def test_a_slow_first_piece_is_a_failure_while_somebody_else_is_left() -> None:
    first, second, notes = Model([60.0, "late"]), Model(["quick"]), Notes()

    async def scenario() -> tuple[str, float]:
        text = await ask(choose(("one", first), ("two", second), notes=notes))
        return text, asyncio.get_running_loop().time()

    text, took_s = virtual_time.run(scenario())
    assert text == "quick"
    assert took_s <= 4.5
    assert first.closed == 1
    assert "no answer within" in str(notes.told[0][1]["error"])


def test_the_last_one_may_take_its_time() -> None:
    slow = Model([20.0, "late"])
    assert virtual_time.run(ask(choose(("one", slow), notes=Notes()))) == "late"


def test_an_answer_that_breaks_off_is_asked_for_again_from_somebody_else() -> None:
    first, second, notes = Model(["a", AWAY]), Model(["whole"]), Notes()

    async def scenario() -> str:
        model = choose(("one", first), ("two", second), notes=notes)
        with pytest.raises(ProviderError) as broken:
            await ask(model)
        assert broken.value.retryable
        return await ask(model)

    assert virtual_time.run(scenario()) == "whole"
    assert (first.asked, [kind for kind, _ in notes.told]) == (1, ["provider.fallback"])


def test_who_failed_is_asked_last_for_half_a_minute_by_all_calls() -> None:
    first, second, health = Model([AWAY]), Model(["c"]), ProviderHealth()

    async def scenario() -> list[int]:
        asked = []
        for wait_s in (0, 20, 15):
            await asyncio.sleep(wait_s)
            await ask(choose(("one", first), ("two", second), notes=Notes(), health=health))
            asked.append(first.asked)
        return asked

    assert virtual_time.run(scenario()) == [1, 1, 2]


def test_when_all_fail_the_last_error_is_raised_and_each_failure_told() -> None:
    broken = ProviderError("two", "HTTP 401", retryable=False)
    notes = Notes()
    with pytest.raises(ProviderError) as failure:
        virtual_time.run(ask(choose(("one", Model([AWAY])), ("two", Model([broken])), notes=notes)))
    assert failure.value is broken
    assert [(kind, details.get("from", details.get("provider"))) for kind, details in notes.told] == [
        ("provider.fallback", "one"),
        ("provider.failed", "two"),
    ]


def test_an_empty_answer_is_a_failure_while_somebody_else_is_left() -> None:
    assert virtual_time.run(ask(choose(("one", Model([])), ("two", Model(["c"])), notes=Notes()))) == "c"


def test_a_request_that_is_cancelled_cancels_the_providers() -> None:
    model = Model(["a", 60.0, "b"])

    async def scenario() -> None:
        parts = choose(("one", model), notes=Notes()).reply(())
        await anext(parts)
        await parts.aclose()  # type: ignore[attr-defined]

    virtual_time.run(scenario())
    assert model.closed == 1


def test_a_voice_falls_back_like_a_model() -> None:
    notes = Notes()

    async def scenario() -> bytes:
        voices = (("one", Model([AWAY])), ("two", Model(["pcm"])))
        speaker = FallbackSpeaker(voices, health=ProviderHealth(), on_note=notes)
        return b"".join([piece.pcm async for piece in speaker.speak("Hello.", sample_rate_hz=8000)])

    assert virtual_time.run(scenario()) == b"pcm"
    assert notes.told[0][1]["kind"] == "voice"


class Recognizer:
    """Answers with what was pushed, after `wait_s`; or raises."""

    def __init__(self, answer: Callable[[bytes], str], *, wait_s: float = 0.0) -> None:
        self.answer = answer
        self.wait_s = wait_s
        self.utterances: list[_Utterance] = []

    def open(self, *, sample_rate_hz: int, language: str, expectation: Expectation) -> "_Utterance":
        self.utterances.append(_Utterance(self))
        return self.utterances[-1]


class _Utterance:
    def __init__(self, owner: Recognizer) -> None:
        self.owner = owner
        self.pcm = b""
        self.is_closed = False

    def push(self, pcm: bytes) -> None:
        self.pcm += pcm

    def partial(self) -> str:
        return self.pcm.decode()

    async def final(self) -> Recognition:
        await asyncio.sleep(self.owner.wait_s)
        return Recognition(self.owner.answer(self.pcm))

    async def close(self) -> None:
        self.is_closed = True


def _fail(pcm: bytes) -> str:
    raise AWAY


@pytest.mark.parametrize("first", [Recognizer(_fail), Recognizer(bytes.decode, wait_s=60)], ids=["fails", "is slow"])
def test_an_utterance_that_one_recognizer_fails_at_goes_whole_to_the_next(first: Recognizer) -> None:
    second, notes = Recognizer(bytes.decode), Notes()

    async def scenario() -> list[str]:
        recognizer = FallbackRecognizer([("one", first), ("two", second)], health=ProviderHealth(), on_note=notes)
        utterance = recognizer.open(sample_rate_hz=8000, language="en-US", expectation=Expectation())
        utterance.push(b"he")
        utterance.push(b"llo")
        heard = [(await utterance.final()).text]
        utterance.push(b" you")
        heard.append((await utterance.final()).text)
        await utterance.close()
        return heard

    assert virtual_time.run(scenario()) == ["hello", "hello you"]
    assert [kind for kind, _ in notes.told] == ["provider.fallback"]
    assert first.utterances[0].is_closed and second.utterances[0].is_closed


def test_an_utterance_that_nobody_recognizes_is_an_error_that_is_told() -> None:
    notes = Notes()

    async def scenario() -> None:
        recognizer = FallbackRecognizer([("one", Recognizer(_fail))], health=ProviderHealth(), on_note=notes)
        utterance = recognizer.open(sample_rate_hz=8000, language="en-US", expectation=Expectation())
        await utterance.final()

    with pytest.raises(ProviderError):
        virtual_time.run(scenario())
    assert notes.told == [
        ("provider.failed", {"kind": "recognizer", "provider": "one", "error": "away: no connection"})
    ]
