"""Posting over kept connections, to receivers with every kind of fault."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from ringdown.webhooks import connection
from ringdown.webhooks.posting import Poster, PostFailed
from tests.fakes.webhook_receiver import Fault, Reply, WebhookReceiver
from tests.wire.certificates import Authority

_BODY = b'{"id": "evt_1"}'


def _open(url: str, **options: object) -> Poster:
    return Poster(url, **({"private_allowed": True} | options))  # type: ignore[arg-type]


async def test_a_body_arrives_byte_by_byte_with_its_headers() -> None:
    async with WebhookReceiver(lambda _request: Reply(200, b"thanks", {"Retry-After": "7"})).run() as receiver:
        poster = _open(f"{receiver.url}?key=a%20b")
        answer = await poster.post({"X-Truedy-Timestamp": "1"}, _BODY, timeout_s=20)
        assert (answer.status, answer.body, answer.retry_after) == (200, b"thanks", "7")
        [request] = receiver.seen
        assert (request.method, request.target, request.body) == ("POST", "/hooks?key=a%20b", _BODY)
        assert request.headers == {
            "host": receiver.url.split("/")[2],
            "user-agent": "Ringdown/0.1",
            "content-type": "application/json",
            "accept": "*/*",
            "accept-encoding": "identity",
            "content-length": str(len(_BODY)),
            "x-truedy-timestamp": "1",
        }
        poster.close()


async def test_a_connection_is_used_again() -> None:
    async with WebhookReceiver().run() as receiver:
        poster = _open(receiver.url)
        for _ in range(3):
            await poster.post({}, _BODY, timeout_s=20)
        assert receiver.connections == 1
        poster.close_idle(unused_s=0)
        await poster.post({}, _BODY, timeout_s=20)
        assert receiver.connections == 2
        poster.close()


@pytest.mark.parametrize("headers", [{}, {"Connection": "close"}])
async def test_a_receiver_that_keeps_no_connection_gets_everything_once(headers: dict[str, str]) -> None:
    async with WebhookReceiver(lambda _request: Reply(200, b"ok", headers, fault="forget")).run() as receiver:
        poster = _open(receiver.url)
        for _ in range(5):
            assert (await poster.post({}, _BODY, timeout_s=20)).body == b"ok"
        assert len(receiver.accepted) == 5
        poster.close()


async def test_an_answer_may_end_with_the_connection_and_follow_an_interim_one() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(_BODY)
        writer.write(b"HTTP/1.1 103 Early\r\nLink: </>\r\n\r\nHTTP/1.0 202 Accepted\r\n\r\nuntil the end")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    poster = _open(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    answer = await poster.post({}, _BODY, timeout_s=20)
    assert (answer.status, answer.body) == (202, b"until the end")
    server.close()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("silent", "127.0.0.1 did not answer completely within 0.3 seconds."),
        ("drip", "127.0.0.1 did not answer completely within 0.3 seconds."),
        ("reset", "127.0.0.1 answered wrongly or not to the end."),
        ("cut", "127.0.0.1 answered wrongly or not to the end."),
        ("garbage", "127.0.0.1 answered wrongly or not to the end."),
        ("headers", "127.0.0.1 answered wrongly or not to the end."),
    ],
)
async def test_a_fault_is_told_in_a_sentence_and_the_next_request_is_served(fault: Fault, sentence: str) -> None:
    replies = [Reply(200, fault=fault)]
    async with WebhookReceiver(lambda _request: replies.pop() if replies else Reply()).run() as receiver:
        poster = _open(receiver.url)
        with pytest.raises(PostFailed) as failure:
            await poster.post({}, _BODY, timeout_s=0.3 if "0.3" in sentence else 20)
        assert str(failure.value) == sentence
        assert (await poster.post({}, _BODY, timeout_s=20)).status == 204
        poster.close()


async def test_of_a_huge_answer_the_beginning_is_read() -> None:
    async with WebhookReceiver(lambda _request: Reply(200, fault="huge")).run() as receiver:
        answer = await _open(receiver.url).post({}, _BODY, timeout_s=20)
        assert (answer.status, len(answer.body)) == (200, connection.KEPT_BODY)


async def test_a_redirect_is_an_answer() -> None:
    async with WebhookReceiver(
        lambda _request: Reply(307, headers={"Location": "http://127.0.0.1:1/"})
    ).run() as receiver:
        poster = _open(receiver.url)
        assert (await poster.post({}, _BODY, timeout_s=20)).status == 307
        assert len(receiver.seen) == 1
        poster.close()


async def test_a_port_on_which_nobody_listens_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(PostFailed, match="could not be reached"):
            await _open(f"http://127.0.0.1:{unused.getsockname()[1]}/").post({}, _BODY, timeout_s=20)


async def test_private_addresses_and_plain_http_are_refused_unless_allowed() -> None:
    async with WebhookReceiver().run() as receiver:
        for url, word in (
            (receiver.url, "https://"),
            (receiver.url.replace("http:", "https:"), "not a public address"),
            ("https://169.254.169.254/", "not a public address"),
        ):
            with pytest.raises(PostFailed, match=word):
                await _open(url, private_allowed=False).post({}, _BODY, timeout_s=20)
        assert receiver.connections == 0


async def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    answers = [["93.184.215.14", "127.0.0.1"], ["127.0.0.1"]]

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    async with WebhookReceiver().run() as receiver:
        url = receiver.url.replace("http://127.0.0.1", "https://hooks.example")
        for _ in range(2):
            with pytest.raises(PostFailed, match=r"hooks\.example is not a public address"):
                await _open(url, private_allowed=False, resolve=resolve).post({}, _BODY, timeout_s=20)
        assert (receiver.connections, answers) == (0, [])


async def test_those_that_connect_at_once_ask_the_name_server_once() -> None:
    asked = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        await asyncio.sleep(0)
        return ["127.0.0.1"]

    async with WebhookReceiver().run() as receiver:
        poster = _open(receiver.url.replace("127.0.0.1", "hooks.example"), resolve=resolve)
        await asyncio.gather(*(poster.post({}, _BODY, timeout_s=20) for _ in range(5)))
        assert (asked, len(receiver.accepted)) == (["hooks.example"], 5)
        assert receiver.seen[0].headers["host"].startswith("hooks.example:")
        poster.close()


async def test_a_name_that_cannot_be_resolved_is_told() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(PostFailed, match=r"hooks\.example could not be reached"):
        await _open("https://hooks.example/", resolve=resolve).post({}, _BODY, timeout_s=20)


async def test_a_dead_address_does_not_hide_a_living_one() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.9", "127.0.0.1"]

    async with WebhookReceiver().run() as receiver:
        poster = _open(receiver.url.replace("127.0.0.1", "hooks.example"), resolve=resolve)
        assert (await poster.post({}, _BODY, timeout_s=20)).status == 204
        poster.close()


async def test_tls_is_checked_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.sign("hooks.example").write(tmp_path, "server"))
    async with WebhookReceiver().run(tls=tls) as receiver:
        poster = _open(receiver.url.replace("127.0.0.1", "hooks.example"), resolve=resolve)
        for _ in range(2):
            assert (await poster.post({}, _BODY, timeout_s=20)).status == 204
        assert receiver.connections == 1
        with pytest.raises(PostFailed, match=r"certificate of other\.example is not valid: .*mismatch"):
            await _open(receiver.url.replace("127.0.0.1", "other.example"), resolve=resolve).post(
                {}, _BODY, timeout_s=20
            )
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(PostFailed, match=r"certificate of hooks\.example is not valid"):
            await _open(receiver.url.replace("127.0.0.1", "hooks.example"), resolve=resolve).post(
                {}, _BODY, timeout_s=20
            )
        poster.close()


async def test_a_receiver_that_speaks_no_tls_is_told() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(PostFailed, match="does not speak TLS"):
        await _open(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/").post({}, _BODY, timeout_s=20)
    server.close()
