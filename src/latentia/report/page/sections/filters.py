"""The filters of the first layer: what the network looks for."""

from __future__ import annotations

import numpy as np

from latentia.report.filters import filter_pictures
from latentia.report.page.html import gallery
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import picture
from latentia.report.page.section import Section

PLACE, KINDS = 70, ("autoencoder",)
SHOWN = 64


def section(material: RunMaterial) -> Section | None:
    """Return the filters as pictures, the strongest first."""
    if material.filters is None:
        return None
    shown = [
        picture(each, f"filter {place + 1}") for place, each in enumerate(filter_pictures(material.filters, SHOWN))
    ]
    _, channels, height, width = np.shape(material.filters)
    colours = "Three channels are shown as colours." if channels == 3 else "Red adds, blue subtracts."
    lead = (
        f"{len(shown)} of {len(material.filters)} filters of {height} × {width} pixels, the strongest first, each on its own "
        f"scale. {colours}"
    )
    return Section("Filters of the first layer", gallery((([each], "") for each in shown), kind="tiny"), lead=lead)
