"""Prints measured figures against their targets, as a table for people or as one JSON object; measures nothing."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `target` is what was asked for in words (`<= 0.6`), `met` is None when nothing was asked."""

    name: str
    value: float
    unit: str
    target: str | None = None
    met: bool | None = None


def at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that must not exceed `limit`."""
    return Figure(name, value, unit, f"<= {limit:g}", value <= limit)


def below(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that must stay under `limit`."""
    return Figure(name, value, unit, f"< {limit:g}", value < limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that must reach `limit`."""
    return Figure(name, value, unit, f">= {limit:g}", value >= limit)


def render_table(figures: Sequence[Figure]) -> str:
    """The figures as aligned lines: name, value, unit, target, verdict."""
    rows = [("figure", "value", "unit", "target", "")]
    rows += [
        (figure.name, f"{figure.value:.4g}", figure.unit, figure.target or "", _verdict(figure.met))
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column == 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def render_json(figures: Sequence[Figure]) -> str:
    """Exactly one JSON object: `{"figures": [{name, value, unit, target, met}, …]}`."""
    return json.dumps({"figures": [asdict(figure) for figure in figures]})


def print_figures(figures: Sequence[Figure], *, as_json: bool) -> int:
    """Writes the figures to stdout and returns the exit status: 1 when a target was missed."""
    sys.stdout.write((render_json(figures) if as_json else render_table(figures)) + "\n")
    return 1 if any(figure.met is False for figure in figures) else 0


def _verdict(met: bool | None) -> str:
    return "" if met is None else "met" if met else "MISSED"
