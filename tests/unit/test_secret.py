"""Secrets at rest: sealed with a key of the settings or of a file."""

import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from ringdown.config import Settings
from ringdown.secret import SecretBox, SecretUnreadable


def test_a_secret_comes_back_and_its_ciphertext_does_not_show_it(tmp_path: Path) -> None:
    box = SecretBox.open(Settings(data_dir=tmp_path))
    sealed = box.seal("s3cret ü")
    assert "s3cret" not in sealed
    assert box.unseal(sealed) == "s3cret ü"
    assert SecretBox.open(Settings(data_dir=tmp_path)).unseal(sealed) == "s3cret ü"


def test_the_key_file_is_made_at_the_first_use_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    box = SecretBox.open(Settings(data_dir=folder))
    assert not folder.exists()
    box.seal("x")
    [path] = folder.iterdir()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == ("secret.key", 0o600)


def test_programs_that_make_the_key_at_once_have_the_same_one(tmp_path: Path) -> None:
    boxes = [SecretBox.open(Settings(data_dir=tmp_path)) for _ in range(8)]
    start, sealed = threading.Barrier(len(boxes)), list[str]()

    def seal(box: SecretBox) -> None:
        start.wait(10)
        sealed.append(box.seal("same"))

    threads = [threading.Thread(target=seal, args=(box,)) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [boxes[0].unseal(text) for text in sealed] == ["same"] * len(boxes)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_of_the_settings_makes_no_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret_key=SecretStr("any text will do"))
    assert SecretBox.open(settings).unseal(SecretBox.open(settings).seal("x")) == "x"
    assert list(tmp_path.iterdir()) == []


def test_another_key_does_not_open_a_secret_and_says_so(tmp_path: Path) -> None:
    sealed = SecretBox.open(Settings(data_dir=tmp_path)).seal("s3cret")
    with pytest.raises(SecretUnreadable, match="RINGDOWN_SECRET_KEY") as refused:
        SecretBox.open(Settings(data_dir=tmp_path, secret_key=SecretStr("another"))).unseal(sealed)
    assert "another key" in str(refused.value)
    (tmp_path / "secret.key").unlink()
    with pytest.raises(SecretUnreadable, match=r"secret\.key"):
        SecretBox.open(Settings(data_dir=tmp_path)).unseal(sealed)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe" * 20])
def test_a_key_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret.key").write_bytes(content)
    with pytest.raises(SecretUnreadable, match=r"secret\.key"):
        SecretBox.open(Settings(data_dir=tmp_path)).seal("x")


def test_a_damaged_ciphertext_is_not_opened(tmp_path: Path) -> None:
    box = SecretBox.open(Settings(data_dir=tmp_path))
    for damaged in ("", "x", "ü", box.seal("x")[:-4]):
        with pytest.raises(SecretUnreadable):
            box.unseal(damaged)
