"""When a failed job is tried again."""

from ringdown.jobs import backoff


def test_the_delay_doubles_up_to_an_hour() -> None:
    assert [backoff.compute_delay_ms(attempts, 0) for attempts in (1, 2, 3, 12, 13, 1000)] == [
        1_000,
        2_000,
        4_000,
        2_048_000,
        3_600_000,
        3_600_000,
    ]


def test_chance_takes_up_to_half_of_the_delay_off() -> None:
    assert [backoff.compute_delay_ms(3, chance) for chance in (0, 0.5, 1)] == [4_000, 3_000, 2_000]


def test_a_job_is_given_up_after_its_last_attempt() -> None:
    assert [backoff.is_exhausted(attempts) for attempts in (1, 19, 20)] == [False, False, True]
