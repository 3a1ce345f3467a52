"""The page of trunks says what the code says: every field with its default, and examples that can be used."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from ringdown.config import Settings
from ringdown.telephony import numbering, service
from ringdown.telephony.models import Trunk
from ringdown.telephony.numbering import NumberFormat
from ringdown.telephony.schemas import CreateTrunk

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "trunks.md").read_text(encoding="utf-8")
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Trunk)}
_EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def _split(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split(" | ")]


@pytest.mark.parametrize("name", sorted(CreateTrunk.model_fields))
def test_every_field_stands_in_the_table_with_its_default(name: str) -> None:
    section = PAGE.partition("## Fields")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and f"`{name}`" in _split(line)[0]]
    assert len(rows) == 1
    default, shown = _DEFAULTS[name], _split(rows[0])[-1]
    if isinstance(default, bool):
        assert shown == f"`{str(default).lower()}`"
    elif isinstance(default, int) or (isinstance(default, str) and default):
        assert shown == f"`{default}`"
    else:
        assert not shown.startswith("`")


@pytest.mark.parametrize("example", _EXAMPLES)
def test_the_tables_that_are_shown_can_be_read(example: str, settings: Settings) -> None:
    assert service.read_trunks(Settings(trunks=tomllib.loads(example)["trunks"]))


def test_there_is_an_example_for_each_kind_of_peer() -> None:
    assert len(_EXAMPLES) == 6


@pytest.mark.parametrize("number_format", ["e164", "e164_without_plus", "national", "international"])
def test_the_number_formats_are_shown_as_they_are(number_format: NumberFormat) -> None:
    section = PAGE.partition("## Number formats")[2]
    [row] = [line for line in section.splitlines() if line.startswith(f"| `{number_format}` |")]
    numbers = [("+12025550142", "US"), ("+442079460000", "US"), ("+4930901820", "DE")]
    written = [numbering.format_number(number, number_format, region=region) for number, region in numbers]
    assert _split(row)[1:] == [f"`{text}`" for text in written]
