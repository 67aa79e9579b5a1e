"""The explorer's folder inside a run: who holds it, and what is kept there. Nothing is written anywhere else."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import remove_leftovers, storage_errors, write_atomically, write_json
from latentia.core.errors import UserError
from latentia.core.npy import load_npy

FOLDER = "explore"


class Workspace:
    """``RUN/explore``, held by one process at a time.

    Args:
        run: the run's folder.
        part: a folder below for data other than the run's own, or an empty string.
    """

    def __init__(self, run: Path, part: str = "") -> None:
        self.run = run
        self.top = run / FOLDER
        self.path = self.top / part if part else self.top
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Hold the folder until this process ends.

        Raises:
            UserError: another explorer holds it. StorageError: it cannot be written.
        """
        with storage_errors(self.path):
            (self.path / "cache").mkdir(parents=True, exist_ok=True)
            handle = (self.top / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            whose = _whose(handle.read())
            handle.close()
            raise UserError(f"{self.run} is open in another explorer already{whose}") from None
        self._lock = handle
        self.announce("")
        for place in (self.path, self.path / "cache"):
            remove_leftovers(place)

    def announce(self, address: str) -> None:
        """Write down who holds the folder and where the page is, for whoever comes second."""
        if self._lock is not None:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(json.dumps({"pid": os.getpid(), "address": address}))
            self._lock.flush()

    def release(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kept(self, name: str) -> npt.NDArray[Any] | None:
        """Return a kept array, or ``None`` where there is none or it is damaged: it can always be made again."""
        path = self.path / "cache" / f"{name}.npy"
        try:
            return load_npy(path)
        except (OSError, ValueError):
            return None

    def keep(self, name: str, values: npt.NDArray[Any]) -> None:
        """Keep an array."""

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.save(file, values, allow_pickle=False)

        write_atomically(self.path / "cache" / f"{name}.npy", write)

    def use_key(self, key: str) -> None:
        """Empty the cache where it was made of another model or other images than ``key`` stands for."""
        path = self.path / "cache" / "made-of.json"
        try:
            if json.loads(path.read_text(encoding="utf-8")).get("key") == key:
                return
        except (OSError, ValueError, AttributeError):
            pass
        for file in (self.path / "cache").glob("*.npy"):
            file.unlink(missing_ok=True)
        write_json(path, {"key": key})


def part_name(source: str) -> str:
    """Return a folder's name for data called ``source``: readable, and different for different data."""
    readable = "".join(letter if letter.isalnum() else "-" for letter in Path(source).stem).strip("-")[:40] or "data"
    return f"{readable}-{hashlib.blake2b(source.encode(), digest_size=4).hexdigest()}"


def _whose(text: str) -> str:
    try:
        found = json.loads(text)
        where = f" at {found['address']}" if found["address"] else ""
        return f" (process {int(found['pid'])}{where}): use that one, or stop it first"
    except (ValueError, KeyError, TypeError):
        return ": use that one, or stop it first"
