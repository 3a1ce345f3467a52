"""The guarded HTTP client: which addresses it refuses, what it bounds, and what it leaves behind on a redirect."""

import asyncio
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx2
import pytest

from ringdown import outbound
from ringdown.outbound import OutboundClient, OutboundError
from tests.fakes.web_server import Answer, FakeWebServer
from tests.wire.certificates import Authority

_PATIENCE_S = 20.0


class Names:
    """A name server of the test: each name's answers in turn, the last one stays."""

    def __init__(self, **answers: list[str]) -> None:
        self._answers = {name.replace("_", "."): answers for name, answers in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        known = self._answers.get(host)
        if known is None:
            raise OSError("no such name")
        return (known.pop(0) if len(known) > 1 else known[0]).split()


@pytest.fixture
async def server() -> AsyncIterator[FakeWebServer]:
    async with FakeWebServer().run() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    opened = OutboundClient(private_allowed=True)
    yield opened
    await opened.close()


async def _get(
    client: OutboundClient, url: str, *, timeout_s: float = _PATIENCE_S, max_redirects: int = 0, max_bytes: int = 1000
) -> outbound.Response:
    return await client.send("GET", url, timeout_s=timeout_s, max_bytes=max_bytes, max_redirects=max_redirects)


async def _refuse(client: OutboundClient, url: str, **bounds: float | int) -> OutboundError:
    with pytest.raises(OutboundError) as refused:
        await _get(client, url, **bounds)  # type: ignore[arg-type]
    return refused.value


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        "168.63.129.16",  # Azure's own services
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("100::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::808:808"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ],
)
def test_addresses_that_are_not_of_the_public_internet_are_told_apart(address: str) -> None:
    assert not outbound.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "192.0.1.1",
        "223.255.255.1",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_public_addresses_are_public(address: str) -> None:
    assert outbound.is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0",
        "[64:ff9b::7f00:1]",
    ],
)
async def test_every_spelling_of_the_own_machine_is_refused(host: str, server: FakeWebServer) -> None:
    client = OutboundClient(private_allowed=False)
    refused = await _refuse(client, f"http://{host}:{server.port}/")
    assert refused.reason in ("refused_address", "bad_url", "connection")
    assert not refused.is_sent
    assert server.connections == 0
    await client.close()


async def test_a_private_address_is_named_as_the_reason(server: FakeWebServer) -> None:
    client = OutboundClient(private_allowed=False)
    refused = await _refuse(client, f"{server.url}/secret-path?key=hush")
    assert refused.reason == "refused_address"
    assert "127.0.0.1" in str(refused)
    assert "secret-path" not in str(refused)
    assert "hush" not in str(refused)
    await client.close()


async def test_one_private_address_among_public_ones_refuses_the_name(server: FakeWebServer) -> None:
    names = Names(tool_example=["93.184.215.14 127.0.0.1"])
    client = OutboundClient(private_allowed=False, resolve=names.resolve)
    assert (await _refuse(client, f"http://tool.example:{server.port}/")).reason == "refused_address"
    assert server.connections == 0
    await client.close()


