"""Keys in INFO requests: `application/dtmf-relay` and `application/dtmf`; knows no call."""

from ringdown.sip.message import Request

KEY_TYPES = "application/dtmf-relay, application/dtmf"

_KEYS = {str(number): str(number) for number in range(10)}
# Events 10 to 15 of RFC 4733 are written as numbers by some peers.
_KEYS |= {"*": "*", "#": "#", "10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
_KEYS |= {letter: letter for letter in "ABCD"}


def media_type(request: Request) -> str:
    """The type of the body in lower case, without parameters."""
    return (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def read_digit(request: Request) -> str | None:
    """The key of an INFO, one of `0-9 * # A-D`; `None` for a hook flash. Raises `ValueError` for another body."""
    text = request.body.decode("ascii", errors="replace")
    kind = media_type(request)
    if kind == "application/dtmf-relay":
        signals = [line.partition("=")[2] for line in text.splitlines() if line.lower().startswith("signal")]
        if not signals:
            raise ValueError("no Signal")
        return _KEYS.get(signals[0].strip().upper())
    if kind == "application/dtmf":
        return _KEYS.get(text.strip().upper())
    raise ValueError("not a key")
