"""Random images above what the model makes of them."""

from __future__ import annotations

import numpy as np

from latentia.report.page.html import gallery
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import pairs
from latentia.report.page.section import Section

PLACE, KINDS = 40, ("autoencoder",)
SHOWN = 30


def section(material: RunMaterial) -> Section | None:
    """Return pairs of original and reconstruction with the error of each."""
    found = material.reconstruction
    if found is None:
        return None
    chosen = np.sort(np.random.default_rng(0).permutation(len(found.errors))[:SHOWN])
    cells = zip(pairs(found, chosen), (f"{found.errors[index]:.4f}" for index in chosen), strict=True)
    lead = f"{material.on.capitalize()} images at random, each above its reconstruction; beneath, the squared error per pixel."
    return Section("Reconstructions", gallery(cells), lead=lead)
