"""What goes wrong with model files, as one sentence for the operator."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


class ModelError(Exception):
    """A model cannot be had; the message is one sentence for the operator."""


class DiskError(ModelError):
    """The folder of the models cannot be written; nothing is wrong with the model."""


@contextlib.contextmanager
def explain_disk(folder: Path) -> Iterator[None]:
    """Turn failures to write into `folder` into `DiskError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(f"The disk of {folder} is full; free some space and run the command again.") from error
        if error.errno is None:  # of a decompressor, not of the system
            raise
        raise DiskError(f"{folder} cannot be written ({error.strerror or error}).") from error
