"""One clear sentence for everything that keeps Ringdown from starting."""

import os
import socket
from pathlib import Path

import pytest

from ringdown.cli import preflight
from ringdown.config import Settings
from ringdown.lifecycle import CannotStart


def test_a_second_start_on_the_same_data_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with (
        preflight.hold_data_folder(tmp_path / "data"),
        pytest.raises(CannotStart, match=f"already runs on the data folder .*process {os.getpid()}"),
        preflight.hold_data_folder(tmp_path / "data"),
    ):
        raise AssertionError("two owners")


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with preflight.hold_data_folder(tmp_path):
            assert (tmp_path / "ringdown.lock").read_text() == str(os.getpid())


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CannotStart, match=r"cannot be written \(.+\); choose another with --data-dir"),
        preflight.hold_data_folder(tmp_path / "file" / "data"),
    ):
        raise AssertionError("made a folder below a file")


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("http_port", socket.SOCK_STREAM),
        ("sip_port", socket.SOCK_STREAM),
        ("sip_port", socket.SOCK_DGRAM),
        ("webrtc_port", socket.SOCK_STREAM),
        ("test_phone_port", socket.SOCK_DGRAM),
    ],
)
def test_a_port_in_use_is_named_with_the_setting_that_changes_it(setting: str, kind: socket.SocketKind) -> None:
    names = ("http_port", "sip_port", "webrtc_port", "test_phone_port")
    ports = {name: preflight.find_free_port("127.0.0.1") for name in names}
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", ports[setting]))
        if kind == socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(CannotStart, match=f"Port {ports[setting]} .*RINGDOWN_{setting.upper()}"):
            preflight.check_ports(Settings.model_validate(ports))
    preflight.check_ports(Settings.model_validate(ports))
