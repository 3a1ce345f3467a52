"""Pulling, adding and removing models, against a local server that breaks, changes and refuses."""

import errno
import fcntl
import io
import json
import random
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ringdown.models import catalog, download, unpacking
from ringdown.models.failure import DiskError, ModelError
from ringdown.models.library import ModelLibrary
from tests.fakes.file_server import FileServer


def pack(files: dict[str, bytes], *, top: str = "sherpa-onnx-nemo-ctc/") -> bytes:
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:bz2") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return package.getvalue()


NOISE = random.Random(7).randbytes(200_000)
PACKAGE = pack({"model.onnx": NOISE, "tokens.txt": b"a 0\n"})


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(PACKAGE).run() as running:
        yield running


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelLibrary:
    monkeypatch.setattr(download, "_PAUSE_S", 0.0)
    monkeypatch.setattr(download.time, "sleep", lambda _seconds: None)
    return ModelLibrary(tmp_path)


def ignore(_done: int, _total: int | None) -> None:
    """Show no progress."""


def leftovers(library: ModelLibrary) -> set[str]:
    return {path.name for path in library.folder.iterdir()} - {".lock", "models.lock.json"}


def test_a_pulled_model_is_found_by_its_name_under_its_packages_own_folder(
    library: ModelLibrary, server: FileServer
) -> None:
    seen = list[tuple[int, int | None]]()
    model = library.pull("parakeet", server.url, on_progress=lambda done, total: seen.append((done, total)))
    assert model.folder == library.folder / "parakeet" / "sherpa-onnx-nemo-ctc"
    assert (model.folder / "model.onnx").read_bytes() == NOISE
    assert library.find("parakeet") == model.folder
    assert library.list() == [model]
    assert seen[0] == (0, len(PACKAGE))
    assert seen[-1] == (len(PACKAGE), len(PACKAGE))
    assert leftovers(library) == {"parakeet"}


def test_a_download_that_is_cut_goes_on_by_itself(library: ModelLibrary, server: FileServer) -> None:
    server.cuts = [50_000, 30_000]
    library.pull("a", server.url, on_progress=ignore)
    assert [request.get("range") for request in server.requests] == [None, "bytes=50000-", "bytes=80000-"]
    assert (library.folder / "a" / "sherpa-onnx-nemo-ctc" / "model.onnx").read_bytes() == NOISE


def test_a_download_that_is_given_up_goes_on_with_the_next_command(library: ModelLibrary, server: FileServer) -> None:
    server.cuts = [120_000, 0, 0, 0, 0]
    with pytest.raises(ModelError, match=r"cannot be downloaded.*0\.1 MB are kept: run the command again"):
        library.pull("a", server.url, on_progress=ignore)
    assert library.find("a") is None
    server.cuts = []
    seen = list[int]()
    library.pull("a", server.url, on_progress=lambda done, _total: seen.append(done))
    assert seen[0] == 120_000
    assert server.requests[-1]["range"] == "bytes=120000-"


def test_content_that_changed_while_it_was_cut_is_not_patched_together(
    library: ModelLibrary, server: FileServer
) -> None:
    server.cuts = [100_000, 0, 0, 0, 0]
    with pytest.raises(ModelError):
        library.pull("a", server.url, on_progress=ignore)
    server.cuts, server.content = [], pack({"model.onnx": NOISE[::-1], "tokens.txt": b""})
    library.pull("a", server.url, on_progress=ignore)
    assert (library.folder / "a" / "sherpa-onnx-nemo-ctc" / "model.onnx").read_bytes() == NOISE[::-1]


def test_a_server_that_names_no_version_is_asked_for_all_again(library: ModelLibrary, server: FileServer) -> None:
    server.has_etag, server.cuts = False, [100_000]
    library.pull("a", server.url, on_progress=ignore)
    assert [request.get("range") for request in server.requests] == [None, None]


def test_other_content_than_at_the_first_download_is_refused(library: ModelLibrary, server: FileServer) -> None:
    first = library.pull("a", server.url, on_progress=ignore)
    library.remove("a")
    assert leftovers(library) == set()
    server.content = pack({"model.onnx": b"other", "tokens.txt": b""})
    with pytest.raises(ModelError, match=rf"is refused.*not {first.sha256} as at the first download"):
        library.pull("a", server.url, on_progress=ignore)
    assert library.find("a") is None
    assert leftovers(library) == set()
    server.content = PACKAGE
    assert library.pull("a", server.url, on_progress=ignore) == first


def test_other_content_than_the_publisher_states_is_refused(library: ModelLibrary, server: FileServer) -> None:
    with pytest.raises(ModelError, match="as its publisher states"):
        library.pull("a", server.url, on_progress=ignore, sha256="0" * 64)
    assert library.list() == []


@pytest.mark.parametrize("content", [b"not an archive", PACKAGE[:90_000]])
def test_a_broken_archive_is_refused_and_not_kept(library: ModelLibrary, server: FileServer, content: bytes) -> None:
    server.content = content
    with pytest.raises(ModelError, match="it is broken, or no tar archive"):
        library.pull("a", server.url, on_progress=ignore)
    assert leftovers(library) == set()
    assert library.list() == []


class Hostile(NamedTuple):
    name: str
    kind: bytes = tarfile.REGTYPE
    link: str = ""


