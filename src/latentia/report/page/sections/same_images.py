"""The same images through each model, with a paired test."""

from __future__ import annotations

import math

import numpy as np
from markupsafe import Markup

from latentia.report.page.html import gallery, joined, number, table
from latentia.report.page.materials.comparison import ComparisonMaterial
from latentia.report.page.pictures import pictures
from latentia.report.page.section import Section

PLACE, KINDS = 10, ("comparison",)
SHOWN = 20


def section(material: ComparisonMaterial) -> Section | None:
    """Return the models' errors with the paired test, and images above what each model makes of them."""
    paired = material.paired
    if paired is None:
        return None
    rows = []
    for place, (name, mean, difference, p) in enumerate(
        zip(paired.names, paired.means, paired.differences, paired.p_values, strict=True)
    ):
        best = place == paired.best
        span = f"{number(difference.low, 3)} to {number(difference.high, 3)}" if math.isfinite(difference.low) else "–"
        rows.append(
            [
                name,
                number(mean.mean),
                "the least" if best else f"{difference.mean:+.3g}",
                "" if best else span,
                "" if best else number(p, 2),
            ]
        )
    head = ["model", "squared error", "more than the least", "95 % interval of that", "p"]
    caption = (
        f"{len(paired.images):,} {paired.on} images, per pixel; paired t-test over images, p adjusted after Holm (1979)"
    )
    lead = (
        "The test is about these very models on images like these. Whether one setting is better than another is for "
        "cross-validations to say: one training may be lucky."
    )
    if not paired.unseen:
        lead += " Some of the models were trained on these images, which favours them."
    chosen = np.sort(np.random.default_rng(0).permutation(len(paired.images))[:SHOWN])
    originals = paired.images.select(chosen)
    columns = [pictures(originals, [f"image {name}" for name in originals.names], paired.images.format)]
    for name, images in zip(paired.names, paired.reconstructions, strict=True):
        columns.append(
            pictures(images.select(chosen), [f"by {name}: {image}" for image in originals.names], paired.images.format)
        )
    captions = ["\n".join(f"{error:.4f}" for error in paired.errors[:, index]) for index in chosen]
    order = Markup("<p class=soft>From above: the original, then {}; beneath, their errors in that order.</p>").format(
        ", ".join(paired.names)
    )
    shown = gallery(zip(zip(*columns, strict=True), captions, strict=True))
    return Section("The same images through each model", joined([table(head, rows, caption), order, shown]), lead=lead)
