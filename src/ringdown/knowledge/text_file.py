"""TXT and Markdown files to text: their encoding is found out; pure."""

import codecs
import re

from ringdown.knowledge.pieces import Piece, Request, Unreadable, cut

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffe\uffff]")


def read(request: Request, content: bytes) -> Piece:
    """The piece of the file that was asked for. Raises `Unreadable`."""
    return cut(clean(decode(content, request.charset)), request, is_markdown=request.format == "markdown")


def decode(content: bytes, charset: str | None = None) -> str:
    """Text of unknown encoding: a byte order mark, UTF-16 by its zeros, `charset`, UTF-8, Windows-1252.

    Raises `Unreadable` when it is full of control characters.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    beginning = content[:4096]
    odd, even = beginning[1::2].count(0), beginning[::2].count(0)
    if max(odd, even) > len(beginning) // 5:
        return content.decode("utf-16-le" if odd > even else "utf-16-be", errors="replace")
    if _looks_binary(beginning):
        raise Unreadable("it is not text")
    for encoding in filter(None, (charset, "utf-8")):
        try:
            return content.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return content.decode("windows-1252", errors="replace")


def clean(text: str) -> str:
    """The text without control characters, with one kind of line end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").replace("\x0b", "\n")
    return _CONTROLS.sub("", text).encode("utf-8", "ignore").decode()


def _looks_binary(beginning: bytes) -> bool:
    return sum(byte < 9 or 13 < byte < 32 for byte in beginning) > len(beginning) // 50