async def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(
    server: FakeWebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second answer is where a rebinding name would lead.
    names = Names(tool_example=["127.0.0.1", "192.0.2.1"])
    checked: list[str] = []
    is_public = outbound.is_public
    monkeypatch.setattr(outbound, "is_public", lambda address: checked.append(address) or True)
    client = OutboundClient(private_allowed=False, resolve=names.resolve)
    response = await _get(client, f"http://tool.example:{server.port}/")
    assert response.status == 200
    assert names.asked == ["tool.example"]
    assert checked == ["127.0.0.1"]
    assert server.requests[0].headers["host"] == f"tool.example:{server.port}"
    assert not is_public("127.0.0.1")
    await client.close()


async def test_a_name_that_turns_private_for_its_next_connection_is_refused(
    server: FakeWebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = [Answer(headers={"connection": "close"})]
    names = Names(tool_example=["127.0.0.1", "10.0.0.1"])
    monkeypatch.setattr(outbound, "is_public", lambda address: address == "127.0.0.1")
    client = OutboundClient(private_allowed=False, resolve=names.resolve)
    assert (await _get(client, f"http://tool.example:{server.port}/")).status == 200
    assert (await _refuse(client, f"http://tool.example:{server.port}/")).reason == "refused_address"
    await client.close()


async def test_the_next_address_is_tried_when_one_is_dead(server: FakeWebServer) -> None:
    names = Names(tool_example=["127.0.0.77 127.0.0.1"])  # nobody listens on the first
    client = OutboundClient(private_allowed=True, resolve=names.resolve)
    assert (await _get(client, f"http://tool.example:{server.port}/")).status == 200
    await client.close()


async def test_a_name_that_does_not_exist_was_surely_not_sent_to() -> None:
    client = OutboundClient(private_allowed=True, resolve=Names().resolve)
    refused = await _refuse(client, "http://absent.example/")
    assert (refused.reason, refused.is_sent) == ("connection", False)
    await client.close()


async def test_a_certificate_is_checked_against_the_name_although_the_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    certificate, private_key = authority.sign("tool.example").write(tmp_path, "server")
    (tmp_path / "ca.pem").write_text(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, private_key)
    names = Names(tool_example=["127.0.0.1"], other_example=["127.0.0.1"])
    client = OutboundClient(private_allowed=True, resolve=names.resolve)
    async with FakeWebServer().run(tls=tls) as server:
        assert (await _get(client, f"https://tool.example:{server.port}/")).status == 200
        refused = await _refuse(client, f"https://other.example:{server.port}/")
        assert (refused.reason, refused.is_sent) == ("connection", False)
        assert len(server.requests) == 1
    await client.close()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "",
        "http://",
        "http://user:pass@example.com/",
        "http://example.com:99999/",
        "http://exa mple.com/",
        "http://[::1/",
        "http:/x",
        f"http://example.com/{'x' * 9000}",
    ],
)
async def test_what_is_no_plain_web_address_is_refused(url: str, client: OutboundClient) -> None:
    refused = await _refuse(client, url)
    assert (refused.reason, refused.is_sent) == ("bad_url", False)
    assert "pass" not in str(refused).replace("password", "")


async def test_query_headers_and_body_arrive_as_they_were_given(client: OutboundClient, server: FakeWebServer) -> None:
    await client.send(
        "POST",
        f"{server.url}/find?page=1#part",
        headers={"X-Name": "José", "Accept-Encoding": "br"},
        query=[("q", "a b&c"), ("q", "é")],
        body=b'{"a": 1}',
        timeout_s=_PATIENCE_S,
        max_bytes=1000,
    )
    [received] = server.requests
    assert (received.method, received.target) == ("POST", "/find?page=1&q=a+b%26c&q=%C3%A9")
    assert received.headers["x-name"] == "José"
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["user-agent"].startswith("Ringdown/")
    assert received.body == b'{"a": 1}'


async def test_an_answer_has_status_headers_and_body(client: OutboundClient, server: FakeWebServer) -> None:
    server.answers = [Answer(b"gone", 410, {"X-Reason": "Moved"})]
    response = await _get(client, server.url)
    assert (response.status, response.body, response.headers["x-reason"]) == (410, b"gone", "Moved")


async def test_a_connection_is_used_again_and_no_cookie_is_kept(client: OutboundClient, server: FakeWebServer) -> None:
    server.answers = [Answer(headers={"Set-Cookie": "session=1; Path=/"})]
    for _ in range(3):
        await _get(client, server.url)
    assert server.connections == 1
    assert all("cookie" not in received.headers for received in server.requests)


