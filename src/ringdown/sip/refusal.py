"""What a final response of 300 to 699 tells the owner of a call; knows no call."""

from ringdown.sip.address import NameAddr, unquote
from ringdown.sip.events import Rejected
from ringdown.sip.message import Response
from ringdown.sip.stack import parse_seconds

_MAX_CONTACTS = 16


def describe_refusal(response: Response) -> Rejected:
    """The event for a refusal: status, reason, Retry-After, the contacts of a 3xx, Warning."""
    return Rejected(
        response.status,
        response.reason,
        parse_seconds(response.headers.get("Retry-After")),
        contacts=_sort_contacts(response) if response.status < 400 else (),
        warning=_read_warning(response),
    )


def _sort_contacts(response: Response) -> tuple[str, ...]:
    """The addresses of a 3xx, the most wanted first (§8.1.3.4)."""
    found: list[tuple[float, str]] = []
    for value in response.headers.get_all("Contact"):
        try:
            contact = NameAddr.parse(value)
            found.append((float(contact.params.get("q") or 1.0), contact.uri))
        except ValueError:
            continue
    return tuple(uri for _, uri in sorted(found, key=lambda item: -item[0])[:_MAX_CONTACTS])


def _read_warning(response: Response) -> str | None:
    value = response.headers.get("Warning")
    if value is None:
        return None
    _, quote, text = value.partition('"')
    return unquote(quote + text.strip()) if quote else value
