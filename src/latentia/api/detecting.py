"""Writing what was detected: scores, the oddest images, and maps of where they are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentia.data.imageset import ImageSet
from latentia.data.restore import save_images
from latentia.report.anomaly_picture import HOT, oddest
from latentia.report.style import save
from latentia.runs import Run
from latentia.tasks.detect import Detection

SHOWN = 12


def write_detection(run: Run, found: Detection, folder: Path, *, maps: bool = False) -> list[Path]:
    """Write ``scores.csv`` and ``oddest.png`` into ``folder``, and where asked ``maps/`` with a map for each image.

    Maps have the image's own name, size and mode: white is ten times the usual error, or more.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    found.write_csv(folder / "scores.csv")
    first = found.images.select(found.order[:SHOWN])
    p = found.p
    captions = [
        f"{found.scores[index]:.3g}" + ("" if p is None else f", p {p[index]:.2g}") for index in found.order[:SHOWN]
    ]
    heading = f"odd ones out of {len(found.images):,} images: {found.images.source}"
    figure = oddest(first, run.reconstruct(first), run.heat_maps(first), captions, heading)
    written = [folder / "scores.csv", save(figure, folder / "oddest.png")]
    if maps:
        written += save_images(maps_as_images(run, found.images), folder / "maps", quiet=False)
    return written


def maps_as_images(run: Run, images: ImageSet) -> ImageSet:
    """Return the heat maps as grey images of the images' names, size, dtype and channels; white is ten times the usual error."""
    heat = np.clip(run.heat_maps(images) / HOT, 0, 1)[:, None]
    return images.with_pixels(images.format.from_unit(np.repeat(heat, images.format.channels, axis=1)))
