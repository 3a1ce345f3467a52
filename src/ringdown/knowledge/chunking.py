"""Cuts a text into chunks along its headings, paragraphs and sentences; pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ringdown.knowledge.models import Chunk

#: A chunk is about this long, with what it repeats of the one before at most 120 characters longer.
TARGET_LENGTH = 800
OVERLAP_LENGTH = 120
_MAX_TITLE = 300

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t](.*)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_SENTENCE_END = re.compile(r"(?<=[.!?…:;])[\"'”’)\]]*\s+|(?<=[。！？।؟])\s*|\n")


@dataclass(slots=True)
class _Section:
    """Paragraphs under one path of headings."""

    title: str | None
    paragraphs: list[str] = field(default_factory=list)


def chunk_text(text: str, *, is_markdown: bool, title: str | None = None, url: str | None = None) -> Iterator[Chunk]:
    """The chunks of a text in order; every word of it is in one of them.

    Markdown headings become titles, the outer ones first, under the `title` of the document. A chunk begins with the
    end of the one before it in the same section, so that what stands at the border is found too.
    """
    sections = _split_markdown(text, title) if is_markdown else [_Section(title, _list_paragraphs(text))]
    for section in sections:
        for piece in _fill(section.paragraphs):
            yield Chunk(piece, section.title, url)


def _split_markdown(text: str, title: str | None) -> Iterator[_Section]:
    path: dict[int, str] = {0: title} if title else {}
    lines: list[str] = []
    is_code = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            is_code = not is_code
        heading = None if is_code else _read_heading(line, lines)
        if heading is None:
            lines.append(line)
            continue
        level, words = heading
        yield _close(path, lines, next_level=level)
        lines = []
        path = {depth: above for depth, above in path.items() if depth < level} | ({level: words} if words else {})
    yield _close(path, lines, next_level=0)


def _close(path: dict[int, str], lines: list[str], *, next_level: int) -> _Section:
    """The section that ends before a heading of `next_level`; a heading with nothing under it is its own text."""
    paragraphs = _list_paragraphs("\n".join(lines))
    deepest = max(path, default=0)
    if not paragraphs and deepest and next_level <= deepest:
        paragraphs = [path[deepest]]
    return _Section(_join(path), paragraphs)


def _read_heading(line: str, before: list[str]) -> tuple[int, str] | None:
    """Level and words of a heading that ends with this line; takes an underlined one off the lines `before`."""
    match = _HEADING.fullmatch(line)
    if match is not None:
        return len(match[1]), match[2].strip().rstrip("#").strip()
    underline = _UNDERLINE.fullmatch(line)
    is_alone = len(before) == 1 or (len(before) > 1 and not before[-2].strip())
    if underline is None or not is_alone or not before[-1].strip() or len(before[-1]) > _MAX_TITLE:
        return None
    return (1 if underline[1][0] == "=" else 2), before.pop().strip()


def _join(path: dict[int, str]) -> str | None:
    words = list(dict.fromkeys(path[level] for level in sorted(path)))
    return " › ".join(words)[:_MAX_TITLE] or None


def _list_paragraphs(text: str) -> list[str]:
    return [paragraph.strip() for paragraph in re.split(r"\n[ \t]*\n", text) if paragraph.strip()]


def _fill(paragraphs: list[str]) -> Iterator[str]:
    """Paragraphs, or pieces of long ones, joined up to the target length."""
    chunk, is_new = "", False
    for joint, piece in _list_pieces(paragraphs):
        if is_new and len(chunk) + len(joint) + len(piece) > TARGET_LENGTH:
            yield chunk
            chunk, is_new, joint = _find_overlap(chunk), False, " "
        chunk = f"{chunk}{joint}{piece}" if chunk else piece
        is_new = True
    if is_new:
        yield chunk


def _list_pieces(paragraphs: list[str]) -> Iterator[tuple[str, str]]:
    for paragraph in paragraphs:
        joint, inner_joint = "\n\n", "\n" if "\n" in paragraph else " "
        pieces = [paragraph] if len(paragraph) <= TARGET_LENGTH else _split_sentences(paragraph)
        for piece in pieces:
            yield joint, piece
            joint = inner_joint


def _split_sentences(paragraph: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(paragraph):
        rest = sentence.strip()
        while len(rest) > TARGET_LENGTH:
            place = rest.rfind(" ", 1, TARGET_LENGTH)
            place = TARGET_LENGTH if place < 0 else place
            yield rest[:place]
            rest = rest[place:].strip()
        if rest:
            yield rest


def _find_overlap(chunk: str) -> str:
    """The last sentences of a chunk, as many as fit; else its last words."""
    tail = chunk[-OVERLAP_LENGTH:]
    starts = [match.end() for match in _SENTENCE_END.finditer(tail)]
    if starts and starts[0] < len(tail):
        return tail[starts[0] :].strip()
    return tail.partition(" ")[2].strip()
