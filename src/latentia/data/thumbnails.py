"""Small pictures as HTML: images as ``data:`` addresses, and sheets of them for notebooks."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from latentia.data.display import displayable
from latentia.data.imageset import ImageSet

QUALITY = 90  # of what is not kept exactly
SIDE = 64  # pixels of a thumbnail's longer side, and of CSS
SHOWN = 16


def data_address(image: Image.Image, *, exact: bool = True) -> str:
    """Return an image as a ``data:`` address: WebP where Pillow has it, else PNG."""
    buffer = io.BytesIO()
    if not features.check("webp"):
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    elif exact:
        image.save(buffer, "WEBP", lossless=True, quality=60, method=3)
        kind = "webp"
    else:
        image.save(buffer, "WEBP", quality=QUALITY, method=3)
        kind = "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def small_image(unit: npt.NDArray[np.floating[Any]], most: int) -> Image.Image:
    """Return an image ``[H, W]`` or ``[H, W, 3]``, values in [0, 1], with at most ``most`` pixels to a side."""
    image = Image.fromarray(np.rint(np.clip(np.nan_to_num(unit), 0, 1) * 255).astype(np.uint8))
    if max(image.size) > most:
        image.thumbnail((most, most), Image.Resampling.LANCZOS)
    return image


def sheet(rows: Sequence[ImageSet], shown: int = SHOWN) -> str:
    """Return some images of a set as HTML, evenly spaced over it, with their classes or names.

    Args:
        rows: the set, and others of the same images, whose pictures stand below its own.
        shown: how many images.
    """
    first = rows[0]
    places = np.linspace(0, len(first) - 1, min(shown, len(first))).astype(np.int64)
    pictures = [displayable(np.asarray(images.pixels[places]), first.format) for images in rows]
    cells = "".join(_cell([row[column] for row in pictures], first, int(place)) for column, place in enumerate(places))
    return f'<div style="display:flex;flex-wrap:wrap;gap:6px">{cells}</div>'


def _cell(pictures: Sequence[npt.NDArray[np.floating[Any]]], images: ImageSet, place: int) -> str:
    name, label = str(images.names[place]), class_of(images, place)
    caption = html.escape(_short(label or name))
    whole = html.escape(f"{name}, {label}" if label else name)
    shown = "".join(_picture(each, whole) for each in pictures)
    return (
        f'<figure title="{whole}" style="margin:0;width:{SIDE}px">{shown}'
        f'<figcaption style="font-size:10px;line-height:1.3;overflow-wrap:anywhere">{caption}</figcaption></figure>'
    )


def _picture(unit: npt.NDArray[np.floating[Any]], alt: str) -> str:
    image = small_image(unit, SIDE)
    return (
        f'<img src="{data_address(image)}" alt="{alt}" '
        f'style="display:block;width:{SIDE}px;margin:0 0 2px;image-rendering:pixelated">'
    )


def class_of(images: ImageSet, index: int) -> str:
    """Return the name of an image's class, empty where it has none."""
    if images.labels is None or images.labels[index] < 0:
        return ""
    label = int(images.labels[index])
    return images.classes[label] if label < len(images.classes) else str(label)


def _short(text: str, longest: int = 20) -> str:
    return text if len(text) <= longest else "…" + text[1 - longest :]
