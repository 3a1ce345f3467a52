"""Which pages of a site are fetched, and how one is."""

from collections.abc import AsyncIterator

import pytest

from ringdown.knowledge import crawling
from ringdown.knowledge.crawling import Crawler, Frontier, Skipped
from ringdown.outbound import OutboundClient
from tests.fakes.web_server import Answer, FakeWebServer


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.COM:80", "http://example.com/"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
    ],
)
def test_a_page_has_one_spelling(url: str, expected: str) -> None:
    assert crawling.normalise(url) == expected


@pytest.mark.parametrize("url", ["ftp://x", "example.com", "https://", "https://u:p@x", "http://x:99999", "http://[x"])
def test_what_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        crawling.normalise(url)


def drain(frontier: Frontier) -> list[str]:
    return [taken[0] for taken in iter(frontier.take, None)]


def test_links_are_taken_on_the_same_site_only_and_once() -> None:
    frontier = Frontier(["https://example.com/"], max_depth=2, max_pages=50)
    assert frontier.take() == ("https://example.com/", 0)
    links = [
        "https://www.example.com/a", "http://example.com/b#x", "http://example.com/b", "https://sub.example.com/",
        "https://example.com/photo.JPG", "https://example.com/", "mailto:x@example.com", "http://[broken",
    ]  # fmt: skip
    frontier.add_links(links, depth=0)
    assert drain(frontier) == ["https://www.example.com/a", "http://example.com/b"]


def test_depth_and_number_of_pages_are_bounded() -> None:
    frontier = Frontier(["https://x/0"], max_depth=1, max_pages=3)
    frontier.take()
    frontier.add_links([f"https://x/{number}" for number in range(1, 1000)], depth=0)
    assert len(frontier.save()["waiting"]) == 8
    assert 0.3 < frontier.progress < 0.4
    assert frontier.take() == ("https://x/1", 1)
    frontier.add_links(["https://x/deep"], depth=1)
    assert drain(frontier) == ["https://x/2"]
    assert frontier.progress == 1


def test_a_saved_frontier_goes_on_where_it_was() -> None:
    frontier = Frontier(["https://x/0"], max_depth=1, max_pages=5)
    frontier.take()
    frontier.add_links(["https://x/1", "https://x/2"], depth=0)
    frontier.take()
    restored = Frontier.restore(["https://x/0"], frontier.save(), max_depth=1, max_pages=5)
    restored.add_links(["https://x/1"], depth=0)
    assert restored.fetched == 2
    assert drain(restored) == ["https://x/2"]


@pytest.fixture
async def site() -> AsyncIterator[FakeWebServer]:
    server = FakeWebServer(answers=[Answer(b"not here", status=404)])
    async with server.run():
        yield server


@pytest.fixture
async def crawler() -> AsyncIterator[Crawler]:
    client = OutboundClient(private_allowed=True)
    yield Crawler(client)
    await client.close()


async def skip(crawler: Crawler, site: FakeWebServer, path: str = "/") -> str:
    url = f"{site.url}{path}"
    with pytest.raises(Skipped) as skipped:
        await crawler.fetch(url, Frontier([url], max_depth=0, max_pages=9))
    return str(skipped.value)


async def test_a_page_is_told_by_its_type_and_charset(crawler: Crawler, site: FakeWebServer) -> None:
    site.pages["/"] = Answer(b"caf\xe9", headers={"content-type": 'Text/HTML; Charset="iso-8859-1"'})
    page = await crawler.fetch(f"{site.url}/", Frontier([site.url], max_depth=0, max_pages=9))
    assert (page.format, page.charset, page.content) == ("html", "iso-8859-1", b"caf\xe9")
    site.pages["/"] = Answer(b"GIF89a", headers={"content-type": "image/gif"})
    assert await skip(crawler, site) == "it is neither a page nor a document, but image/gif"


async def test_robots_are_read_once_and_obeyed_after_a_redirect_too(crawler: Crawler, site: FakeWebServer) -> None:
    site.pages["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /secret\nCrawl-delay: 3")
    site.pages["/"] = Answer(status=302, headers={"location": "/secret"})
    site.pages["/secret"] = Answer(b"x", headers={"content-type": "text/html"})
    assert await skip(crawler, site, "/secret") == "the site's robots.txt does not allow it"
    assert await skip(crawler, site) == "the site's robots.txt does not allow it"
    assert await crawler.get_delay_s(site.url) == 3
    assert [request.target for request in site.requests].count("/robots.txt") == 1


@pytest.mark.parametrize(("status", "is_taken"), [(404, True), (403, True), (500, False), (503, False)])
async def test_a_site_that_cannot_tell_its_rules_is_left_alone(
    crawler: Crawler, site: FakeWebServer, status: int, is_taken: bool
) -> None:
    site.pages["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /", status=status)
    site.pages["/"] = Answer(b"x", headers={"content-type": "text/html"})
    if is_taken:
        assert (await crawler.fetch(f"{site.url}/", Frontier([site.url], max_depth=0, max_pages=9))).content == b"x"
    else:
        assert await skip(crawler, site) == "the site's robots.txt does not allow it"


async def test_a_connection_that_breaks_is_a_reason(crawler: Crawler, site: FakeWebServer) -> None:
    site.pages["/"] = Answer(fault="garbage")
    assert "127.0.0.1" in await skip(crawler, site)
    site.pages["/robots.txt"] = Answer(fault="hang_up")
    assert "127.0.0.1" in await skip(Crawler(crawler._client), site)


async def test_a_redirect_to_an_endless_url_is_a_reason(crawler: Crawler, site: FakeWebServer) -> None:
    target = "/" + "a" * 3000
    site.pages["/"] = Answer(status=302, headers={"location": target})
    site.pages[target] = Answer(b"x", headers={"content-type": "text/html"})
    assert await skip(crawler, site) == "it redirects to a URL that cannot be used"
