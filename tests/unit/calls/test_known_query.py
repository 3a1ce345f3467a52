"""Which query strings are taken for what was read before, and which are read anew."""

import pytest

from ringdown.calls.known_query import KnownList, KnownQueries
from ringdown.calls.store.listing import CallQuery
from ringdown.web.pagination import Page

FAILED = CallQuery(organization_id="", status="failed")


@pytest.fixture
def known() -> KnownQueries:
    learnt = KnownQueries()
    learnt.learn(b"", CallQuery(organization_id="org_a"))
    learnt.learn(b"status=failed&limit=10", FAILED)
    return learnt


@pytest.mark.parametrize(("text", "page", "cursor"), [
    (b"status=failed", Page(50, 0), None),
    (b"status=failed&limit=1", Page(1, 0), None),
    (b"offset=99&status=failed&limit=100", Page(100, 99), None),
    (b"status=failed&cursor=WzEsMF0", Page(50, 0), "WzEsMF0"),
])  # fmt: skip
def test_another_page_of_a_known_list_is_not_read_anew(
    known: KnownQueries, text: bytes, page: Page, cursor: str | None
) -> None:
    assert known.find(text) == KnownList(FAILED, page, cursor)


@pytest.mark.parametrize("text", [
    b"status=queued",
    b"status=failed&agent_id=x",
    b"STATUS=failed",
    b"status=failed&include=transcript",
    b"limit=0",
    b"limit=101",
    b"limit=ten",
    b"limit=-1",
    b"limit=",
    b"limit=1&limit=2",
    b"offset=-1",
    b"offset=%31",
    b"offset=" + b"9" * 16,
    b"cursor=%41",
    b"cursor=\xff",
    b"offset=0&offset=0",
])  # fmt: skip
def test_what_is_not_plain_is_read_anew(known: KnownQueries, text: bytes) -> None:
    assert known.find(text) is None


def test_filters_belong_to_who_asks(known: KnownQueries) -> None:
    found = known.find(b"status=failed")
    assert found is not None
    assert found.find_query("org_b") == CallQuery(organization_id="org_b", status="failed")


def test_only_the_newest_are_kept(known: KnownQueries) -> None:
    for number in range(999):
        assert known.find(b"") is not None
        known.learn(b"agent_id=%d" % number, CallQuery(organization_id="org_a", agent_id=str(number)))
    assert known.find(b"") is not None
    assert known.find(b"status=failed") is None
    known.learn(b"q=" + b"x" * 600, FAILED)
    assert known.find(b"q=" + b"x" * 600) is None


def test_a_page_under_an_encoded_name_is_always_read_anew(known: KnownQueries) -> None:
    known.learn(b"status=failed&%6cimit=1", FAILED)
    assert known.find(b"status=failed&%6cimit=1") is None
