"""The map of codes: every image a point; pointed at, it shows itself."""

from __future__ import annotations

import io

import numpy as np
from markupsafe import Markup
from PIL import Image

from latentia.data.thumbnails import class_of, data_address
from latentia.report.map_picture import METHODS, bare_map, colours_of
from latentia.report.page import bokeh_map
from latentia.report.page.html import joined
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.section import Section
from latentia.report.style import styled
from latentia.tasks.map_codes import Map

PLACE, KINDS = 55, ("autoencoder",)
SIDE, DPI = 7.2, 130


def section(material: RunMaterial) -> Section | None:
    """Return the map; without Bokeh, or before a script has run and on paper, it is a picture."""
    made = material.map
    if made is None:
        return None
    found, which = made
    labels = [class_of(found.images, index) for index in range(len(found.images))]
    colours, legend = colours_of(found.images.labels, found.images.classes, len(labels))
    count = f"{len(labels):,} {which} images" + (f" of {found.of:,}" if found.of > len(labels) else "")
    trust = (
        "" if np.isnan(found.trustworthiness) else f" Its trustworthiness is {found.trustworthiness:.3f} (1 is best)."
    )
    far = "" if found.method == "pca" else " Near is alike; how far apart groups lie says little."
    lead = f"The codes of {count} brought to the plane by {METHODS[found.method]}: one point, one image.{far}{trust}"
    shown = bokeh_map.has_bokeh()
    lead += " Point at one to see it; drag to move, Ctrl and the wheel to zoom." if shown else ""
    alt = f"{METHODS[found.method]} map of the codes of {count}" + (
        f", coloured by {len(legend)} labels" if legend else ""
    )
    body = [_legend(legend), Markup('<div class="map" id="map-plot">{}</div>').format(_picture(found, colours, alt))]
    if not shown:
        return Section("Map of the codes", joined(body), lead=lead)
    data = bokeh_map.plot_json(found, colours, labels, "map-live")
    library = bokeh_map.bokeh_script()
    body += [bokeh_map.inert(data, "application/json", "map-data"), bokeh_map.inert(library, "text/plain", "bokeh-js")]
    body.append(Markup("<style>:root{{--sheet:url({})}}</style>").format(bokeh_map.sheet(found)))
    return Section("Map of the codes", joined(body), lead=lead, scripts=(library,))


def _picture(found: Map, colours: list[str], alt: str) -> Markup:
    buffer = io.BytesIO()
    with styled():
        bare_map(found, colours, SIDE).savefig(buffer, format="png", dpi=DPI, transparent=True)
    image = Image.open(buffer)
    return Markup('<img class="still" src="{}" width="{}" height="{}" alt="{}">').format(
        data_address(image, exact=False), *image.size, alt
    )


def _legend(legend: list[tuple[str, str]]) -> Markup:
    if not legend:
        return Markup("")
    items = joined(
        Markup('<li><span class="dot" style="background:{}"></span>{}</li>').format(colour, name)
        for name, colour in legend
    )
    return Markup('<ul class="legend">{}</ul>').format(items)
