"""Logs: personal data is dropped unless it is asked for."""

import json
from collections.abc import Iterator

import pytest
import structlog

from ringdown import log
from ringdown.config import Settings


@pytest.fixture(autouse=True)
def _restore_structlog() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def _log_line(settings: Settings, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    log.configure(settings)
    structlog.get_logger("test").info("call_ended", call_id="call_1", **{"pii.number": "+12125551234"})
    captured = capsys.readouterr()
    assert captured.out == ""
    line: dict[str, object] = json.loads(captured.err)
    return line


def test_personal_data_is_left_out(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    line = _log_line(settings.model_copy(update={"log_format": "json"}), capsys)
    assert (line["event"], line["level"], line["call_id"]) == ("call_ended", "info", "call_1")
    assert "+12125551234" not in str(line)


def test_personal_data_is_kept_when_asked_for(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    line = _log_line(settings.model_copy(update={"log_format": "json", "log_personal_data": True}), capsys)
    assert line["pii.number"] == "+12125551234"


def test_the_console_format_is_one_readable_line(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(settings)
    structlog.get_logger("test").info("call_ended", call_id="call_1")
    structlog.get_logger("test").debug("not shown")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "call_ended" in captured.err
