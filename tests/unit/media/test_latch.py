"""Whose packets a call hears."""

import pytest

from ringdown.media.latch import SourceLatch, normalise_host


def test_only_the_negotiated_host_is_a_candidate() -> None:
    latch = SourceLatch(("192.0.2.1", 4000))
    assert latch.is_candidate(("192.0.2.1", 4000), 0)
    assert latch.is_candidate(("192.0.2.1", 61234), 0)
    assert not latch.is_candidate(("192.0.2.2", 4000), 0)


def test_a_trusted_host_may_send_in_place_of_an_address_behind_nat() -> None:
    latch = SourceLatch(("10.0.0.5", 4000), ["198.51.100.7"])
    assert latch.is_candidate(("198.51.100.7", 23456), 0)
    latch.latch(("198.51.100.7", 23456), 0)
    assert latch.target == ("198.51.100.7", 23456)
    assert not latch.is_candidate(("10.0.0.5", 4000), 100)


def test_another_port_may_take_over_only_after_three_silent_seconds() -> None:
    latch = SourceLatch(("192.0.2.1", 4000))
    latch.latch(("192.0.2.1", 4000), 0)
    latch.heard_at_ms = 5000
    assert not latch.is_candidate(("192.0.2.1", 4002), 7980)
    assert latch.is_candidate(("192.0.2.1", 4002), 8000)
    assert not latch.is_candidate(("192.0.2.9", 4000), 8000)


def test_the_negotiated_port_takes_over_at_once_from_another_one_of_its_host() -> None:
    latch = SourceLatch(("192.0.2.1", 4000))
    latch.latch(("192.0.2.1", 4002), 0)  # the end of an earlier stream
    assert latch.is_candidate(("192.0.2.1", 4000), 20)
    latch.latch(("192.0.2.1", 4000), 20)
    assert not latch.is_candidate(("192.0.2.1", 4002), 40)


def test_a_peer_that_was_replaced_is_not_heard_any_more() -> None:
    latch = SourceLatch(("10.0.0.5", 4000), ["198.51.100.7"], former=("198.51.100.7", 5000))
    assert not latch.is_candidate(("198.51.100.7", 5000), 0)
    assert not latch.is_candidate(("198.51.100.7", 5000), 60_000)
    assert latch.is_candidate(("198.51.100.7", 6000), 0)


def test_addresses_are_compared_in_one_spelling() -> None:
    assert SourceLatch(("0:0::1", 4000)).is_candidate(("::1", 4000, 0, 0), 0)
    assert SourceLatch(("192.0.2.1", 4000)).is_candidate(("::ffff:192.0.2.1", 4000, 0, 0), 0)
    assert normalise_host("fe80::1%eth0") == "fe80::1"


def test_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"media\.example"):
        SourceLatch(("media.example", 4000))
