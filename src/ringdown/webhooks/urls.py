"""Which URLs may be told of events: pure, so that what a name leads to is checked when it is sent to."""

from ringdown import errors, outbound
from ringdown.outbound import OutboundError


def check_url(url: str, *, field: str, private_allowed: bool) -> None:
    """Raises `ValidationFailed` naming the field of the request."""
    try:
        parsed = outbound.parse_url(url)
    except OutboundError as error:
        text = str(error).rstrip(".")
        raise errors.invalid(field, f"is refused: {text[0].lower()}{text[1:]}") from None
    if private_allowed:
        return
    if parsed.scheme != "https":
        raise errors.invalid(field, "must begin with https:// unless private addresses are allowed")
    if _is_private(parsed.host):
        raise errors.invalid(field, "must not lead to a private address")


def _is_private(host: str) -> bool:
    """Whether the host is written as a private address."""
    try:
        return not outbound.is_public(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
