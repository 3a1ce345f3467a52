"""`ringdown models` on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ringdown.cli import models
from ringdown.lifecycle import CannotStart
from ringdown.models.catalog import KNOWN_MODELS
from tests.fakes import onnx_models
from tests.fakes.file_server import FileServer
from tests.unit.models.test_library import PACKAGE


def run(*arguments: str, data_dir: Path) -> str:
    result = CliRunner().invoke(models.app, [*arguments, "--data-dir", str(data_dir)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_model_is_pulled_listed_and_removed(tmp_path: Path) -> None:
    with FileServer(PACKAGE).run() as server:
        pulled = run("pull", "parakeet-en", "--url", server.url, data_dir=tmp_path)
    assert "Licence: CC-BY-4.0 (https://huggingface.co/nvidia/parakeet-tdt-0.6b-v2)" in pulled
    assert 'model = "parakeet-en"' in pulled
    assert "100 %" in pulled
    here, _, offered = run("list", data_dir=tmp_path).partition("Can be pulled:")
    assert "parakeet-en" in here
    assert "nemo_ctc" in here
    assert "parakeet-en" not in offered
    assert "Removed parakeet-en." in run("remove", "parakeet-en", data_dir=tmp_path)
    assert "parakeet-en" in run("list", data_dir=tmp_path)


def test_a_folder_is_added_when_it_holds_a_model(tmp_path: Path) -> None:
    onnx_models.write_vits(tmp_path / "vits-own")
    added = run("add", str(tmp_path / "vits-own"), "--name", "own", data_dir=tmp_path)
    assert 'kind = "text_to_speech"' in added
    assert "vits" in run("list", data_dir=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotStart, match="holds no model that is known by its files"):
        run("add", str(tmp_path / "empty"), "--name", "empty", data_dir=tmp_path)


def test_an_unknown_model_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"no known model gpt; known are zipformer-en,"):
        run("pull", "gpt", data_dir=tmp_path)


def test_each_known_model_is_in_the_documentation_with_its_licence() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    for model in KNOWN_MODELS:
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{model.name}` |")]
        assert row.endswith(f"| {model.licence} |")
