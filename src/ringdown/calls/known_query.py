"""Filters of lists that were read and found good before: the next page of such a list is not read anew.

Dashboards and scripts ask for the same lists again and again, with another page. What is anything but plain, or new, is
left to the endpoint itself.
"""

import dataclasses
from collections import OrderedDict

from ringdown.calls.store.listing import CallQuery
from ringdown.web.pagination import DEFAULT_LIMIT, MAX_LIMIT, Page

_MAX_KNOWN = 1_000
_MAX_KNOWN_LENGTH = 500
_MAX_OFFSET_DIGITS = 15


@dataclasses.dataclass(frozen=True, slots=True)
class KnownList:
    """What a query string asks for; `find_query` tells it of an organization's calls."""

    filters: CallQuery
    page: Page
    cursor: str | None

    def find_query(self, organization_id: str) -> CallQuery:
        """The filters, for the calls of this organization."""
        return dataclasses.replace(self.filters, organization_id=organization_id)


class KnownQueries:
    """The filters that were used last, by their part of the query string; whose calls they choose is not kept."""

    def __init__(self) -> None:
        self._by_text: OrderedDict[bytes, CallQuery] = OrderedDict()

    def learn(self, query_string: bytes, query: CallQuery) -> None:
        """Remember that these parameters, without those of the page, mean `query`."""
        filters, _ = _split(query_string)
        # `%6Cimit` is a `limit`, which would be taken for a filter.
        if len(filters) > _MAX_KNOWN_LENGTH or any(b"%" in one.partition(b"=")[0] for one in filters.split(b"&")):
            return
        self._by_text[filters] = dataclasses.replace(query, organization_id="")
        if len(self._by_text) > _MAX_KNOWN:
            self._by_text.popitem(last=False)

    def find(self, query_string: bytes) -> KnownList | None:
        """What the parameters mean; None when they must be read first."""
        filters, paging = _split(query_string)
        query = self._by_text.get(filters)
        page = None if query is None else _read_page(paging)
        if query is None or page is None:
            return None
        self._by_text.move_to_end(filters)
        cursor = dict(paging).get(b"cursor")
        return KnownList(query, page, None if cursor is None else cursor.decode())


def _split(query_string: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The parameters without those of the page, and those of the page."""
    filters, paging = [], []
    for parameter in query_string.split(b"&") if query_string else ():
        name, _, value = parameter.partition(b"=")
        if name in (b"limit", b"offset", b"cursor"):
            paging.append((name, value))
        else:
            filters.append(parameter)
    return b"&".join(filters), paging


def _read_page(paging: list[tuple[bytes, bytes]]) -> Page | None:
    values = dict(paging)
    if len(values) != len(paging) or b"%" in (cursor := values.get(b"cursor", b"")) or not cursor.isascii():
        return None
    limit, offset = values.get(b"limit", b"%d" % DEFAULT_LIMIT), values.get(b"offset", b"0")
    if not (limit.isdigit() and offset.isdigit()) or max(len(limit), len(offset)) > _MAX_OFFSET_DIGITS:
        return None
    page = Page(limit=int(limit), offset=int(offset))
    return page if 1 <= page.limit <= MAX_LIMIT else None
