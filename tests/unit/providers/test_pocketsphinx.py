"""The offline recognizer with its real children, on speech of offline voices at telephone quality."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ringdown.providers import grammars
from ringdown.providers.espeak import EspeakServer
from ringdown.providers.pocketsphinx import PocketsphinxRecognizer
from ringdown.voice.answers import understand_yes_no
from ringdown.voice.ports import Expectation, ProviderError, Recognition
from tests.unit.providers import phone_speech

YES_NO = Expectation("yes_no")


@pytest_asyncio.fixture
async def espeak() -> AsyncIterator[EspeakServer]:
    server = EspeakServer()
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture
async def recognizer(espeak: EspeakServer) -> AsyncIterator[PocketsphinxRecognizer]:
    running = PocketsphinxRecognizer(espeak_server=espeak)
    await running.start()
    yield running
    await running.close()


async def recognize(
    recognizer: PocketsphinxRecognizer,
    pcm: bytes,
    expectation: Expectation = YES_NO,
    language: str = "en-US",
    *,
    sample_rate_hz: int = 8000,
) -> Recognition:
    utterance = recognizer.open(sample_rate_hz=sample_rate_hz, language=language, expectation=expectation)
    for at in range(0, len(pcm), 320):
        utterance.push(pcm[at : at + 320])
    recognition = await utterance.final()
    await utterance.close()
    return recognition


@pytest.mark.parametrize("sample_rate_hz", [8000, 16000])
async def test_most_answers_of_many_voices_mean_what_was_said(
    recognizer: PocketsphinxRecognizer, espeak: EspeakServer, sample_rate_hz: int
) -> None:
    said = [(text, "yes") for text in ("yes", "yeah", "yes please", "that's right", "of course")]
    said += [(text, "no") for text in ("no", "nope", "no thank you", "that's wrong", "no I can't")]
    right = wrong = 0
    for text, meaning in said:
        for voice in phone_speech.VOICES[:3]:
            pcm = await phone_speech.say(espeak, text, voice=voice, sample_rate_hz=sample_rate_hz)
            heard = (await recognize(recognizer, pcm, sample_rate_hz=sample_rate_hz)).text
            right += understand_yes_no(heard) == meaning
            wrong += understand_yes_no(heard) not in (meaning, None)
    count = len(said) * 3
    assert right >= 0.75 * count and wrong <= 0.1 * count, (right, wrong, count)


async def test_most_off_topic_speech_is_no_answer(recognizer: PocketsphinxRecognizer, espeak: EspeakServer) -> None:
    said = ("what time is it there", "I would like to speak to a human", "can you repeat that", "my name is peter")
    heard = [
        (await recognize(recognizer, await phone_speech.say(espeak, text, voice=voice)))
        for text in said
        for voice in phone_speech.VOICES[:3]
    ]
    assert all(recognition.understood for recognition in heard)
    assert sum(recognition.text == "" for recognition in heard) >= len(heard) / 2


async def test_choices_are_told_apart(recognizer: PocketsphinxRecognizer, espeak: EspeakServer) -> None:
    expectation = Expectation("choice", ("Sales", "technical support", "opening hours"))
    for text in ("sales", "technical support", "opening hours"):
        assert (await recognize(recognizer, await phone_speech.say(espeak, text), expectation)).text == text


async def test_words_that_no_dictionary_knows_can_be_choices(
    recognizer: PocketsphinxRecognizer, espeak: EspeakServer
) -> None:
    expectation = Expectation("choice", ("ringdown", "kubernetes", "zürich"))
    for text in ("ringdown", "kubernetes"):
        assert (await recognize(recognizer, await phone_speech.say(espeak, text), expectation)).text == text


async def test_a_word_without_a_pronunciation_is_a_lasting_failure(recognizer: PocketsphinxRecognizer) -> None:
    with pytest.raises(ProviderError, match="pronunciation") as raised:
        await recognize(recognizer, bytes(8000), Expectation("choice", ("北京", "london")))
    assert not raised.value.retryable


async def test_digits_keep_to_their_count(recognizer: PocketsphinxRecognizer, espeak: EspeakServer) -> None:
    expectation = Expectation("digits", min_digits=4, max_digits=4)
    right = 0
    for digits in ("one two three four", "nine eight one zero", "five five seven two"):
        for voice in ("en-us+f2", "en-us", "en-us+f4"):
            heard = (await recognize(recognizer, await phone_speech.say(espeak, digits, voice=voice), expectation)).text
            assert len(heard.split()) <= 4
            right += sum(a == b for a, b in zip(digits.split(), heard.replace("oh", "zero").split(), strict=False))
    assert right >= 0.55 * 36, right


async def test_dates_are_heard(recognizer: PocketsphinxRecognizer, espeak: EspeakServer) -> None:
    said = ("tomorrow", "next monday", "march the third", "friday")
    heard = [
        (await recognize(recognizer, await phone_speech.say(espeak, text, voice="en-us+f2"), Expectation("date"))).text
        for text in said
    ]
    assert sum(a in b for a, b in zip(said, heard, strict=True)) >= 2, heard


@pytest.mark.parametrize("sample_rate_hz", [8000, 16000])
async def test_words_have_times_on_the_clock_of_the_utterance(
    recognizer: PocketsphinxRecognizer, espeak: EspeakServer, sample_rate_hz: int
) -> None:
    speech = await phone_speech.say(espeak, "technical support", sample_rate_hz=sample_rate_hz)
    pcm, choice = bytes(2 * sample_rate_hz) + speech, Expectation("choice", ("technical support", "sales"))
    recognition = await recognize(recognizer, pcm, choice, sample_rate_hz=sample_rate_hz)
    first, second = recognition.words
    assert (first.text, second.text) == ("technical", "support")
    assert 1_000 <= first.start_ms < first.end_ms <= second.start_ms < second.end_ms
    assert second.end_ms <= len(pcm) // 2 * 1000 / sample_rate_hz


@pytest.mark.parametrize(
    ("expectation", "language"),
    [
        (Expectation("free"), "en-US"),
        (Expectation("message"), "en-GB"),
        (YES_NO, "de-DE"),
        (Expectation("choice"), "en"),
    ],
)
async def test_what_no_grammar_describes_is_not_understood(
    recognizer: PocketsphinxRecognizer, expectation: Expectation, language: str
) -> None:
    assert await recognize(recognizer, bytes(8000), expectation, language) == Recognition("", understood=False)


@pytest.mark.parametrize("pcm", [b"", b"\0", bytes(40), bytes(1_600), bytes(32_000)])
async def test_silence_is_no_answer(recognizer: PocketsphinxRecognizer, pcm: bytes) -> None:
    assert await recognize(recognizer, pcm) == Recognition("")


async def test_resumed_speech_is_heard_with_what_came_before(
    recognizer: PocketsphinxRecognizer, espeak: EspeakServer
) -> None:
    pcm = await phone_speech.say(espeak, "technical support")
    utterance = recognizer.open(
        sample_rate_hz=8000, language="en-US", expectation=Expectation("choice", ("technical support", "sales"))
    )
    utterance.push(pcm[: len(pcm) // 4])
    early = await utterance.final()
    assert await utterance.final() is early
    utterance.push(pcm[len(pcm) // 4 :])
    assert (await utterance.final()).text == "technical support" == utterance.partial()
    await utterance.close()


async def test_ten_utterances_at_once_are_kept_apart(recognizer: PocketsphinxRecognizer, espeak: EspeakServer) -> None:
    names = ("london", "madrid", "chicago", "amsterdam", "boston")
    speech = {name: await phone_speech.say(espeak, name) for name in names}
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        tasks = [
            (name, group.create_task(recognize(recognizer, speech[name], Expectation("choice", names))))
            for name in names * 2
        ]
    assert sum(task.result().text == name for name, task in tasks) >= 8
    assert time.monotonic() - began < 10


async def test_the_loop_stays_free_while_children_decode(
    recognizer: PocketsphinxRecognizer, espeak: EspeakServer
) -> None:
    pcm = (await phone_speech.say(espeak, "yes please")) * 4
    await recognize(recognizer, pcm)
    decoding = asyncio.create_task(recognize(recognizer, pcm))
    longest = 0.0
    while not decoding.done():
        before = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - before)
    assert longest < 0.15


async def test_a_crash_replays_the_utterance(recognizer: PocketsphinxRecognizer, espeak: EspeakServer) -> None:
    pcm = (await phone_speech.say(espeak, "technical support")) + bytes(160_000)
    expectation = Expectation("choice", ("technical support", "sales"))
    [crashing] = recognizer.child_pids
    os.kill(crashing, signal.SIGSTOP)  # lest it answers before it is killed
    decoding = asyncio.create_task(recognize(recognizer, pcm, expectation))
    await asyncio.sleep(0.02)
    os.kill(crashing, signal.SIGKILL)
    assert (await decoding).text == "technical support"
    assert recognizer.child_pids != [crashing]


async def test_a_child_that_hangs_is_replaced(
    recognizer: PocketsphinxRecognizer, espeak: EspeakServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pcm = await phone_speech.say(espeak, "yes please")
    await recognize(recognizer, pcm)
    monkeypatch.setattr("ringdown.providers.pocketsphinx._TIMEOUT_S", 2.0)
    os.kill(recognizer.child_pids[0], signal.SIGSTOP)
    assert (await recognize(recognizer, pcm)).text == "yes please"


async def test_a_child_stays_small(recognizer: PocketsphinxRecognizer) -> None:
    for number in range(20):  # more grammars than are kept
        words = ("london", ("madrid", "chicago", "boston", "paris")[number % 4], f"new {'very ' * number}york")
        await recognize(recognizer, bytes(8_000), Expectation("choice", words))
    status = Path(f"/proc/{recognizer.child_pids[0]}/status").read_text()  # noqa: ASYNC240 (not a disk)
    assert int(status.split("VmRSS:")[1].split()[0]) < 250_000


def test_every_phrase_of_the_yes_no_grammar_means_yes_or_no() -> None:
    assert {phrase for phrase in grammars.YES if understand_yes_no(phrase) != "yes"} == set()
    assert {phrase for phrase in grammars.NO if understand_yes_no(phrase) != "no"} == set()


def test_a_phrase_that_was_broken_off_counts_up_to_its_last_answer() -> None:
    grammar = grammars.build_grammar(YES_NO)
    assert grammar is not None
    assert [grammar.count_answer(words.split()) for words in ("no it", "that's", "no thank you", "")] == [1, 0, 3, 0]
