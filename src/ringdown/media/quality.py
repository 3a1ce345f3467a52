"""Estimates how good a call sounds by the E-model (ITU-T G.107, G.113); knows figures, not packets."""

from typing import NamedTuple

# G.107 §7.7: the rating of a call whose parameters all have their default values, before delay and equipment.
_BEST_RATING = 93.2
_DELAY_KNEE_MS = 177.3  # above it people begin to talk into each other's words
_MAX_IMPAIRMENT = 95


class _Impairment(NamedTuple):
    """Ie and Bpl of G.113 appendix I: what the codec costs by itself, and how well it stands random loss."""

    equipment: float
    robustness: float


# G.711 with concealment; G.722 and Opus are judged on the narrow-band scale, where they cost nothing by themselves.
_IMPAIRMENTS = {
    "PCMU": _Impairment(0, 25.1),
    "PCMA": _Impairment(0, 25.1),
    "G722": _Impairment(0, 20.0),
    "OPUS": _Impairment(0, 25.1),
}


def rate(*, encoding: str, loss_percent: float, burst_ratio: float, delay_ms: float) -> float:
    """The rating R, 0 to 93.2: `delay_ms` mouth to ear, `burst_ratio` 1 for random loss and more for bursts."""
    impairment = _IMPAIRMENTS[encoding.upper()]
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - _DELAY_KNEE_MS)
    share = loss_percent / (loss_percent / max(1.0, burst_ratio) + impairment.robustness)
    equipment = impairment.equipment + (_MAX_IMPAIRMENT - impairment.equipment) * share
    return max(0.0, _BEST_RATING - delay - equipment)


def to_mos(rating: float) -> float:
    """The mean opinion score of a rating, 1 (bad) to 4.5 (G.107 annex B)."""
    if rating <= 0:
        return 1.0
    rating = min(rating, 100.0)
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def estimate_mos(*, encoding: str, expected: int, lost: int, bursts: int, delay_ms: float) -> float:
    """The score of `expected` packets of which `lost` were not heard, in so many `bursts` of neighbours."""
    share = min(1.0, max(0, lost) / max(1, expected))
    # G.107 §7.6: the mean length of a burst over that of random loss with the same share.
    burst_ratio = lost / bursts * (1 - share) if lost > 0 and bursts > 0 else 1.0
    return to_mos(rate(encoding=encoding, loss_percent=100 * share, burst_ratio=burst_ratio, delay_ms=delay_ms))
