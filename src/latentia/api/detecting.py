"""``detect`` by a run or a cross-validation; writing what was found: scores, the oddest images, where they are wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from latentia.api.studies import CrossValidationResult
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.restore import save_images
from latentia.report.anomaly_picture import oddest
from latentia.report.style import save
from latentia.runs import Run, open_run
from latentia.studies.folder import KIND
from latentia.studies.out_of_fold_detection import OutOfFoldDetector
from latentia.tasks.detect import HOT, Detection
from latentia.training.run_folder import RunFolder

SHOWN = 12


def detect(
    run: str | os.PathLike[str],
    data: Any,
    *,
    split: str = "all",
    score: str = "combined",
    calibrate: Any = None,
    false_alarms: float = 0.0,
    fdr: float = 0.0,
) -> tuple[Run | OutOfFoldDetector, Detection]:
    """Return what draws the pictures, and what was found in ``split`` of ``data`` by the run or cross-validation in ``run``.

    Raises:
        UserError: see :meth:`Run.detect <latentia.runs.Run.detect>`; a cross-validation takes no ``calibrate``.
    """
    if RunFolder.open(run).describe().get("kind") != KIND:
        opened = open_run(run)
        images = opened.images(data, split)
        return opened, opened.detect(images, score=score, calibrate=calibrate, false_alarms=false_alarms, fdr=fdr)
    if calibrate is not None:
        raise UserError(
            f"{run} is a cross-validation, whose out-of-fold scores set the threshold: leave --calibrate out, or detect with "
            "a run"
        )
    result = CrossValidationResult(run)
    images = Run(RunFolder(result.folds[0].path)).images(data, split)
    return result.detector, result.detector.detect(images, name=score, false_alarms=false_alarms, fdr=fdr)


def write_detection(run: Run | OutOfFoldDetector, found: Detection, folder: Path, *, maps: bool = False) -> list[Path]:
    """Write ``scores.csv`` and ``oddest.png`` into ``folder``, and where asked ``maps/`` with a map for each image.

    Maps have the image's own name, size and mode: white is ten times the usual error, or more.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    found.write_csv(folder / "scores.csv")
    first = found.images.select(found.order[:SHOWN])
    p = found.p
    captions = [
        f"{found.scores[index]:.3g}"
        + ("" if p is None else f", p {p[index]:.2g}")
        + ("\nflagged" if found.flagged[index] else "")
        for index in found.order[:SHOWN]
    ]
    heading = f"odd ones out of {len(found.images):,} images: {found.images.source}"
    figure = oddest(first, run.reconstruct(first), run.heat_maps(first), captions, heading)
    written = [folder / "scores.csv", save(figure, folder / "oddest.png")]
    if maps:
        written += save_images(maps_as_images(run, found.images), folder / "maps", quiet=False)
    return written


def maps_as_images(run: Run | OutOfFoldDetector, images: ImageSet) -> ImageSet:
    """Return the heat maps as grey images of the images' names, size, dtype and channels; white is ten times the usual error."""
    heat = np.clip(run.heat_maps(images) / HOT, 0, 1)[:, None]
    return images.with_pixels(images.format.from_unit(np.repeat(heat, images.format.channels, axis=1)))
