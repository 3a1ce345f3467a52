"""API keys as text."""

import re

import pytest

from ringdown.accounts import keys


def test_a_key_is_truedy_and_32_random_alphanumerics() -> None:
    made = {keys.generate() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"truedy_[A-Za-z0-9]{32}", key) for key in made)
    assert all(keys.is_well_formed(key) for key in made)


@pytest.mark.parametrize(
    "key", ["", "truedy_", f"truedy_{'a' * 31}", f"truedy_{'a' * 33}", f"truedy_{'ä' * 32}", f"TRUEDY_{'a' * 32}"]
)
def test_other_text_is_no_key(key: str) -> None:
    assert not keys.is_well_formed(key)


def test_an_allow_list_is_normalised() -> None:
    assert keys.parse_allow_list(["203.0.113.7", " 10.1.2.3/8 ", "203.0.113.7/32", "2001:DB8::1"]) == (
        "203.0.113.7/32",
        "10.0.0.0/8",
        "2001:db8::1/128",
    )


def test_a_bad_entry_of_an_allow_list_is_named() -> None:
    with pytest.raises(ValueError, match="'localhost' is not an IP address"):
        keys.parse_allow_list(["127.0.0.1", "localhost"])


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [("10.9.9.9", True), ("::ffff:10.9.9.9", True), ("11.0.0.1", False), ("::1", False), (None, False), ("", False)],
)
def test_an_address_is_looked_up_in_the_list(address: str | None, is_allowed: bool) -> None:
    assert keys.is_address_allowed(address, ("10.0.0.0/8",)) is is_allowed
    assert keys.is_address_allowed(address, ())