@pytest.mark.parametrize(
    "member",
    [
        Hostile("../outside"),
        Hostile("a/../../outside"),
        Hostile("link", tarfile.SYMTYPE, "/etc/passwd"),
        Hostile("link", tarfile.LNKTYPE, "../outside"),
        Hostile("device", tarfile.CHRTYPE),
        Hostile("pipe", tarfile.FIFOTYPE),
    ],
)
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path: Path, member: Hostile) -> None:
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(member.name)
        info.type, info.linkname = member.kind, member.link
        archive.addfile(info)
    (tmp_path / "inside").mkdir()
    with pytest.raises(ModelError, match="is refused"):
        unpacking.unpack(path, tmp_path / "inside" / "model")
    assert not list(tmp_path.rglob("outside"))


def test_an_absolute_name_stays_within_the_folder(tmp_path: Path) -> None:
    (tmp_path / "absolute.tar").write_bytes(pack({"tmp/inside": b"x"}, top="/"))
    unpacking.unpack(tmp_path / "absolute.tar", tmp_path / "model")
    assert (tmp_path / "model" / "tmp" / "inside").read_bytes() == b"x"


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_MAX_BYTES", 100_000)
    path = tmp_path / "bomb.tar.bz2"
    path.write_bytes(pack({"model.onnx": bytes(200_000)}))
    with pytest.raises(ModelError, match="unpacks to more than a model can be"):
        unpacking.unpack(path, tmp_path / "model")


def test_a_disk_without_space_is_told_before_the_download(
    library: ModelLibrary, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="0 MB left; the download needs 0 MB"):
        library.pull("a", server.url, on_progress=ignore)


def test_a_disk_that_fills_up_keeps_the_download(
    library: ModelLibrary, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(tarfile.TarFile, "extract", fill)
        with pytest.raises(DiskError, match="is full; free some space"):
            library.pull("a", server.url, on_progress=ignore)
    assert leftovers(library) == {"a.part"}
    library.pull("a", server.url, on_progress=ignore)
    assert leftovers(library) == {"a"}


def test_a_server_that_refuses_says_how(library: ModelLibrary, server: FileServer) -> None:
    server.statuses = [404]
    with pytest.raises(ModelError, match="the server answered HTTP 404"):
        library.pull("a", server.url, on_progress=ignore)
    assert len(server.requests) == 1
    server.statuses = [503, 429]
    assert library.pull("a", server.url, on_progress=ignore).sha256


def test_a_server_that_is_not_there_says_so(library: ModelLibrary, server: FileServer) -> None:
    url = server.url.replace("http://", "http://user@").replace("127.0.0.1", "127.0.0.1:1/x", 1)
    with pytest.raises(ModelError, match="cannot be downloaded"):
        library.pull("a", url, on_progress=ignore)
    with pytest.raises(ModelError, match="cannot be downloaded"):
        library.pull("a", "no address", on_progress=ignore)


def test_a_folder_of_ones_own_gets_a_name_and_stays(library: ModelLibrary, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    model = library.add("mine", own)
    assert (model.sha256, library.find("mine")) == (None, own)
    with pytest.raises(ModelError, match="mine is taken"):
        library.add("mine", own)
    library.remove("mine")
    assert own.is_dir()
    assert library.find("mine") is None
    with pytest.raises(ModelError, match="There is no model mine here"):
        library.remove("mine")
    with pytest.raises(ModelError, match="There is no folder"):
        library.add("gone", tmp_path / "gone")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "models.lock.json", "a.part"])
def test_names_that_are_paths_are_refused(library: ModelLibrary, server: FileServer, name: str) -> None:
    with pytest.raises(ModelError, match="is no name for a model"):
        library.pull(name, server.url, on_progress=ignore)
    assert server.requests == []


def test_a_model_that_is_here_is_not_pulled_again(library: ModelLibrary, server: FileServer) -> None:
    library.pull("a", server.url, on_progress=ignore)
    with pytest.raises(ModelError, match="a is here already"):
        library.pull("a", server.url, on_progress=ignore)
    assert len(server.requests) == 1


def test_two_commands_do_not_work_on_the_same_folder(library: ModelLibrary, server: FileServer) -> None:
    library.folder.mkdir()
    with (library.folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="Another command is working"):
            library.pull("a", server.url, on_progress=ignore)


@pytest.mark.parametrize("content", ["{", "[]", '{"models": 3, "checksums": {}}'])
def test_a_lock_file_that_cannot_be_read_says_so(library: ModelLibrary, content: str) -> None:
    library.folder.mkdir()
    (library.folder / "models.lock.json").write_text(content)
    with pytest.raises(ModelError, match="cannot be read; mend it"):
        library.list()


def test_what_a_killed_pull_left_is_swept_away(library: ModelLibrary, server: FileServer) -> None:
    for name in ("a", "a.unpacking"):
        (library.folder / name).mkdir(parents=True)
        (library.folder / name / "half").touch()
    model = library.pull("a", server.url, on_progress=ignore)
    assert leftovers(library) == {"a"}
    assert not (library.folder / "a" / "half").exists()
    assert json.loads((library.folder / "models.lock.json").read_text())["checksums"] == {"a": model.sha256}


def test_known_models_have_names_licences_and_addresses_of_their_publisher() -> None:
    names = [model.name for model in catalog.KNOWN_MODELS]
    assert len(set(names)) == len(names)
    for model in catalog.KNOWN_MODELS:
        assert model.url.startswith("https://github.com/k2-fsa/sherpa-onnx/releases/download/")
        assert model.licence
        assert model.licence_url.startswith("https://")
    assert catalog.find_known("kokoro-en") is not None
    assert catalog.find_known("kokoro") is None
