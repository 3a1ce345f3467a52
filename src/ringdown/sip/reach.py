"""What was learned about destinations: faults, our address as they see it, who takes no TCP; does no I/O."""

from typing import TypeVar

from ringdown.sip.destination import Destination
from ringdown.sip.message import Via

_MAX_NOTES = 1024
_K = TypeVar("_K")
_V = TypeVar("_V")


class Reach:
    """Notes of one endpoint; bounded, the newest are kept."""

    def __init__(self) -> None:
        self.observed: dict[str, tuple[str, int]] = {}
        """Our address as each host saw it: `received` and `rport` of its responses (RFC 3581)."""
        self._faults: dict[Destination, str] = {}
        self._without_tcp: dict[tuple[str, int], None] = {}

    def note_fault(self, destination: Destination, text: str) -> None:
        """Keep why nothing reaches a destination, in a few words."""
        _make_room(self._faults)
        self._faults[destination] = text

    def find_fault(self, destination: Destination) -> str | None:
        """Why the last request to a destination failed; `None` once it has answered again."""
        return self._faults.get(destination)

    def note_response(self, destination: Destination, via: Via, source: Destination | None) -> None:
        """A destination answered; `via` is the top one of the response."""
        self._faults.pop(destination, None)
        port = via.params.get("rport") or ""
        if source is not None and port.isascii() and port.isdigit() and len(port) < 6:
            _make_room(self.observed)
            self.observed[source.host] = (via.params.get("received") or via.host, int(port))

    def note_without_tcp(self, destination: Destination) -> None:
        """A large request could not go over TCP: further ones go over UDP at once."""
        _make_room(self._without_tcp)
        self._without_tcp[destination.host, destination.port] = None

    def may_take_tcp(self, destination: Destination) -> bool:
        """Whether a large request should be tried over TCP."""
        return (destination.host, destination.port) not in self._without_tcp


def _make_room(notes: dict[_K, _V]) -> None:
    while len(notes) >= _MAX_NOTES:
        del notes[next(iter(notes))]
