"""A run in the layout of the Hugging Face Hub's model mixin: ``config.json``, ``model.safetensors``, ``README.md``.

``config.json`` is ``model.json`` with the run's own description under ``run``, without what tells of the machine it was made on:
paths, the command line, names of files. No image goes along unless pictures are asked for.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from latentia.core.atomic import storage_errors, write_bytes, write_json
from latentia.core.errors import UserError
from latentia.data.source import SOURCES, Source
from latentia.training.run_folder import RunFolder
from latentia.training.storage import load_tensors, read_json

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
BESIDE = (
    "metrics.jsonl",
    "calibration.json",
    "mixture.safetensors",
)  # what is made of a run and says nothing of single images
FILES = (CONFIG, WEIGHTS, CARD, *BESIDE)
KEPT = (
    "kind",
    "preset",
    "architecture",
    "objective",
    "settings",
    "device",
    "status",
    "best_epoch",
    "seconds",
    "created",
    "versions",
)


def write_shared(run: RunFolder, folder: Path, card: str, pictures: list[Path]) -> None:
    """Write a run into ``folder``, which is made if it is not there.

    Args:
        run: a run with a saved model.
        folder: where; files of other names in it stay.
        card: the text of ``README.md``.
        pictures: files to go along, as ``figures/``.

    Raises:
        UserError: there is a file in its place, or the run's model is damaged.
        StorageError: the disk is full or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, but the model needs a folder: choose another place")
    load_tensors(run.path / WEIGHTS)  # a damaged file is told here
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    model = read_json(run.path / "model.json", "saved model")
    write_json(folder / CONFIG, {**model, "run": without_traces(run.describe())})
    for name in (WEIGHTS, *BESIDE):
        if (run.path / name).is_file():
            write_bytes(folder / name, (run.path / name).read_bytes())
    for picture in pictures:
        with storage_errors(folder):
            (folder / "figures").mkdir(exist_ok=True)
        write_bytes(folder / "figures" / picture.name, picture.read_bytes())
    write_bytes(folder / CARD, card.encode())


def read_shared(folder: Path, runs: Path, origin: str) -> RunFolder:
    """Return a new run folder below ``runs``, made of what :func:`write_shared` wrote.

    Raises:
        UserError: ``folder`` holds no model of Latentia, a damaged one, or one of a newer version.
        StorageError: the disk is full or cannot be written.
    """
    config = read_json(folder / CONFIG, "folder with a model of Latentia")
    described = config.pop("run", None)
    if not isinstance(described, dict) or not isinstance(described.get("data"), dict):
        raise UserError(
            f"{folder / CONFIG} does not say how its model was trained: it was not written by latentia push"
        )
    load_tensors(folder / WEIGHTS)
    name = f"{Path(str(described['data'].get('source'))).stem}-{described.get('preset')}"
    made = RunFolder.create(runs, name, {})
    for file in (WEIGHTS, *BESIDE):
        if (folder / file).is_file():
            write_bytes(made.path / file, (folder / file).read_bytes())
    write_json(made.path / "model.json", config)
    made.update(**described, pulled={"from": origin, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
    return made


def without_traces(described: dict[str, Any]) -> dict[str, Any]:
    """Return what ``run.json`` says, less paths, command line and machine."""
    data = dict(described["data"])
    location = data["location"]
    if location is not None and not _is_name(location):
        data |= {"location": None, "source": Path(str(data["source"])).name or "images", "notes": []}
    data["options"] = {key: value for key, value in data["options"].items() if key in ("size", "policy", "split")}
    return {**{key: described[key] for key in KEPT if key in described}, "data": data}


def _is_name(location: str) -> bool:
    """Return whether a location is the name of a data set, which says nothing of the machine."""
    sources = [SOURCES.get(name)() for name in SOURCES.names()]
    return any(isinstance(source, Source) and location in source.datasets for source in sources)
