"""When a failed job is tried again: pure arithmetic, randomness passed in."""

FIRST_DELAY_MS = 1_000
MAX_DELAY_MS = 3_600_000
#: A job that has failed this often is parked: kept, but not tried by itself any more.
MAX_ATTEMPTS = 20


def compute_delay_ms(attempts: int, chance: float) -> int:
    """Milliseconds to wait after the `attempts`-th failure (>= 1): doubled each time, at most an hour.

    `chance` (0 to 1, random) takes up to half of it off, so that what failed together does not return together.
    """
    full_ms = min(FIRST_DELAY_MS << min(attempts - 1, 32), MAX_DELAY_MS)
    return round(full_ms * (1 - chance / 2))


def is_exhausted(attempts: int) -> bool:
    """Whether a job that has failed `attempts` times is given up."""
    return attempts >= MAX_ATTEMPTS
