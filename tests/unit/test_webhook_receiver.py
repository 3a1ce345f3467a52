"""The receiver of webhooks that tests use has the faults that it says."""

import asyncio
import json

import pytest

from tests.fakes.webhook_receiver import Fault, Reply, WebhookReceiver, find_wrong_signatures, list_event_ids

_BODY = json.dumps({"id": "evt_1"}).encode()
_HEAD = (
    b"POST /hooks HTTP/1.1\r\nX-Truedy-Timestamp: 1700000000\r\nX-Truedy-Signature: %s\r\nContent-Length: %d\r\n\r\n"
)
# Computed with: printf '1700000000.{"id": "evt_1"}' | openssl dgst -sha256 -hmac secret
_SIGNATURE = b"597001ebce011d2752ee931a48e5963d0cbbbeb0cb1a1210e04691202c4ab988"


async def _ask(receiver: WebhookReceiver, *, times: int = 1, at_most: int = 100_000) -> list[bytes]:
    port = int(receiver.url.split(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    async with asyncio.timeout(20):
        for _ in range(times):
            writer.write(_HEAD % (_SIGNATURE, len(_BODY)) + _BODY)
            try:
                answers.append(await reader.read(at_most))
            except ConnectionResetError:
                answers.append(b"reset")
    writer.close()
    return answers


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("reset", b"reset"),
        ("garbage", b"\x00\x01 this is no HTTP\r\n\r\n"),
        ("cut", b"HTTP/1.1 200 Whatever\r\nContent-Length: 100\r\n\r\nhalf"),
    ],
)
async def test_a_fault_is_answered_as_it_says(fault: Fault, answer: bytes) -> None:
    async with WebhookReceiver(lambda _request: Reply(200, fault=fault)).run() as receiver:
        assert await _ask(receiver) == [answer]
        assert receiver.accepted == []
        assert len(receiver.seen) == 1


@pytest.mark.parametrize(
    ("fault", "beginning"), [("drip", b"HTTP/1.1 200"), ("huge", b"HTTP/1.1 200"), ("headers", b"HTTP/1.1 200")]
)
async def test_an_answer_without_end_begins_and_goes_on(fault: Fault, beginning: bytes) -> None:
    async with WebhookReceiver(lambda _request: Reply(200, fault=fault)).run() as receiver:
        [begun] = await _ask(receiver, at_most=12)
        assert begun == beginning


async def test_what_is_accepted_is_kept_in_order_over_one_connection() -> None:
    async with WebhookReceiver().run() as receiver:
        assert await _ask(receiver, times=2) == [b"HTTP/1.1 204 Whatever\r\n\r\n"] * 2
        assert (len(receiver.accepted), receiver.connections, receiver.most_at_once) == (2, 1, 1)
        assert list_event_ids(receiver.accepted) == ["evt_1"]


async def test_a_connection_is_closed_without_a_word() -> None:
    async with WebhookReceiver(lambda _request: Reply(fault="forget")).run() as receiver:
        assert await _ask(receiver, times=2) == [b"HTTP/1.1 204 Whatever\r\n\r\n", b""]
        assert len(receiver.accepted) == 1


async def test_signatures_are_checked_as_the_documentation_does() -> None:
    async with WebhookReceiver().run() as receiver:
        await _ask(receiver)
        assert find_wrong_signatures(receiver.accepted, "secret") == []
        assert find_wrong_signatures(receiver.accepted, "another") == receiver.accepted
