"""What came of a tool, as the model reads it: compact, bounded, and in words where it failed; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ringdown.voice.ports import ToolResult

#: What the model reads of an answer, in bytes of UTF-8.
MAX_RESULT_BYTES = 32_768
_CUT = " … (cut)"
_TEXT_TYPES = ("application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class RunResult(ToolResult):
    """A tool's result with what it took; `request` is what was sent, without its secrets."""

    status: int | None = None
    duration_ms: int = 0
    request: Mapping[str, object] | None = None


def read_answer(status: int, content_type: str, body: bytes) -> ToolResult:
    """The answer of an HTTP tool."""
    is_error = status >= 400
    text = _to_text(content_type, body)
    if text is None:
        kind = content_type.partition(";")[0].strip()[:100] or "something"
        return ToolResult(f"The tool answered with {kind}, which is not text.", is_error=True)
    if is_error:
        return ToolResult(cut(f"The tool answered with status {status}: {text or 'nothing more'}"), is_error=True)
    return ToolResult(cut(text) if text else f"The tool answered with status {status} and no content.")


def cut(text: str) -> str:
    """The text within the limit, marked where it was cut."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= MAX_RESULT_BYTES:
        return text
    return encoded[: MAX_RESULT_BYTES - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def _to_text(content_type: str, body: bytes) -> str | None:
    """The body as text; JSON without white space. None when it is none."""
    try:
        return msgspec.json.format(body, indent=-1).decode("utf-8", "replace")
    except (ValueError, RecursionError):
        pass
    kind = content_type.partition(";")[0].strip().lower()
    if kind and not kind.startswith("text/") and not kind.endswith(("+json", "+xml")) and kind not in _TEXT_TYPES:
        return None
    text = body.decode("utf-8", "replace").strip()
    return None if "\0" in text else text
