"""Unpacks an archive that nobody has checked: nothing leaves its folder, nothing fills the disk."""

import tarfile
from pathlib import Path

from ringdown.models.failure import ModelError, explain_disk

# The largest known model is below 3 GB unpacked.
_MAX_BYTES = 20_000_000_000
_MAX_MEMBERS = 20_000


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, compressed in any known way, into `folder`. Raises `ModelError`.

    Links, devices and names that lead out of the folder are refused (PEP 706).
    """
    try:
        with explain_disk(folder.parent):
            folder.mkdir()
        with tarfile.open(archive) as package:
            count = size = 0
            for member in package:
                count, size = count + 1, size + max(0, member.size)
                if count > _MAX_MEMBERS or size > _MAX_BYTES:
                    raise ModelError(f"{archive.name} is refused: it unpacks to more than a model can be.")
                if not (member.isfile() or member.isdir()):
                    raise ModelError(f"{archive.name} is refused: {member.name} is neither a file nor a folder.")
                with explain_disk(folder.parent):
                    package.extract(member, folder, filter="data")
    except tarfile.FilterError as error:
        raise ModelError(f"{archive.name} is refused: {error}.") from error
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise ModelError(f"{archive.name} cannot be unpacked: it is broken, or no tar archive.") from error
