"""Downloads one file, and goes on where an earlier try was cut off; knows nothing of models."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2

from ringdown.models.failure import ModelError, explain_disk

Progress = Callable[[int, int | None], None]

_TRIES = 5
_PAUSE_S = 1.0
_TIMEOUT_S = 30.0


def fetch(url: str, target: Path, *, on_progress: Progress, pause_s: float = _PAUSE_S) -> None:
    """Download `url` to `target`, resuming what is there of it. Raises `ModelError`.

    What was downloaded so far stays after a failure, and the next try goes on from there as long as the server still
    offers the same content (RFC 9110 §13.1.5: `If-Range`). `on_progress` gets the bytes so far and of all.
    """
    reason = ""
    for number in range(_TRIES):
        if number:
            time.sleep(pause_s)
        before = _size_of(target)
        try:
            with httpx2.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client:
                _continue(client, url, target, on_progress=on_progress)
            _etag_path(target).unlink(missing_ok=True)
            return
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            reason = f"the server answered HTTP {status}"
            if status < 500 and status != 429:
                break
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            reason = str(error) or type(error).__name__
        if number and _size_of(target) <= before and "HTTP" not in reason:
            break  # nothing comes any more
    kept_mb = _size_of(target) / 1e6
    kept = f" {kept_mb:.1f} MB are kept: run the command again to go on." if kept_mb >= 0.1 else ""
    raise ModelError(f"{url} cannot be downloaded: {reason}.{kept}")


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def discard(target: Path) -> None:
    """Forget what was downloaded."""
    target.unlink(missing_ok=True)
    _etag_path(target).unlink(missing_ok=True)


def _continue(client: httpx2.Client, url: str, target: Path, *, on_progress: Progress) -> None:
    start = _size_of(target)
    headers = {"accept-encoding": "identity"}
    etag = _etag_path(target).read_text() if _etag_path(target).is_file() else ""
    if start and etag:
        headers |= {"range": f"bytes={start}-", "if-range": etag}
    else:
        start = 0
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:  # there is no more than what we have, or other content
            discard(target)
            raise httpx2.ReadError("the server offers other content now")
        response.raise_for_status()
        if response.status_code != 206 or not response.headers.get("content-range", "").startswith(f"bytes {start}-"):
            start = 0
        length = response.headers.get("content-length")
        total = start + int(length) if length is not None and length.isdigit() else None
        with explain_disk(target.parent):
            _check_space(target.parent, None if total is None else total - start)
            _etag_path(target).write_text(_strong_etag(response))
            # Without a chunk size: what waits to fill a chunk would be lost when the connection breaks.
            _write(response.iter_bytes(), target, start=start, total=total, on_progress=on_progress)


def _write(chunks: Iterator[bytes], target: Path, *, start: int, total: int | None, on_progress: Progress) -> None:
    with target.open("r+b" if start else "wb") as file:
        file.seek(start)
        done = start
        on_progress(done, total)
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            on_progress(done, total)


def _check_space(folder: Path, needed: int | None) -> None:
    free = shutil.disk_usage(folder).free
    if needed is not None and needed > free:
        raise ModelError(
            f"The disk of {folder} has {free / 1e6:.0f} MB left; the download needs {needed / 1e6:.0f} MB."
        )


def _strong_etag(response: httpx2.Response) -> str:
    """What names the content exactly; "" where nothing does, and then no download is resumed."""
    etag = str(response.headers.get("etag", ""))
    return "" if etag.startswith("W/") else etag


def _etag_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.etag")


def _size_of(target: Path) -> int:
    return target.stat().st_size if target.is_file() else 0
