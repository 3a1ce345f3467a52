"""The page of tools shows what works, and names every field."""

import json
import re
from pathlib import Path

import pytest

from ringdown.tools import checks, definition
from ringdown.tools.models import BUILTIN_NAMES
from ringdown.tools.schemas import CreateTool, DefinitionBody, UpdateTool
from tests.unit.tools.conftest import MakeTool

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "tools.md").read_text(encoding="utf-8")
_CREATED = re.findall(r"\$API/tools -H \"\$AUTH\" -d '(.*?)'\n", PAGE, re.DOTALL)
_SHOWN = [line for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) for line in block.split("\n{") if line]


@pytest.mark.parametrize("shown", _CREATED)
def test_the_tools_that_are_created_on_the_page_can_be(shown: str, make_tool: MakeTool) -> None:
    tool = definition.read_tool(CreateTool.model_validate(json.loads(shown)), present=make_tool())
    checks.check_tool(tool, private_allowed=False)


def test_two_kinds_of_tools_are_created_on_the_page() -> None:
    assert len(_CREATED) == 2


@pytest.mark.parametrize("shown", [text if text.startswith("{") else "{" + text for text in _SHOWN])
def test_the_parts_of_tools_that_are_shown_are_valid(shown: str, make_tool: MakeTool) -> None:
    part = json.loads(shown)
    body = {"definition": {"dynamicParameters": [part]}} if "location" in part else part
    definition.read_tool(UpdateTool.model_validate(body), present=make_tool(method="POST"))


def test_every_field_stands_on_the_page() -> None:
    for name in UpdateTool.model_fields.keys() | DefinitionBody.model_fields.keys():
        assert re.search(rf"[`\".]{name}[`\".]", PAGE), name
    for name in BUILTIN_NAMES:
        assert f"| `{name}` |" in PAGE, name
