"""Fetches the pages of a web source: same site, a depth and a page limit, and what robots.txt allows."""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

from ringdown.knowledge import robots
from ringdown.knowledge.models import Format
from ringdown.knowledge.robots import Robots
from ringdown.outbound import OutboundClient, OutboundError, Response

MAX_DEPTH = 5
MAX_PAGES = 500
DEFAULT_PAGES = 50

_TIMEOUT_S = 20.0
_MAX_PAGE_BYTES = 20 * 1024 * 1024
_MAX_REDIRECTS = 5
_MAX_URL = 2_000
# Some pages fail: so many times what may still be fetched is kept waiting.
_WAITING_FACTOR = 4
_FORMATS: Mapping[str, Format] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "text/markdown": "markdown",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}
_NOT_PAGES = re.compile(
    r"\.(?:jpe?g|png|gif|webp|svg|ico|bmp|tiff?|avif|css|js|mjs|json|xml|rss|atom|zip|gz|tgz|tar|rar|7z|exe|dmg|iso|apk"
    r"|mp[34]|m4[av]|avi|mov|webm|ogg|wav|flac|woff2?|ttf|eot|xlsx?|pptx?|docm?|csv)$",
    re.IGNORECASE,
)


class Skipped(Exception):
    """A page that is not taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Page:
    """A fetched page and what it is read as; `url` is where it was found after redirects."""

    url: str
    format: Format
    charset: str | None
    content: bytes


class Frontier:
    """Which pages are to be fetched: those of the start, and what they link to on the same hosts, breadth first."""

    def __init__(self, urls: Sequence[str], *, max_depth: int, max_pages: int) -> None:
        starts = [normalise(url) for url in urls]
        self._hosts = {_name_site(url) for url in starts}
        self._max_depth = max_depth
        self._max_pages = max_pages
        self._waiting = deque((url, 0) for url in dict.fromkeys(starts))
        self._seen = set(starts)
        self.fetched = 0

    @classmethod
    def restore(cls, urls: Sequence[str], cursor: Mapping[str, Any] | None, *, max_depth: int, max_pages: int) -> Self:
        """The frontier as `save` left it; a new one without a cursor."""
        frontier = cls(urls, max_depth=max_depth, max_pages=max_pages)
        if cursor is not None:
            frontier._waiting = deque((url, depth) for url, depth in cursor["waiting"])
            frontier._seen = set(cursor["seen"])
            frontier.fetched = cursor["fetched"]
        return frontier

    def save(self) -> dict[str, Any]:
        """What `restore` needs to go on here."""
        return {
            "waiting": [list(entry) for entry in self._waiting],
            "seen": sorted(self._seen),
            "fetched": self.fetched,
        }

    @property
    def progress(self) -> float:
        """How much of what is known today has been fetched, from 0 to 1."""
        expected = min(self.fetched + len(self._waiting), self._max_pages)
        return self.fetched / expected if expected else 1.0

    def take(self) -> tuple[str, int] | None:
        """The next page and its depth; None at the end or at the page limit."""
        if not self._waiting or self.fetched >= self._max_pages:
            return None
        self.fetched += 1
        return self._waiting.popleft()

    def arrive(self, url: str, *, asked: str) -> None:
        """Check where a redirect led to.

        Raises `Skipped` for another site, for a page that was taken already, and for what is no URL of a page.
        """
        try:
            found = normalise(url)
        except ValueError as error:
            raise Skipped("it redirects to a URL that cannot be used") from error
        if found == asked:
            return
        if _name_site(found) not in self._hosts:
            raise Skipped("it redirects to another site")
        if found in self._seen:
            raise Skipped("it redirects to a page that is taken already")
        self._seen.add(found)

    def add_links(self, links: Sequence[str], *, depth: int) -> None:
        """Have the links of a page at `depth` fetched too, unless they lead too deep or elsewhere."""
        if depth >= self._max_depth:
            return
        for link in links:
            if len(self._waiting) >= _WAITING_FACTOR * (self._max_pages - self.fetched):
                return
            try:
                url = normalise(link)
            except ValueError:
                continue
            is_page = _name_site(url) in self._hosts and not _NOT_PAGES.search(urlsplit(url).path)
            if is_page and url not in self._seen:
                self._seen.add(url)
                self._waiting.append((url, depth + 1))


class Crawler:
    """Fetches single pages; reads robots.txt once per host."""

    def __init__(self, client: OutboundClient) -> None:
        self._client = client
        self._robots: dict[str, Robots] = {}

    async def fetch(self, url: str, frontier: Frontier) -> Page:
        """One page. Raises `Skipped` with the reason why there is none."""
        await self._check(url)
        try:
            answer = await self._get(url, max_bytes=_MAX_PAGE_BYTES)
        except OutboundError as error:
            raise Skipped(str(error)) from error
        if answer.status != 200:
            raise Skipped(f"it answers with the status {answer.status}")
        if answer.url != url:
            frontier.arrive(answer.url, asked=url)
            await self._check(answer.url)
        kind, _, parameters = answer.headers.get("content-type", "text/html").partition(";")
        form = _FORMATS.get(kind.strip().lower())
        if form is None:
            raise Skipped(f"it is neither a page nor a document, but {kind.strip()[:60]}")
        charset = re.search(r"charset=\"?([\w.:-]+)", parameters, re.IGNORECASE)
        return Page(answer.url, form, charset[1] if charset else None, answer.body)

    async def get_delay_s(self, url: str) -> float:
        """How long the site wants to be left alone between two pages, in seconds."""
        return (await self._get_robots(url)).delay_s

    async def _check(self, url: str) -> None:
        parts = urlsplit(url)
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if not (await self._get_robots(url)).allows(path):
            raise Skipped("the site's robots.txt does not allow it")

    async def _get_robots(self, url: str) -> Robots:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            self._robots[origin] = await self._read_robots(urljoin(origin, "/robots.txt"))
        return self._robots[origin]

    async def _read_robots(self, url: str) -> Robots:
        # Without a file everything is allowed; a site that cannot tell is left alone (RFC 9309 §2.3.1).
        try:
            answer = await self._get(url, max_bytes=1024 * 1024)
        except OutboundError as error:
            return robots.ALLOW_ALL if error.reason in ("redirect", "too_large") else _refuse(error)
        if answer.status >= 500:
            return robots.DISALLOW_ALL
        return Robots.parse(answer.body.decode("utf-8", "replace")) if answer.status == 200 else robots.ALLOW_ALL

    async def _get(self, url: str, *, max_bytes: int) -> Response:
        return await self._client.send(
            "GET", url, timeout_s=_TIMEOUT_S, max_bytes=max_bytes, max_redirects=_MAX_REDIRECTS
        )


def normalise(url: str) -> str:
    """One spelling of a page's URL: no fragment, no default port, lower-case host. Raises `ValueError`."""
    parts = urlsplit(url.strip())
    scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    if scheme not in ("http", "https") or not host or parts.username or parts.password or len(url) > _MAX_URL:
        raise ValueError("must be a URL that begins with http:// or https:// and holds no login")
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, 443 if scheme == "https" else 80) else f"{host}:{port}"
    return urlunsplit((scheme, place, parts.path or "/", parts.query, ""))


def _name_site(url: str) -> str:
    # http and https, with and without www., are one site to everybody but a URL.
    return urlsplit(url).netloc.removeprefix("www.")


def _refuse(error: OutboundError) -> Robots:
    raise Skipped(str(error)) from error
