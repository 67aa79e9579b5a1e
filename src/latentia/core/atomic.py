"""Writing that a kill at any moment cannot spoil: a file is written beside its place, flushed, then moved there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from latentia.core.errors import StorageError

MARK = ".tmp-"  # every unfinished file carries it, so that the leftovers of a kill can be told and removed


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a temporary path in the folder of ``path``, then move the finished file into place.

    Raises:
        StorageError: the disk is full or cannot be written; a file that stood at ``path`` is untouched.
    """
    with storage_errors(path):
        handle, name = tempfile.mkstemp(prefix=path.name + MARK, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            os.chmod(temporary, 0o666 & ~_umask())
            _flush(temporary)
            os.replace(temporary, path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    write_atomically(path, lambda temporary: _write(temporary, content))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON to ``path`` atomically."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files that a killed process left in ``folder`` (not below it)."""
    for leftover in folder.glob(f"*{MARK}*"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about writing into one sentence that names the place."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full: free some space there"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = "the place may not be written to: choose another one"
        else:
            reason = f"{error.strerror or error}"
        raise StorageError(f"could not write {path}: {reason}; what stood there before is untouched") from error


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