@pytest.mark.parametrize("size", [1001, 5_000_000])
async def test_an_answer_over_the_limit_is_cut_off(size: int, client: OutboundClient, server: FakeWebServer) -> None:
    server.answers = [Answer(b"x" * size)]
    assert (await _refuse(client, server.url)).reason == "too_large"


async def test_an_answer_of_exactly_the_limit_is_read(client: OutboundClient, server: FakeWebServer) -> None:
    server.answers = [Answer(b"x" * 1000)]
    assert len((await _get(client, server.url)).body) == 1000


async def test_a_compressed_answer_is_inflated_within_the_limit(client: OutboundClient, server: FakeWebServer) -> None:
    for encoding, compress in [("gzip", gzip.compress), ("deflate", zlib.compress)]:
        server.answers = [Answer(compress(b"plain"), headers={"Content-Encoding": encoding})]
        assert (await _get(client, server.url)).body == b"plain"
    server.answers = [Answer(gzip.compress(b"x" * 900_000), headers={"Content-Encoding": "gzip"})]
    assert (await _refuse(client, server.url)).reason == "too_large"
    for encoding in ("gzip", "br"):
        server.answers = [Answer(b"not compressed", headers={"Content-Encoding": encoding})]
        assert (await _refuse(client, server.url)).reason == "connection"


async def test_who_never_answers_is_given_up(client: OutboundClient, server: FakeWebServer) -> None:
    server.answers = [Answer(fault="silent")]
    refused = await _refuse(client, server.url, timeout_s=0.1)
    assert (refused.reason, refused.is_sent) == ("timeout", True)


@pytest.mark.parametrize("fault", ["cut", "garbage", "hang_up"])
async def test_a_broken_answer_is_an_error(fault: str, client: OutboundClient, server: FakeWebServer) -> None:
    server.answers = [Answer(b"x" * 100, fault=fault)]  # type: ignore[arg-type]
    refused = await _refuse(client, server.url)
    assert (refused.reason, refused.is_sent) == ("connection", True)


async def test_nobody_listening_is_a_request_that_was_never_sent(client: OutboundClient) -> None:
    async with FakeWebServer().run() as server:
        url = server.url
    refused = await _refuse(client, url)
    assert (refused.reason, refused.is_sent) == ("connection", False)


async def test_a_header_that_would_end_the_head_is_refused(client: OutboundClient, server: FakeWebServer) -> None:
    with pytest.raises(OutboundError) as refused:
        await client.send("GET", server.url, headers={"X-A": "1\r\nX-B: 2"}, timeout_s=_PATIENCE_S, max_bytes=1000)
    assert refused.value.reason == "bad_url"
    assert server.requests == []


async def test_a_redirect_is_not_followed_unless_wanted(client: OutboundClient, server: FakeWebServer) -> None:
    server.pages = {"/a": Answer(b"", 302, {"Location": "/b"}), "/b": Answer(b"there")}
    assert (await _refuse(client, f"{server.url}/a")).reason == "redirect"
    response = await _get(client, f"{server.url}/a", max_redirects=1)
    assert (response.body, response.url) == (b"there", f"{server.url}/b")


async def test_redirects_in_a_circle_end(client: OutboundClient, server: FakeWebServer) -> None:
    server.answers = [Answer(b"", 302, {"Location": "/again"})]
    assert (await _refuse(client, server.url, max_redirects=4)).reason == "redirect"
    assert len(server.requests) == 5


