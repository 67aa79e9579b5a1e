"""The images that are rebuilt best and worst: where a model is at home, and where it is not."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from latentia.report.page.html import gallery, joined
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import pairs
from latentia.report.page.section import Section

PLACE, KINDS = 60, ("autoencoder",)
SHOWN = 10


def section(material: RunMaterial) -> Section | None:
    """Return the images of greatest and of least error, each above its reconstruction."""
    found = material.reconstruction
    if found is None or len(found.errors) < 2:
        return None
    order = np.argsort(np.nan_to_num(found.errors, nan=np.inf), kind="stable")
    count = max(1, min(SHOWN, len(order) // 2))
    parts = []
    for name, chosen in (("Worst", order[::-1][:count]), ("Best", order[:count])):
        captions = [f"{found.errors[index]:.4f}\n{found.originals.names[index]}" for index in chosen]
        parts += [Markup("<h3>{}</h3>").format(name), gallery(zip(pairs(found, chosen), captions, strict=True))]
    lead = f"Of {len(order):,} {material.on} images; beneath each pair its squared error per pixel and its name."
    return Section("Best and worst", joined(parts), lead=lead)
