"""Says how one call's media went; counts nothing itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStatistics:
    """What one call has sent and received so far.

    `packets_late` came after their turn; `packets_foreign` came from elsewhere (`foreign_sources` names up to four as
    `host:port`), `packets_unauthenticated` failed SRTP's check or were repeated, `packets_invalid` were no RTP or of a
    payload type nobody agreed on; `ticks_late` ran more than 40 ms after their deadline. The remote values are what
    the far end last reported. `clock_drift_ppm` is how much faster the far clock runs than ours; `mos` estimates what
    our side hears, from 1 (bad) to 4.5; both are None until enough was heard.
    """

    packets_received: int
    packets_lost: int
    packets_late: int
    packets_duplicate: int
    packets_foreign: int
    packets_invalid: int
    packets_unauthenticated: int
    packets_sent: int
    jitter_ms: float
    concealed_ms: int
    dropped_ms: int
    ticks_late: int
    ticks_unsent: int
    reports_received: int
    round_trip_ms: float | None
    remote_packets_lost: int | None
    remote_fraction_lost: float | None
    remote_jitter_ms: float | None
    clock_drift_ppm: float | None
    mos: float | None
    foreign_sources: tuple[str, ...]
