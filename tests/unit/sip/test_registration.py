"""When to register again, from what the registrar answered."""

import pytest

from ringdown.sip.inquiry import Reply
from ringdown.sip.message import Headers
from ringdown.sip.registration import Renewal, Step, choose_delay, find_granted

CONTACT = "<sip:alice@192.0.2.1:5060;transport=tcp>"


def make_reply(status: int, *fields: tuple[str, str], is_local: bool = False) -> Reply:
    return Reply(status=status, reason="", headers=Headers(fields), is_local=is_local)


def receive(status: int, *fields: tuple[str, str], renewal: Renewal | None = None, has_more_hops: bool = False) -> Step:
    renewal = renewal or Renewal(300, lambda: 1.0)
    return renewal.receive(make_reply(status, *fields), contact=CONTACT, has_more_hops=has_more_hops)


@pytest.mark.parametrize(("granted_s", "delay_s"), [(3600, 2880), (300, 240), (100, 70), (60, 30), (40, 20), (10, 5)])
def test_a_registration_is_renewed_well_before_it_ends(granted_s: int, delay_s: int) -> None:
    assert choose_delay(granted_s) == delay_s


@pytest.mark.parametrize(("fields", "granted_s"), [
    ([], 300),
    ([("Expires", "120")], 120),
    ([("Contact", f"{CONTACT};expires=90"), ("Expires", "120")], 90),
    ([("Contact", f'"A" <sip:alice@10.0.0.7:9>;expires=77, {CONTACT};q=0.5;expires=90')], 90),
    ([("Contact", "<sip:alice@203.0.113.9:61000>;expires=45")], 45),
    ([("Contact", "<sip:x@10.0.0.7>;expires=45, <sip:y@10.0.0.8>;expires=46"), ("Expires", "120")], 120),
    ([("Contact", f"{CONTACT};expires=soon")], 300),
    ([("Contact", f"{CONTACT};expires=0")], 300),
    ([("Contact", "nonsense"), ("Expires", "-1")], 300),
])  # fmt: skip
def test_the_time_that_the_registrar_grants_is_found(fields: list[tuple[str, str]], granted_s: int) -> None:
    assert find_granted(Headers(fields), CONTACT, default=300) == granted_s
    step = receive(200, *fields)
    assert (step.state, step.granted_s, step.wait_s) == ("registered", granted_s, choose_delay(granted_s))


def test_a_time_that_is_too_short_is_lengthened_at_once() -> None:
    renewal = Renewal(60, lambda: 1.0)
    assert receive(423, ("Min-Expires", "1800"), renewal=renewal) == Step("registering", 0.0)
    assert renewal.expires_s == 1800


def test_a_registrar_that_always_wants_more_is_left_alone_after_three_times() -> None:
    renewal = Renewal(60, lambda: 1.0)
    states = [receive(423, ("Min-Expires", str(100 + number)), renewal=renewal).state for number in range(4)]
    assert states == ["registering", "registering", "registering", "refused"]


@pytest.mark.parametrize("least", [None, "60", "30", "nonsense", "99999999"])
def test_a_least_time_that_is_no_longer_or_absurd_is_a_refusal(least: str | None) -> None:
    renewal = Renewal(60, lambda: 1.0)
    fields = [] if least is None else [("Min-Expires", least)]
    assert receive(423, *fields, renewal=renewal).state == "refused"
    assert renewal.expires_s == 60


@pytest.mark.parametrize("status", [408, 500, 503, 504])
def test_a_hop_in_trouble_gives_way_to_the_next_and_the_last_to_a_wait(status: int) -> None:
    assert receive(status, has_more_hops=True) == Step("registering", 0.0, is_next_hop=True)
    assert receive(status) == Step("failed", 5.0)


@pytest.mark.parametrize("status", [302, 401, 403, 404, 407, 480, 603])
def test_a_refusal_is_not_taken_to_the_next_hop_and_not_repeated_soon(status: int) -> None:
    assert receive(status, has_more_hops=True) == Step("refused", 60.0)


@pytest.mark.parametrize(("status", "asked", "wait_s"), [
    (503, "120", 120.0), (503, "2", 5.0), (503, "999999", 3600.0), (403, "120", 120.0), (403, "2", 60.0),
    (503, "nonsense", 5.0),
])  # fmt: skip
def test_the_time_that_the_registrar_asks_for_is_kept_within_bounds(status: int, asked: str, wait_s: float) -> None:
    assert receive(status, ("Retry-After", asked)).wait_s == wait_s


def test_waits_double_up_to_five_minutes_and_start_anew_after_a_success() -> None:
    renewal = Renewal(300, lambda: 1.0)
    waits = [receive(503, renewal=renewal).wait_s for _ in range(8)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    receive(200, renewal=renewal)
    assert receive(503, renewal=renewal).wait_s == 5


def test_a_random_half_of_a_wait_is_left_out_so_that_clients_do_not_come_together() -> None:
    assert Renewal(300, lambda: 0.0).back_off() == 2.5
    assert Renewal(300, lambda: 0.5).back_off() == 3.75
