"""One fold, from its result's folder to a trained and judged run inside it; called in whichever process is to do it."""

from __future__ import annotations

import dataclasses
import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.errors import Interrupted, LatentiaError, StorageError
from latentia.core.noise import Noise, derive
from latentia.data.imageset import ImageSet
from latentia.model import Architecture, Autoencoder
from latentia.objective import Objective
from latentia.presets import Design
from latentia.studies.folder import FINAL, JUDGED, fold_path, is_finished, read_folds
from latentia.studies.pool import part, read_pool, save_array
from latentia.tasks.apply import batches
from latentia.tasks.embed import embed
from latentia.tasks.reconstruct import reconstruct
from latentia.training.device import resolve_device
from latentia.training.run import Begun, DataChoice, begin_run
from latentia.training.run_folder import RunFolder
from latentia.training.settings import settings_from
from latentia.training.storage import load_model, save_tensors
from latentia.training.threads import computing_with


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a fold, in values that travel between processes.

    Attributes:
        number: the fold.
        problem: one sentence where it failed.
        signal_number: the signal that interrupted it, 0 where none did.
        disk: whether a file could not be written, which concerns all folds.
    """

    number: int
    problem: str = ""
    signal_number: int = 0
    disk: bool = False


def run_fold(result: str, number: int) -> Outcome:
    """Train and judge a fold of ``result``, from wherever it stands; a finished one is left untouched.

    Errors that concern this fold come back as its outcome, so that they do not end the others.
    """
    place = Path(result)
    if not (place / "run.json").is_file():
        return Outcome(
            number, f"its worker does not see {place}: several machines need a file system that all of them share"
        )
    if is_finished(place, number):
        return Outcome(number)
    described = RunFolder(place).describe()
    try:
        chosen = described.get("threads")  # a result of an earlier version has one number for all
        threads = chosen[number] if chosen else described["study"]["threads_per_fold"]
        with computing_with(threads):
            begun = begin_fold(place, number, described)
            begun.run.fit(threads)
            begun.judge()
    except LatentiaError as error:
        return outcome_of(number, error)
    return Outcome(number)


def outcome_of(number: int, error: LatentiaError) -> Outcome:
    """Return the outcome of a fold that ended with ``error``."""
    signal_number = error.exit_code - 128 if isinstance(error, Interrupted) else 0
    return Outcome(number, str(error), signal_number, isinstance(error, StorageError))


@dataclasses.dataclass(frozen=True)
class BegunFold:
    """A fold to be trained.

    Attributes:
        run: its training.
        pool: the images of all folds.
        held_out: the positions of those to judge it by; ``None`` for the final model.
        objective, seed: of its training.
    """

    run: Begun
    pool: ImageSet
    held_out: npt.NDArray[np.int64] | None
    objective: Objective
    seed: int

    def judge(self) -> None:
        """Write the verdict on the held-out images, where there are any."""
        if self.held_out is not None:
            folder, images = self.run.folder, part(self.pool, self.held_out, split="test")
            # by the model in the file, as whoever opens the run will
            _judge(folder, load_model(folder.path), self.objective, images, self.seed)


def begin_fold(place: Path, number: int, described: dict[str, Any]) -> BegunFold:
    """Return a fold of the result at ``place``, whose ``run.json`` is ``described``, from wherever it stands."""
    pool = read_pool(place)
    study = described["study"]
    settings = settings_from(study["settings"])
    settings = dataclasses.replace(settings, seed=derive(settings.seed, "fold", number))
    if number == FINAL:
        settings = dataclasses.replace(settings, epochs=final_epochs(place), patience=0)
        rows, held_rows, test_rows = np.arange(len(pool)), np.arange(0), np.arange(0)
    else:
        fold = read_folds(place)[number]
        rows, held_rows, test_rows = fold.train, fold.validation, fold.test
    on_gpu = resolve_device(settings.device).type == "cuda"  # there the pixels are gathered from the GPU's memory
    train = part(pool, rows, mapped=not on_gpu)
    held = part(pool, held_rows, split="validation") if len(held_rows) else None
    objective = Objective.from_json(study["objective"])
    asked = described["data"]
    run = begin_run(
        train,
        held,
        Design(described["preset"], Architecture.from_json(study["architecture"]), objective),
        settings,
        place,
        choice=DataChoice.of(asked),
        place=fold_path(place, number),
        notes={
            "fold": "final" if number == FINAL else number,
            **{key: described[key] for key in ("created", "command", "versions", "machine")},
        },
        quiet=True,
    )
    return BegunFold(run, pool, None if number == FINAL else test_rows, objective, settings.seed)


def final_epochs(place: Path) -> int:
    """Return how long the final model is trained: the median of the folds' best epochs, rounded up."""
    best = [RunFolder(fold_path(place, number)).describe()["best_epoch"] for number in range(len(read_folds(place)))]
    return math.ceil(statistics.median(best))


def _judge(folder: RunFolder, model: Autoencoder, objective: Objective, held_out: ImageSet, seed: int) -> None:
    """Write the verdict on the held-out images: figures, errors, codes and reconstructions, in their order."""
    result = reconstruct(model, held_out)
    sums: dict[str, float] = {}
    with torch.inference_mode():
        for batch in batches(model, held_out):
            noise = Noise(seed, batch.ids, "evaluation")
            for name, values in objective.evaluate(model, batch.pixels, None, noise).items():
                sums[name] = sums.get(name, 0.0) + float(values.double().sum())
    figures = {"reconstruction_mse": float(result.errors.mean())}
    figures |= {name: total / len(held_out) for name, total in sums.items()}
    save_array(folder.path / "out-of-fold-reconstructions.npy", result.images.pixels)
    save_tensors(
        folder.path / JUDGED,
        {"errors": torch.from_numpy(result.errors), "codes": torch.from_numpy(embed(model, held_out))},
        {"figures": figures},
    )
