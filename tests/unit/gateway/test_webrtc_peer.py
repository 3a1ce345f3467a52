"""One browser of a call: what it may say, what it is told, and when it has gone."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.calls.models import TranscriptTurn
from ringdown.gateway.webrtc_peer import BadMessage, Browser
from ringdown.sip.events import DigitPressed, Ended, ReofferFailed

_PATIENCE_S = 20


def told(browser: Browser) -> list[dict[str, Any]]:
    """What is to be sent, until now."""
    messages: list[dict[str, Any]] = []
    while not browser.outbox.empty():
        message = browser.outbox.get_nowait()
        assert message is not None
        messages.append(message)
    return messages


async def read_events(browser: Browser) -> list[object]:
    """All until the end."""
    async with asyncio.timeout(_PATIENCE_S):
        return [event async for event in browser.events()]


def make_turn(position: int, speaker: Any, text: str) -> TranscriptTurn:
    return TranscriptTurn(position=position, speaker=speaker, text=text, start_ms=0, end_ms=20)


async def test_an_offer_and_candidates_are_kept_for_whoever_connects() -> None:
    browser = Browser()
    browser.take('{"type": "offer", "sdp": "v=0"}')
    browser.take('{"type": "candidate", "candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"}')
    for end in ('""', "null"):
        browser.take(f'{{"type": "candidate", "candidate": {end}}}')
    assert await browser.offer == "v=0"
    assert browser.candidates.get_nowait() == "candidate:1 1 udp 1 192.0.2.1 9 typ host"
    assert browser.candidates.empty()


async def test_more_candidates_than_anybody_has_are_forgotten() -> None:
    browser = Browser()
    for _ in range(1000):
        browser.take('{"type": "candidate", "candidate": "candidate:1"}')
    assert browser.candidates.qsize() < 100


async def test_digits_and_hanging_up_are_events_of_the_far_end() -> None:
    browser = Browser()
    browser.take('{"type": "digits", "digits": "5#"}')
    browser.take('{"type": "hangup"}')
    browser.take('{"type": "hangup"}')
    assert await read_events(browser) == [DigitPressed("5"), DigitPressed("#"), Ended("bye")]
    assert browser.is_gone.is_set()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nonsense",
        b"\xff",
        "[" * 100_000,
        "{}",
        '{"type": "dance"}',
        '{"type": []}',
        '{"type": "offer"}',
        '{"type": "candidate", "candidate": 7}',
        '{"type": "digits", "digits": ""}',
        '{"type": "digits", "digits": "x"}',
        '{"type": "digits", "digits": "111111111111111111111111111111111"}',
    ],
)
async def test_what_is_not_in_the_protocol_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadMessage):
        Browser().take(text)


async def test_a_second_offer_is_refused() -> None:
    browser = Browser()
    browser.take('{"type": "offer", "sdp": "v=0"}')
    with pytest.raises(BadMessage, match="one offer"):
        browser.take('{"type": "offer", "sdp": "v=0"}')


ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
ALMOST = st.dictionaries(
    st.sampled_from(["type", "sdp", "candidate", "digits"]),
    st.sampled_from(["offer", "candidate", "digits", "hangup", 1, None, [], {}, "#", "ä"]),
)


def test_any_json_is_taken_or_refused() -> None:
    with asyncio.Runner() as runner:

        @given(ANYTHING | ALMOST)
        def take(message: object) -> None:
            async def take() -> None:
                try:
                    Browser().take(json.dumps(message))
                except BadMessage as refusal:
                    assert str(refusal).isascii()

            runner.run(take())

        take()


async def test_a_status_is_told_when_it_is_new_and_each_turn_once() -> None:
    browser, turns = Browser(), [make_turn(0, "agent", "Hello.")]
    browser.follow("speaking", "", [])
    browser.follow("listening", "", turns)
    browser.follow("listening", "ye", turns)
    browser.follow("listening", "ye", turns)
    turns.append(make_turn(1, "contact", "yes"))
    browser.follow("thinking", "", turns)
    words = {"type": "transcript", "isFinal": True}
    assert told(browser) == [
        {"type": "status", "status": "speaking"},
        {**words, "speaker": "agent", "text": "Hello."},
        {"type": "status", "status": "listening"},
        {"type": "transcript", "speaker": "user", "text": "ye", "isFinal": False},
        {**words, "speaker": "user", "text": "yes"},
        {"type": "status", "status": "thinking"},
    ]


async def test_after_the_end_the_last_turns_are_told_and_no_status() -> None:
    browser = Browser()
    await browser.bye()
    await browser.bye()
    browser.follow("listening", "", [make_turn(0, "agent", "Bye.")])
    assert [message["type"] for message in told(browser)] == ["status", "transcript"]
    assert await read_events(browser) == [Ended("local")]


async def test_saying_goodbye_lets_go_of_the_media_once() -> None:
    browser, goodbyes = Browser(), []

    async def say_goodbye() -> None:
        goodbyes.append(1)

    browser.say_goodbye = say_goodbye
    await browser.bye()
    await browser.bye()
    assert goodbyes == [1]


async def test_a_browser_that_stays_away_has_hung_up() -> None:
    browser = Browser(grace_s=0.01)
    browser.lost()
    assert await read_events(browser) == [Ended("bye")]


async def test_a_browser_that_comes_back_has_not_hung_up() -> None:
    browser = Browser(grace_s=0.05)
    browser.lost()
    browser.found()
    later = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.2, later.set_result, None)
    await later
    assert not browser.is_gone.is_set()


async def test_a_browser_that_reads_nothing_takes_no_memory() -> None:
    browser = Browser()
    for number in range(10_000):
        browser.tell(type="error", message=str(number))
    assert browser.outbox.qsize() < 1000


async def test_a_browser_takes_no_other_offers_and_calls_nobody() -> None:
    browser = Browser()
    assert not browser.allows("REFER")
    assert (await browser.refer("sip:a@b.example", timeout_s=1)).is_refused
    with pytest.raises(ReofferFailed):
        await browser.reoffer(b"v=0")
