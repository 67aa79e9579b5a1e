"""Images and charts as they stand in a page: images as data in the page itself, charts as drawings that follow its colours."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.figure import Figure

from latentia.data.display import displayable
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.thumbnails import data_address, small_image
from latentia.report.style import BLUE, GREEN, GRID, INK, ORANGE, PINK, PURPLE, SOFT, styled
from latentia.tasks.reconstruct import Reconstruction

MOST = 192  # pixels of the longer side: what a page shows is no larger
EXACT = 64  # up to this side images stand in the page without loss
COLOURS = {
    INK: "ink",
    SOFT: "soft",
    GRID: "line",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    PINK: "pink",
    PURPLE: "purple",
}
NUMBERED = re.compile(r"[A-Za-z][A-Za-z0-9.]*_\d+")


def pictures(images: ImageSet, alts: Sequence[str], pixel_format: PixelFormat | None = None) -> list[Markup]:
    """Return an ``<img>`` for each image, with its text for those who do not see it.

    ``pixel_format`` says which values are dark and light; of floats a few images do not tell.
    """
    shown = displayable(np.asarray(images.pixels), pixel_format or images.format)
    return [picture(each, alt) for each, alt in zip(shown, alts, strict=True)]


def pairs(found: Reconstruction, chosen: npt.NDArray[np.int64]) -> list[tuple[Markup, Markup]]:
    """Return the originals at ``chosen`` with their reconstructions."""
    names = [found.originals.names[index] for index in chosen]
    return list(
        zip(
            pictures(found.originals.select(chosen), [f"image {name}" for name in names], found.originals.format),
            pictures(
                found.images.select(chosen), [f"reconstruction of {name}" for name in names], found.originals.format
            ),
            strict=True,
        )
    )


def picture(unit: npt.NDArray[np.floating[Any]], alt: str) -> Markup:
    """Return an ``<img>`` of one image ``[H, W]`` or ``[H, W, 3]``, values in [0, 1]."""
    image = small_image(unit, MOST)
    small = max(image.size) <= EXACT
    return Markup('<img src="{}" width="{}" height="{}" alt="{}"{}>').format(
        data_address(image, exact=small), *image.size, alt, Markup(' class="crisp"') if small else ""
    )


def chart(figure: Figure, alt: str, name: str) -> Markup:
    """Return a figure as an SVG drawing in the page's own colours, without the figure's title.

    Args:
        figure: a figure in this room's style.
        alt: what it shows, for those who do not see it.
        name: unique in the page; what the drawing refers to is named after it.
    """
    width, height = figure.get_size_inches()
    drawing = _svg(figure, name)
    return Markup(
        '<figure class="chart" style="--wide: {}"><svg role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg></figure>'
    ).format(f"{width:.2f}", alt, f"{width * 72:.4g}", f"{height * 72:.4g}", Markup(drawing))


def _svg(figure: Figure, name: str) -> str:
    """Return what is inside the ``<svg>`` of a figure."""
    figure.suptitle("")
    buffer = io.BytesIO()
    with styled({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if element.tag not in ("text", "tspan"):
            element.text = None
        element.tail = None
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            kept = _attribute(key.rpartition("}")[2], value)
            if kept is not None:
                element.set(key.rpartition("}")[2], kept)
    return "".join(
        ElementTree.tostring(child, encoding="unicode") for child in root if child.tag not in ("metadata", "defs")
    ) + "".join(
        ElementTree.tostring(child, encoding="unicode") for child in root.findall("defs") if child.find("style") is None
    )


def _attribute(key: str, value: str) -> str | None:
    if key == "id" and NUMBERED.fullmatch(value):
        return None  # groups are numbered from 1 in every figure, and a page has many; what is referred to has a salted name
    if key == "style":
        value = re.sub(r"font-family: [^;]*", "font-family: var(--font)", value)
        for colour, word in COLOURS.items():
            value = value.replace(colour, f"var(--{word})")
    return value.replace("\n", " ") if key == "d" else value
