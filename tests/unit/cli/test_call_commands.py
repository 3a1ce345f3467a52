"""What `ringdown calls` refuses before it asks the API."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ringdown.cli.calls import app


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["list", "--url", "https://calls.example"],
            "Another machine's API needs its key: --key, or RINGDOWN_API_KEY.",
        ),
        (["list", "--filter", "direction"], "--filter takes NAME=VALUE, not 'direction'."),
        (["list", "--filter", "=outbound"], "--filter takes NAME=VALUE, not '=outbound'."),
        (["list", "--status", "queued", "-f", "status=failed"], "status is given twice."),
        (["create", "+12025550142", "--agent", "agt_1", "-m", "order"], "--metadata takes NAME=VALUE, not 'order'."),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    ended = CliRunner().invoke(app, [*arguments, "--data-dir", str(tmp_path)])
    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", f"ringdown: {sentence}\n")
