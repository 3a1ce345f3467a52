"""When the client sends a request again."""

import pytest

from ringdown.client.pages import Page
from ringdown.client.retrying import Failure, find_delay_s


def _delay(status: int | None, *, method: str = "GET", tries: int = 1, **headers: str) -> float | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return find_delay_s(Failure(status, {}, named), method=method, tries=tries, max_tries=4, chance=1.0)


@pytest.mark.parametrize("status", [None, 429, 502, 503, 504])
def test_what_may_pass_is_sent_again(status: int | None) -> None:
    assert _delay(status) == 0.5
    assert _delay(status, method="POST") == 0.5


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422, 500])
def test_a_refusal_is_final(status: int) -> None:
    assert _delay(status) is None


def test_waits_double_up_to_a_bound_and_end() -> None:
    assert [_delay(503, tries=tries) for tries in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, None]
    assert find_delay_s(Failure(503, {}, {}), method="GET", tries=9, max_tries=99, chance=1.0) == 8.0
    assert find_delay_s(Failure(503, {}, {}), method="GET", tries=2, max_tries=4, chance=0.0) == 0.5


def test_the_wait_that_the_api_asks_for_is_kept_unless_it_is_too_long() -> None:
    assert _delay(429, retry_after="12") == 12
    assert _delay(429, retry_after="3600") is None


@pytest.mark.parametrize(("status", "delay_s"), [(None, None), (502, None), (504, None), (429, 0.5), (503, 0.5)])
def test_a_deletion_is_sent_again_only_when_it_was_certainly_not_done(
    status: int | None, delay_s: float | None
) -> None:
    assert _delay(status, method="DELETE") == delay_s


def test_a_request_in_flight_is_waited_for_and_a_final_provider_failure_is_not() -> None:
    for details, status, is_retried in (
        ({"reason": "in_flight"}, 409, True),
        ({"header": "X-Idempotency-Key"}, 409, False),
        ({"retryable": False}, 502, False),
        ({"retryable": True}, 502, True),
    ):
        found = find_delay_s(Failure(status, details, {}), method="POST", tries=1, max_tries=2, chance=0.5)
        assert (found is not None) == is_retried


def test_a_page_leads_to_the_next_by_cursor_or_by_offset() -> None:
    query = {"limit": 2, "offset": 4}
    by_cursor = Page([1, 2], {"total": 9, "offset": 4, "has_more": True, "next_cursor": "abc"})
    assert by_cursor.find_next(query) == {"limit": 2, "cursor": "abc"}
    assert Page([1, 2], {"total": 9, "offset": 4, "has_more": True}).find_next(query) == {"limit": 2, "offset": 6}
    assert Page([1, 2], {"total": 6, "offset": 4, "has_more": False}).find_next(query) is None
    assert Page([], {"total": 6, "offset": 4, "has_more": True}).find_next(query) is None
    assert (list(by_cursor), len(by_cursor), by_cursor.total) == ([1, 2], 2, 9)


def test_a_page_is_the_last_when_the_api_says_so_though_a_cursor_comes_with_it() -> None:
    last = Page([1, 2], {"total": 2, "offset": 0, "has_more": False, "next_cursor": "evt_2"})
    assert last.find_next({"limit": 2}) is None


def test_the_next_page_is_asked_for_by_one_place_alone() -> None:
    by_cursor = Page([1], {"total": 3, "offset": 0, "has_more": True, "next_cursor": "evt_2"})
    assert by_cursor.find_next({"after": "evt_1", "limit": 1}) == {"limit": 1, "cursor": "evt_2"}
    by_page = Page([1], {"total": 9, "offset": 2, "has_more": True, "page": 3})
    assert by_page.find_next({"page": 3, "limit": 1}) == {"limit": 1, "offset": 3}
