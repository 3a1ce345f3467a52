"""HTML pages to Markdown: what a page says, without its menus, and where it links to."""

import re
from urllib.parse import urljoin

import bs4
from bs4.element import NavigableString, PageElement

from ringdown.knowledge import text_file
from ringdown.knowledge.pieces import Piece, Request, cut

_SPACES = re.compile(r"[ \t\u00a0\u2000-\u200b\u202f\u3000]+")
_BLANK_LINES = re.compile(r"\n{2,}")
# What a page is decorated with; none of it is what the page says.
_DECORATION = (
    "script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "header", "footer", "aside", "form",
    "button", "select", "head",
)  # fmt: skip
_BLOCKS = frozenset((
    "address", "article", "blockquote", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "hr",
    "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "thead", "ul",
))  # fmt: skip


def read(request: Request, content: bytes) -> Piece:
    """The piece of the page that was asked for, and where the page links to."""
    url = request.url
    soup = bs4.BeautifulSoup(content, "lxml", from_encoding=request.charset)
    title = " ".join(soup.title.get_text().split()) if soup.title else None
    robots = soup.find("meta", attrs={"name": re.compile("^robots$", re.IGNORECASE)})
    orders = str(robots.get("content", "")).lower() if isinstance(robots, bs4.Tag) else ""
    links = [] if url is None or "nofollow" in orders or "none" in orders else _list_links(soup, url)
    if url is not None and ("noindex" in orders or "none" in orders):
        return Piece(title=title, links=links)
    for tag in soup.find_all(_DECORATION):
        tag.decompose()
    body = soup.find("main") or soup.find("article") or soup.body or soup
    assert isinstance(body, bs4.Tag)
    pieces: list[str] = []
    _write_html(body, pieces)
    lines = (_SPACES.sub(" ", line).strip() for line in text_file.clean("".join(pieces)).split("\n"))
    text = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
    return cut(text, request, is_markdown=True, title=title or None, links=links)


def _list_links(soup: bs4.BeautifulSoup, url: str) -> list[str]:
    base = soup.find("base", href=True)
    links = []
    try:
        root = urljoin(url, str(base["href"])) if isinstance(base, bs4.Tag) else url
    except ValueError:
        root = url
    for anchor in soup.find_all("a", href=True):
        if "nofollow" in str(anchor.get("rel", "")):
            continue
        try:
            link = urljoin(root, str(anchor["href"]).strip())
        except ValueError:
            continue
        if link.startswith(("http://", "https://")):
            links.append(link)
    return list(dict.fromkeys(links))


def _write_html(tag: bs4.Tag, pieces: list[str]) -> None:
    """Write the text of a tag as Markdown; a stack, because pages nest deeper than functions may."""
    waiting: list[PageElement | str] = [tag]
    while waiting:
        node = waiting.pop()
        if isinstance(node, bs4.Tag):
            before, after = _surround(node)
            pieces.append(before)
            waiting.append(after)
            waiting.extend(reversed(node.contents))
        elif type(node) is NavigableString:
            is_verbatim = node.find_parent("pre") is not None
            pieces.append(node if is_verbatim else " ".join(f"\0{node}\0".split()).replace("\0", ""))
            if not is_verbatim and node[-1:].isspace():
                pieces.append(" ")
        elif type(node) is str:
            pieces.append(node)


def _surround(tag: bs4.Tag) -> tuple[str, str]:
    name = tag.name
    if re.fullmatch("h[1-6]", name):
        return f"\n\n{'#' * int(name[1])} ", "\n\n"
    if name == "br":
        return "\n", ""
    if name == "li":
        return "\n- ", "\n"
    if name in ("td", "th"):
        return "", " | "
    if name == "tr":
        return "\n", ""
    if name == "img" and tag.get("alt"):
        return f" {tag['alt']} ", ""
    return ("\n\n", "\n\n") if name in _BLOCKS else ("", "")