async def test_a_redirect_to_a_private_address_is_refused(
    server: FakeWebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = [Answer(b"", 302, {"Location": "http://metadata.example/latest"})]
    names = Names(tool_example=["127.0.0.1"], metadata_example=["169.254.169.254"])
    monkeypatch.setattr(outbound, "is_public", lambda address: address == "127.0.0.1")
    client = OutboundClient(private_allowed=False, resolve=names.resolve)
    refused = await _refuse(client, f"http://tool.example:{server.port}/", max_redirects=3)
    assert refused.reason == "refused_address"
    await client.close()


@pytest.mark.parametrize(
    "location", ["ftp://example.com/", "http://u:p@example.com/", "http://[", "file:///etc/passwd"]
)
async def test_a_redirect_to_what_is_no_web_address_is_refused(
    location: str, client: OutboundClient, server: FakeWebServer
) -> None:
    server.answers = [Answer(b"", 302, {"Location": location})]
    assert (await _refuse(client, server.url, max_redirects=3)).reason in ("bad_url", "redirect")


async def test_headers_stay_behind_when_a_redirect_leads_to_another_origin(
    client: OutboundClient, server: FakeWebServer
) -> None:
    async with FakeWebServer().run() as other:
        server.pages = {
            "/near": Answer(b"", 307, {"Location": "/far"}),
            "/far": Answer(b"", 302, {"Location": f"{other.url}/end"}),
        }
        await client.send(
            "GET",
            f"{server.url}/near",
            headers={"X-Api-Key": "hush"},
            timeout_s=_PATIENCE_S,
            max_bytes=1000,
            max_redirects=3,
        )
        assert [received.headers.get("x-api-key") for received in server.requests] == ["hush", "hush"]
        assert "x-api-key" not in other.requests[0].headers
        assert other.requests[0].headers["host"] == f"127.0.0.1:{other.port}"


async def test_a_redirect_turns_a_post_into_a_get_except_where_it_must_be_repeated(
    client: OutboundClient, server: FakeWebServer
) -> None:
    for status, method, body in [(303, "GET", b""), (302, "GET", b""), (307, "POST", b"{}"), (308, "POST", b"{}")]:
        server.requests.clear()
        server.pages = {"/a": Answer(b"", status, {"Location": "/b"}), "/b": Answer()}
        await client.send("POST", f"{server.url}/a", body=b"{}", timeout_s=_PATIENCE_S, max_bytes=1000, max_redirects=1)
        assert (server.requests[1].method, server.requests[1].body) == (method, body)


async def test_a_body_is_not_carried_to_another_origin(client: OutboundClient, server: FakeWebServer) -> None:
    async with FakeWebServer().run() as other:
        server.answers = [Answer(b"", 307, {"Location": other.url})]
        with pytest.raises(OutboundError) as refused:
            await client.send("POST", server.url, body=b"{}", timeout_s=_PATIENCE_S, max_bytes=1000, max_redirects=1)
        assert refused.value.reason == "redirect"
        assert other.requests == []


async def test_a_cancelled_request_leaves_the_client_usable(client: OutboundClient, server: FakeWebServer) -> None:
    server.pages = {"/silent": Answer(fault="silent")}
    waiting = asyncio.create_task(_get(client, f"{server.url}/silent"))
    while not server.requests:
        await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await _get(client, server.url)).status == 200


async def test_a_librarys_client_on_our_transport_is_guarded_and_bounded(server: FakeWebServer) -> None:
    guarded = OutboundClient(private_allowed=False)
    async with httpx2.AsyncClient(transport=guarded.open_transport()) as library:
        with pytest.raises(httpx2.ConnectError):
            await library.get(server.url)
    await guarded.close()
    allowed = OutboundClient(private_allowed=True)
    async with httpx2.AsyncClient(transport=allowed.open_transport(max_bytes=10)) as library:
        server.answers = [Answer(b"x" * 11)]
        with pytest.raises(httpx2.ReadError):
            await library.get(server.url)
        server.answers = [Answer(gzip.compress(b""), headers={"Content-Encoding": "gzip"})]
        with pytest.raises(httpx2.RemoteProtocolError):
            await library.get(server.url)
        server.answers = [Answer(b"", fault="hang_up")]
        with pytest.raises(httpx2.RemoteProtocolError):
            await library.get(server.url)
        server.answers = [Answer(b"fits")]
        assert (await library.get(server.url)).text == "fits"
    await allowed.close()
