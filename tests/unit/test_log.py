"""Logs: personal data is dropped unless it is asked for."""

import json
import logging

import pytest
import structlog

from ringdown import log
from ringdown.config import Settings


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


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_a_peer_says_cannot_move_the_cursor_nor_begin_a_line(
    settings: Settings, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    log.configure(settings.model_copy(update={"log_format": log_format}))
    structlog.get_logger("test").info("refused", reason="Busy\x1b[2J", server="x\nsip source banned source=192.0.2.1")
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert "\x1b[2J" not in written


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_logged_exception_does_not_show_local_variables(
    settings: Settings, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    log.configure(settings.model_copy(update={"log_format": log_format}))

    def fail(number: str) -> None:
        raise ValueError("no such line")

    try:
        fail("+1212555" + "1234")
    except ValueError:
        structlog.get_logger("test").exception("call_failed")
    written = capsys.readouterr().err
    assert "no such line" in written
    assert "+12125551234" not in written


def test_what_libraries_log_has_the_same_form(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(settings.model_copy(update={"log_format": "json"}))
    logging.getLogger("library").warning("low on %s", "memory")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("low on memory", "warning")
