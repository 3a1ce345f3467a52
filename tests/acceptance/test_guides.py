"""The guides do what they say: the commands of each page run in order, against the running product."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.running import Ringdown

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDES = Path(__file__).parents[2] / "docs/api"
PAGES = sorted(page for page in GUIDES.glob("*.md") if page.name != "README.md")

_BLOCK = re.compile(r"^```(sh|json|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PAGE_TIMEOUT_S = 300
# Readers see what is refused; here it ends the page.
_STRICT = 'curl() { command curl --fail-with-body --show-error --max-time 30 "$@"; }\n'
_LENIENT = "unset -f curl\n"


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, and the answer that the page shows after them."""

    language: str
    text: str
    shown: Any = None

    @property
    def is_refused(self) -> bool:
        """Whether the page shows that the last request is refused."""
        return isinstance(self.shown, dict) and "error" in self.shown

    def make_commands(self, number: int) -> str:
        """What the shell does, with the outcome in a file of its own."""
        begin = f'exec >"$OUTCOMES/{number}"\n'
        if self.language == "python":
            return f"{begin}\"$PYTHON\" - <<'PYTHON'\n{self.text}PYTHON\n"
        return begin + (_LENIENT if self.is_refused else _STRICT) + self.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ringdown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ringdown]:
    """A new Ringdown for all pages: they find the sample agent, and what they make is theirs."""
    product = Ringdown(tmp_path_factory.mktemp("guided"))
    await product.start()
    yield product
    assert await product.stop() == 0


def read_steps(page: Path) -> list[Step]:
    """The commands of a page in order, each with the answer that follows it."""
    steps: list[Step] = []
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "json":
            steps.append(Step(language, text))
        else:
            steps[-1] = Step(steps[-1].language, steps[-1].text, json.loads(text))
    return steps


def parse_answers(text: str) -> Iterator[Any]:
    """The JSON documents in what commands have printed, one after the other."""
    decoder, position = json.JSONDecoder(), text.find("{")
    while position >= 0:
        document, position = decoder.raw_decode(text, position)
        yield document
        position = text.find("{", position)


def find_missing(shown: Any, answer: Any, path: str = "") -> Iterator[str]:
    """Where an answer lacks what a page shows; of values only error codes count, of lists the first."""
    if isinstance(shown, dict):
        if not isinstance(answer, dict):
            yield path
            return
        for name, value in shown.items():
            if name not in answer:
                yield f"{path}.{name}"
            elif name == "code" and value != answer[name]:
                yield f"{path}.{name} is {answer[name]}"
            else:
                yield from find_missing(value, answer[name], f"{path}.{name}")
    elif isinstance(shown, list) and shown:
        if not isinstance(answer, list) or not answer:
            yield f"{path}[0]"
            return
        yield from find_missing(shown[0], answer[0], f"{path}[0]")


async def run_steps(steps: list[Step], ringdown: Ringdown, folder: Path) -> None:
    """Run a page as a reader does who has copied it, with their own address and key."""
    commands = "set -eu -o pipefail\n" + "".join(step.make_commands(number) for number, step in enumerate(steps))
    script = commands.replace("http://127.0.0.1:8080", ringdown.base_url).replace("truedy_…", ringdown.key)
    (folder / "outcomes").mkdir()
    (folder / "script").write_text(script)
    process = await asyncio.create_subprocess_exec(
        "bash", "script",
        cwd=folder,
        env={
            **ringdown.environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "OUTCOMES": str(folder / "outcomes"),
            "API": f"{ringdown.base_url}/api/public/v1",
            "AUTH": f"Authorization: Bearer {ringdown.key}",
        },
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PAGE_TIMEOUT_S):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    begun = len(list((folder / "outcomes").iterdir())) - 1
    printed = (folder / "outcomes" / str(begun)).read_text()
    assert process.returncode == 0, f"{steps[begun].text}\n{printed}\n{errors.decode()}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_a_guide_does_what_it_says(ringdown: Ringdown, tmp_path: Path, page: Path) -> None:
    steps = read_steps(page)
    assert steps
    await run_steps(steps, ringdown, tmp_path)
    for number, step in enumerate(steps):
        if step.shown is not None:
            answer = list(parse_answers((tmp_path / "outcomes" / str(number)).read_text()))[-1]
            assert list(find_missing(step.shown, answer)) == [], f"{step.text}\n{answer}"


async def test_a_guide_whose_request_is_refused_fails(ringdown: Ringdown, tmp_path: Path) -> None:
    refused = Step("sh", 'curl -s "$API/calls?limit=0" -H "$AUTH"\n')
    with pytest.raises(AssertionError, match="must be a whole number"):
        await run_steps([refused], ringdown, tmp_path)


async def test_an_answer_without_a_shown_field_is_told() -> None:
    shown = {"data": [{"id": "…"}], "error": {"code": "not_found"}}
    assert list(find_missing(shown, {"data": [{"id": "x"}], "error": {"code": "not_found"}})) == []
    assert list(find_missing(shown, {"data": [{}], "error": {"code": "conflict"}})) == [
        ".data[0].id",
        ".error.code is conflict",
    ]
