"""What commands print: aligned columns under a heading for people, JSON for programs."""

import json
from collections.abc import Sequence


def align(heading: Sequence[str], rows: Sequence[Sequence[object]], *, max_width: int = 48) -> str:
    """The rows as lines; what is not known is a dash, and what is too long ends in an ellipsis."""
    cells = [list(heading), *([_to_cell(value, max_width) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heading))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def to_json(answer: object) -> str:
    """What the API answered, as `--json` prints it."""
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _to_cell(value: object, max_width: int) -> str:
    text = "-" if value is None or value == "" else " ".join(str(value).split())
    return text if len(text) <= max_width else text[: max_width - 1] + "…"
