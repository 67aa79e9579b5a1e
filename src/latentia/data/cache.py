"""The cache of decoded folders: pixels that can be memory-mapped, keyed by content, written so that a kill spoils nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import MARK, storage_errors, write_json


def entry_key(content: Any) -> str:
    """Return the key of a cache entry: a hash of what determines its pixels."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def read_entry(folder: Path, key: str) -> tuple[npt.NDArray[Any], dict[str, Any]] | None:
    """Return the memory-mapped pixels and the index of an entry, or ``None`` where there is no whole one."""
    try:
        index = json.loads((folder / key / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / key / "pixels.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if list(pixels.shape) != index.get("shape"):
        return None
    os.utime(folder / key)  # so that old entries can be told from used ones
    return pixels, index


def write_entry(
    folder: Path, key: str, shape: tuple[int, ...], dtype: str, index: dict[str, Any], fill: Callable[[Any], None]
) -> None:
    """Write an entry in a folder of its own beside its place, then move it there; another process may have been faster.

    ``fill`` is called with the writable memory-mapped pixels.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_old_leftovers(folder)
        temporary = Path(tempfile.mkdtemp(prefix=key + MARK, dir=folder))
        try:
            _reserve(temporary / "pixels.npy", shape, dtype)
            pixels = np.lib.format.open_memmap(temporary / "pixels.npy", mode="r+")
            fill(pixels)
            pixels.flush()
            del pixels
            write_json(temporary / "index.json", {**index, "shape": list(shape)})
            try:
                temporary.rename(folder / key)
            except OSError:
                if read_entry(folder, key) is None:  # a broken entry stands in the way
                    shutil.rmtree(folder / key, ignore_errors=True)
                    temporary.rename(folder / key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _reserve(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    """Write the header and claim the disk's space now, so that a full disk is an error here and no bus error later."""
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        start = file.tell()
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        file.flush()
        if hasattr(os, "posix_fallocate") and size:
            os.posix_fallocate(file.fileno(), start, size)
        else:
            file.truncate(start + size)


def _remove_old_leftovers(folder: Path) -> None:
    """Remove what killed processes left; something younger than a day may still be being written."""
    import time

    for leftover in folder.glob(f"*{MARK}*"):
        if time.time() - leftover.stat().st_mtime > 86_400:
            shutil.rmtree(leftover, ignore_errors=True)
