"""JSON bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.errors import BadRequest, RingdownError, ValidationFailed
from ringdown.web import body


def test_an_object_is_parsed() -> None:
    assert body.parse_object(b' {"a": [1, 2.5, null, true, "\\u00e9"]} ') == {"a": [1, 2.5, None, True, "é"]}


@pytest.mark.parametrize("content", [b"", b"[]", b"1", b"{", b"{'a': 1}", b'{"a": Infinity}', b"\xfe\xff", b"{" * 9999])
def test_anything_else_is_a_bad_request(content: bytes) -> None:
    with pytest.raises(BadRequest):
        body.parse_object(content)


def test_nul_characters_are_found_in_values_and_names() -> None:
    with pytest.raises(ValidationFailed) as caught:
        body.parse_object(b'{"a": {"b": ["x", "\\u0000"]}, "c\\u0000": 1, "d": "\\\\u0000"}')
    assert [error.field for error in caught.value.errors] == ["a.b.1", "c\0"]


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(content: bytes) -> None:
    try:
        body.parse_object(content)
    except RingdownError as error:
        assert error.status in (400, 422)
