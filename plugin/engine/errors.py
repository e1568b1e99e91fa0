"""What goes wrong, in one sentence that names the thing and the remedy."""

from __future__ import annotations

import errno
from pathlib import Path


class ConcordError(Exception):
    """A failure the user can act on; its text is one sentence, shown as it is."""


class Cancelled(ConcordError):
    """The user stopped the run."""

    def __init__(self):
        super().__init__("The run was cancelled; nothing was written.")


class NoData(ConcordError):
    """What was asked for lies where the image has no data."""


def explain_os_error(error: OSError, path: str | Path) -> ConcordError:
    """Turn an operating-system error met while writing ``path`` into a sentence."""
    name = Path(path)
    # GDAL reports a failed write without an errno; a full disk is what it nearly always is.
    if error.errno is None or error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return ConcordError(
            f"The disk is full while writing {name}; free some space or choose another folder."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConcordError(
            f"{name} cannot be written because its folder is read-only; choose another folder."
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return ConcordError(f"The folder of {name} does not exist; create it or choose another.")
    return ConcordError(f"{name} cannot be written ({error.strerror or error}); check the folder.")
