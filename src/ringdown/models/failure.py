"""What goes wrong with model files, as one sentence for the operator."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


class ModelError(Exception):
    """A model cannot be had; the message is one sentence for the operator."""


@contextlib.contextmanager
def explain_disk(folder: Path) -> Iterator[None]:
    """Turn failures to write into `folder` into `ModelError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(f"The disk of {folder} is full; free some space and run the command again.") from error
        raise ModelError(f"{folder} cannot be written ({error.strerror or error}).") from error
