"""The images of greatest out-of-fold error."""

from __future__ import annotations

from latentia.data.thumbnails import class_of
from latentia.report.page.html import gallery
from latentia.report.page.materials.folds import FoldsMaterial
from latentia.report.page.pictures import pairs
from latentia.report.page.section import Section
from latentia.tasks.reconstruct import Reconstruction

PLACE, KINDS = 60, ("crossvalidation",)
SHOWN = 30


def section(material: FoldsMaterial) -> Section:
    """Return the worst images, each above what a model that has not seen it makes of it."""
    result = material.result
    chosen = result.worst(SHOWN)
    captions = []
    for index in chosen:
        label = class_of(result.images, int(index))
        name = result.images.names[index] + (f" ({label})" if label else "")
        captions.append(f"{result.errors[index]:.4f}, fold {result.fold_of[index]}\n{name}")
    found = Reconstruction(result.images, result.reconstructions, result.errors)
    lead = (
        f"Of {len(result.images):,} images, each above what a model that has not seen it makes of it; beneath, squared error per "
        "pixel, fold and name. Images that are odd, rare or wrongly in the set are found here."
    )
    return Section("Worst out of fold", gallery(zip(pairs(found, chosen), captions, strict=True)), lead=lead)
