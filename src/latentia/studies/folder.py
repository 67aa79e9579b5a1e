"""The folder of a cross-validation: what it is to do, the pool, the folds, and where each fold keeps its run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentia.core.errors import UserError
from latentia.studies.folds import Fold
from latentia.studies.pool import has_pool, write_pool
from latentia.training.run_folder import RunFolder
from latentia.training.storage import load_tensors, save_tensors

KIND = "crossvalidation"
FINAL = -1  # the number of the model that is refitted on everything
JUDGED = "out-of-fold.safetensors"  # a fold's verdicts; written last, so a fold that has it is finished


def fold_path(result: Path, number: int) -> Path:
    """Return the run folder of a fold (or of the final model) of ``result``."""
    return result / ("final" if number == FINAL else f"fold-{number}")


def is_finished(result: Path, number: int) -> bool:
    """Return whether a fold is trained and judged (the final model: trained)."""
    path = fold_path(result, number)
    if number != FINAL:
        return (path / JUDGED).is_file()
    return (path / "run.json").is_file() and RunFolder(path).describe().get("status") == "finished"


def identity(study: Mapping[str, Any]) -> str:
    """Return a hash of all that decides a study's figures: settings, data and folds."""
    return hashlib.blake2b(json.dumps(study, sort_keys=True).encode(), digest_size=16).hexdigest()


def find_result(runs: Path, study: Mapping[str, Any]) -> RunFolder | None:
    """Return the newest folder below ``runs`` that was begun with the same settings, data and folds, or ``None``."""
    wanted = identity(study)
    for path in sorted(runs.glob("*-crossval/run.json"), reverse=True):
        try:
            described = RunFolder(path.parent).describe()
        except UserError:
            continue  # a damaged or foreign folder is no result of ours
        if (
            described.get("identity") == wanted
            and has_pool(path.parent)
            and (path.parent / "folds.safetensors").is_file()
        ):
            return RunFolder(path.parent)
    return None


def check_same(folder: RunFolder, study: Mapping[str, Any]) -> None:
    """Raise a :class:`UserError` that names the first difference between a result's settings and ``study``."""
    described = open_result(folder.path).describe()
    before, now = flat(described["study"]), flat(study)
    # folds and pool follow from the other settings, so they are named only where nothing else differs
    for key in sorted({*before, *now}, key=lambda key: (key.startswith(("splits", "data")), key)):
        if before.get(key) != now.get(key):
            raise UserError(
                f"{folder.path} was made with {key} {_shown(before.get(key))}, but {_shown(now.get(key))} is asked for: "
                "give the same settings, or begin a new result"
            )


def open_result(path: Path) -> RunFolder:
    """Return the folder of a cross-validation.

    Raises:
        UserError: it is none.
    """
    folder = RunFolder.open(path)
    kind = folder.describe().get("kind")
    if kind != KIND:
        raise UserError(f"{path} holds a run of the kind {kind!r}, not a cross-validation")
    return folder


def create_result(
    runs: Path, name: str, description: Mapping[str, Any], pool: Any, folds: Sequence[Fold], *, copy: bool = False
) -> RunFolder:
    """Make the folder of a new result, with its folds and its pool (``copy``: its pixels even where they have a file)."""
    folder = RunFolder.create(runs, f"{name}-crossval", {"kind": KIND, **description})
    write_pool(folder.path, pool, copy=copy)
    tensors = {}
    for number, fold in enumerate(folds):
        for part in ("train", "validation", "test"):
            tensors[f"{number}.{part}"] = torch.from_numpy(np.ascontiguousarray(getattr(fold, part)))
    save_tensors(folder.path / "folds.safetensors", tensors, {"repeats": [fold.repeat for fold in folds]})
    return folder


def read_folds(result: Path) -> list[Fold]:
    """Return the folds of a result."""
    tensors, metadata = load_tensors(result / "folds.safetensors")
    return [
        Fold(repeat, *(tensors[f"{number}.{part}"].numpy() for part in ("train", "validation", "test")))
        for number, repeat in enumerate(metadata["repeats"])
    ]


def flat(values: Any, name: str = "") -> dict[str, Any]:
    """Return nested dictionaries as one, by dotted names."""
    if not isinstance(values, Mapping):
        return {name: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{name}.{key}" if name else str(key))
    return found


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)
