"""What receivers answer, as it is kept and shown: pure."""

import re
from email.utils import parsedate_to_datetime

from ringdown import values

#: So many characters of an answer are kept.
MAX_TEXT = 2_000
_CONTROL = re.compile(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]")


def describe_refusal(status: int) -> str | None:
    """Why an answer with this status is no acceptance, as a sentence; None when it is one."""
    if 200 <= status < 300:
        return None
    if status == 410:
        return "The receiver answered 410 Gone."
    if 300 <= status < 400:
        return f"The receiver answered with status {status}; redirects are not followed."
    return f"The receiver answered with status {status}."


def read_text(body: bytes) -> str:
    """The beginning of an answer's body as text, without what no database keeps and no terminal should see."""
    return values.clean_text(_CONTROL.sub("", body.decode(errors="replace")))[:MAX_TEXT]


def parse_retry_after_ms(value: str | None, *, now_ms: int) -> int | None:
    """Milliseconds of a header Retry-After, in seconds or as a date (RFC 9110 §10.2.3); None when it says nothing."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return int(value[:9]) * 1000
    try:
        instant_ms = round(parsedate_to_datetime(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return max(instant_ms - now_ms, 0)
