"""The process tree: what dies is started again, and nothing outlives its supervisor."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from ringdown.cli import supervisor
from ringdown.lifecycle import CannotStart

# A program as the supervisor sees it: tells that it is ready, lives until SIGTERM or until the lifeline ends.
PROGRAM = """
import os, select, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.write(int(os.environ["RINGDOWN_READY_FD"]), b"ready\\n")
os.close(int(os.environ["RINGDOWN_READY_FD"]))
with open(os.environ["STARTS"], "a") as starts:
    starts.write(f"{os.getpid()}\\n")
select.select([int(os.environ["RINGDOWN_LIFELINE_FD"])], [], [], 30)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A package `ringdown` of one file, found before the real one by the children."""
    (tmp_path / "ringdown").mkdir()
    (tmp_path / "ringdown" / "__init__.py").write_text("")
    (tmp_path / "ringdown" / "__main__.py").write_text(PROGRAM)
    return tmp_path


def make_supervisor(folder: Path) -> supervisor.Supervisor:
    environment = {**os.environ, "PYTHONPATH": str(folder), "STARTS": str(folder / "starts")}
    specs = [supervisor.ProgramSpec(name, ["ringdown"]) for name in ("gateway", "worker")]
    return supervisor.Supervisor(specs, environment=environment, drain_s=5)


async def wait_for_starts(folder: Path, count: int) -> None:
    starts = folder / "starts"
    async with asyncio.timeout(20):
        while not starts.exists() or starts.read_text().count("\n") < count:
            await asyncio.sleep(0.05)


async def test_a_killed_program_runs_again_within_seconds(program: Path) -> None:
    async with make_supervisor(program) as tree:
        killed = tree.children["gateway"].process_id
        assert killed is not None
        await wait_for_starts(program, 2)  # a program is ready before it has written its start
        os.kill(killed, signal.SIGKILL)
        await wait_for_starts(program, 3)
        assert tree.children["gateway"].process_id not in (killed, None)


async def test_leaving_the_tree_ends_every_program(program: Path) -> None:
    async with make_supervisor(program) as tree:
        processes = [child.process_id for child in tree.children.values()]
    for process_id in processes:
        assert process_id is not None
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)


async def test_a_program_that_cannot_start_is_named(program: Path) -> None:
    (program / "ringdown" / "__main__.py").write_text("raise SystemExit(3)")
    with pytest.raises(CannotStart, match=r"The (gateway|worker) ended 3 times while starting \(exit code 3\)"):
        async with make_supervisor(program):
            raise AssertionError("started")


async def test_the_programs_end_when_the_supervisor_is_killed(program: Path) -> None:
    script = (
        "import asyncio, os, sys\n"
        "from tests.unit.cli.test_supervisor import make_supervisor\n"
        "from pathlib import Path\n"
        "async def main():\n"
        f"    async with make_supervisor(Path({str(program)!r})):\n"
        "        print('up', flush=True); await asyncio.sleep(30)\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    async with asyncio.timeout(40):
        assert await parent.stdout.readline() == b"up\n"
        await wait_for_starts(program, 2)
        parent.kill()
        await parent.wait()
        for process_id in map(int, (program / "starts").read_text().split()):
            while _is_running(process_id):
                await asyncio.sleep(0.05)


def _is_running(process_id: int) -> bool:
    status = Path(f"/proc/{process_id}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
