"""Pages of lists, and how one page leads to the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
# What says where a page begins; the API takes one of them at a time.
_PLACES = ("after", "cursor", "offset", "page")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list. `pagination` is the API's: at least `total`, `limit`, and `offset` or `page`."""

    data: Sequence[T]
    pagination: Mapping[str, Any]

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def total(self) -> int:
        """How many there are in the whole list."""
        return int(self.pagination["total"])

    def find_next(self, query: Mapping[str, Any]) -> dict[str, Any] | None:
        """The query of the page after this one, by cursor where the API gives one; None after the last page.

        The last page of events has a `next_cursor` too: the place from which to ask again later.
        """
        if not self.data or not self.pagination.get("has_more", False):
            return None
        kept = {name: value for name, value in query.items() if name not in _PLACES}
        if cursor := self.pagination.get("next_cursor"):
            return {**kept, "cursor": cursor}
        return {**kept, "offset": int(self.pagination["offset"]) + len(self.data)}
