"""The pictures of one training run, drawn into its ``figures`` folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latentia.core.atomic import storage_errors

if TYPE_CHECKING:
    from latentia.report.page.materials.run import RunMaterial


def draw_run(material: RunMaterial) -> list[Path]:
    """Draw what a person wants to see of a run into its ``figures``; return the files."""
    from latentia.report.best_and_worst import best_and_worst
    from latentia.report.feature_maps import feature_maps
    from latentia.report.filters import draw_filters
    from latentia.report.loss_graph import loss_graph
    from latentia.report.random_images import random_images, sample_grid
    from latentia.report.reconstructions import corrupted_and_restored, reconstructions
    from latentia.report.style import save

    folder, description, history = material.path, material.description, material.history
    result, restoration, samples = material.reconstruction, material.restoration, material.samples
    assert result is not None  # a developer's invariant: there are a model and images
    name = f"{description['preset']} on {description['data']['source']}"
    figures = {
        "loss": loss_graph(history, name),
        "images": random_images(result.originals, seed=0),
        "reconstructions": reconstructions(result.originals, result.images, result.errors),
        "best-and-worst": best_and_worst(result.originals, result.images, result.errors),
    }
    if material.filters is not None:
        figures["filters"] = draw_filters(
            material.filters, f"the {min(len(material.filters), 64)} filters of the first layer, {name}"
        )
    if material.feature_maps:
        figures["feature-maps"] = feature_maps(result.originals, material.feature_maps)
    if restoration is not None:
        figures["corrupted-and-restored"] = corrupted_and_restored(
            restoration.clean, restoration.corrupted, restoration.restored
        )
    if samples is not None:
        figures["samples"] = sample_grid(samples, f"{len(samples)} new images from the prior: {name}")
    with storage_errors(folder / "figures"):
        (folder / "figures").mkdir(exist_ok=True)
    return [save(figure, folder / "figures" / f"{stem}.png") for stem, figure in figures.items()]
