"""The folder that a run leaves behind; it describes itself, and a kill at any moment leaves one that loads."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shlex
import sys
import time
from pathlib import Path
from typing import IO, Any, Self

import latentia
from latentia.core.atomic import remove_leftovers, storage_errors, write_json
from latentia.core.errors import UserError
from latentia.training.settings import TrainSettings, settings_json
from latentia.training.storage import FORMAT, read_json

ASKED = ("kind", "preset", "architecture", "objective", "settings", "data")  # what makes two runs the same


class RunFolder:
    """One run's folder.

    Attributes:
        path: the folder. It holds ``run.json`` (what was run), ``metrics.jsonl`` (a line an epoch), ``model.json`` and
            ``model.safetensors`` (the best weights), ``learned.safetensors`` (hashes of the images it was made with), ``last/``
            (the state to resume from) and ``figures/``.
        writes: whether this process may write there; of several that train together one may, the others know the path.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self._lock: IO[str] | None = None

    @classmethod
    def create(cls, runs: Path, name: str, description: dict[str, Any]) -> Self:
        """Make the next numbered folder below ``runs`` and write its ``run.json``.

        Raises:
            StorageError: it cannot be written.
        """
        with storage_errors(runs):
            runs.mkdir(parents=True, exist_ok=True)
            path = _next_folder(runs, re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run")
            (path / "last").mkdir()
        folder = cls(path)
        write_json(path / "run.json", {"format": FORMAT, **description, "status": "running", **circumstances()})
        return folder

    @classmethod
    def at(cls, path: Path, description: dict[str, Any]) -> Self:
        """Return the folder ``path`` of a run, made with its ``run.json`` where there is none yet.

        Raises:
            StorageError: it cannot be written.
        """
        with storage_errors(path):
            (path / "last").mkdir(parents=True, exist_ok=True)
        if not (path / "run.json").is_file():
            entries = {**circumstances(), "format": FORMAT, "status": "running", **description}
            write_json(path / "run.json", entries)
        return cls(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Return the folder at ``path``.

        Raises:
            UserError: it is no run folder, or one of a newer version.
        """
        folder = cls(Path(path))
        if not folder.path.is_dir():
            raise UserError(f"the run folder {str(folder.path)!r} does not exist")
        folder.describe()
        return folder

    @property
    def resuming(self) -> str:
        """How a person goes on with the run, to end a sentence with."""
        command = "finetune" if self.describe().get("kind") == "classifier" else "train"
        return f"go on with latentia {command} --resume {shlex.quote(str(self.path))}"

    def describe(self) -> dict[str, Any]:
        """Return ``run.json``."""
        return read_json(self.path / "run.json", "run folder")

    def check_alike(self, description: dict[str, Any]) -> None:
        """Raise a :class:`UserError` where the run that was begun here was asked for otherwise, with the first difference."""
        begun, asked = self.describe(), json.loads(json.dumps(description))
        # what a run of an earlier version could not be asked for, it did as the default does
        begun["settings"] = {**settings_json(TrainSettings()), **begun.get("settings", {})}
        for key in ASKED:
            found = _difference(begun.get(key), asked.get(key), key)
            if found is not None:
                raise UserError(
                    f"{self.path} holds a run of other images or settings ({found}): name another folder, or "
                    f"{self.resuming}"
                )

    def update(self, **values: Any) -> None:
        """Change entries of ``run.json``."""
        if self.writes:
            write_json(self.path / "run.json", {**self.describe(), **values})

    def lock(self) -> None:
        """Claim the folder for this process until it ends.

        Raises:
            UserError: another process trains in it.
        """
        if not self.writes:
            return
        handle = (self.path / "last" / "lock").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise UserError(f"another process is training in {self.path}: wait for it, or stop it first") from None
        self._lock = handle
        for place in (self.path, self.path / "last"):
            remove_leftovers(place)

    def in_use(self) -> bool:
        """Return whether another process trains in the folder now."""
        path = self.path / "last" / "lock"
        if not path.is_file():
            return False
        with path.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def release(self) -> None:
        """Give the claim back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def checkpoint(self) -> Path:
        """Where the state to resume from is kept."""
        return self.path / "last" / "checkpoint.safetensors"

    def is_begun(self) -> bool:
        """Return whether there is a state to resume from."""
        return self.checkpoint.is_file()

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``."""
        path = self.path / "metrics.jsonl"
        with storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def metrics(self) -> list[dict[str, Any]]:
        """Return the records of ``metrics.jsonl``; a line that a kill cut short is left out."""
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        records = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return records

    def rewind_metrics(self, records: list[dict[str, Any]]) -> None:
        """Let ``metrics.jsonl`` hold ``records`` and nothing else."""
        if not self.writes:
            return
        from latentia.core.atomic import write_bytes

        write_bytes(self.path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in records).encode())


def _difference(begun: Any, asked: Any, where: str) -> str | None:
    if isinstance(begun, dict) and isinstance(asked, dict):
        pairs = ((key, _difference(begun.get(key), asked.get(key), f"{where}.{key}")) for key in {**begun, **asked})
        return next((found for _, found in pairs if found is not None), None)
    return None if begun == asked else f"its {where} is {begun!r}, not {asked!r}"


def _next_folder(runs: Path, name: str) -> Path:
    numbers = [int(match[1]) for entry in runs.iterdir() if (match := re.match(r"(\d{4,})-", entry.name))]
    number = max(numbers, default=0) + 1
    while True:
        path = runs / f"{number:04d}-{name}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        # another process may have taken the number under another name
        if len([entry for entry in runs.glob(f"{number:04d}-*") if entry != path]) == 0:
            return path
        path.rmdir()
        number += 1


def circumstances() -> dict[str, Any]:
    """Return when, by which command, with which versions and on what machine something is done."""
    import numpy
    import torch

    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "versions": {
            "latentia": latentia.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
        },
        "machine": {"system": platform.system(), "processor": platform.machine(), "cpus": os.cpu_count()},
    }
