"""The pictures of one training run, drawn into its ``figures`` folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import storage_errors

if TYPE_CHECKING:
    from latentia.data.imageset import ImageSet
    from latentia.tasks.corrupted import Restoration
    from latentia.tasks.reconstruct import Reconstruction


def draw_run(
    folder: Path,
    description: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    *,
    result: Reconstruction,
    filters: npt.NDArray[np.float32] | None = None,
    maps: Mapping[str, npt.NDArray[np.float32]] | None = None,
    restoration: Restoration | None = None,
    samples: ImageSet | None = None,
) -> list[Path]:
    """Draw what a person wants to see of a run; return the files.

    Args:
        folder: the run's folder.
        description: its ``run.json``.
        history: its ``metrics.jsonl``.
        result: reconstructions of images that were not trained on, where there are any.
        filters: the first layer's weights ``[filters, C, kh, kw]``.
        maps: what the layers answer to the first image, ``{layer: [channels, h, w]}``.
        restoration: images corrupted as in training, where there is a corruption, and restored.
        samples: new images from the prior, where codes follow one.
    """
    from latentia.report.best_and_worst import best_and_worst
    from latentia.report.feature_maps import feature_maps
    from latentia.report.filters import draw_filters
    from latentia.report.loss_graph import loss_graph
    from latentia.report.random_images import random_images, sample_grid
    from latentia.report.reconstructions import corrupted_and_restored, reconstructions
    from latentia.report.style import save

    name = f"{description['preset']} on {description['data']['source']}"
    figures = {
        "loss": loss_graph(history, name),
        "images": random_images(result.originals, seed=0),
        "reconstructions": reconstructions(result.originals, result.images, result.errors),
        "best-and-worst": best_and_worst(result.originals, result.images, result.errors),
    }
    if filters is not None:
        figures["filters"] = draw_filters(filters, f"the {min(len(filters), 64)} filters of the first layer, {name}")
    if maps:
        figures["feature-maps"] = feature_maps(result.originals, maps)
    if restoration is not None:
        figures["corrupted-and-restored"] = corrupted_and_restored(
            restoration.clean, restoration.corrupted, restoration.restored
        )
    if samples is not None:
        figures["samples"] = sample_grid(samples, f"{len(samples)} new images from the prior: {name}")
    with storage_errors(folder / "figures"):
        (folder / "figures").mkdir(exist_ok=True)
    return [save(figure, folder / "figures" / f"{stem}.png") for stem, figure in figures.items()]
