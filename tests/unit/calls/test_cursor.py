"""The opaque cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.calls import cursor
from ringdown.calls.cursor import Place

QUERY = {"agent_id": "agt_1", "status": None}


@given(seq=st.integers(0, 2**63 - 1), key=st.integers(-1, 2**63 - 1))
def test_a_cursor_leads_back_to_its_place(seq: int, key: int) -> None:
    text = cursor.serialize_cursor(Place(seq, key), QUERY)
    assert cursor.parse_cursor(text, QUERY) == Place(seq, key)
    assert text.isascii()
    assert not set(text) & set("+/=")


def test_a_cursor_of_another_query_is_refused() -> None:
    text = cursor.serialize_cursor(Place(5), QUERY)
    with pytest.raises(ValueError, match="other filters"):
        cursor.parse_cursor(text, QUERY | {"status": "failed"})


@given(text=st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_anything_else_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        cursor.parse_cursor(text, QUERY)
