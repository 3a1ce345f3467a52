"""Pages of lists, and how one page leads to the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


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
        """The query of the page after this one, by cursor where the API gives one; None after the last page."""
        if cursor := self.pagination.get("next_cursor"):
            return {**{name: value for name, value in query.items() if name != "offset"}, "cursor": cursor}
        if not self.data or not self.pagination.get("has_more", False):
            return None
        return {**query, "offset": int(self.pagination["offset"]) + len(self.data)}
