"""Decoding image files: from bytes to arrays of one common layout. Runs in worker processes; imports no torch."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from latentia.data.looking import LAYOUTS, layout_of

LARGEST = 128  # the side that images of mixed sizes are brought down to unless a size is given


def common_layout(layouts: set[str]) -> str:
    """Return the smallest layout that holds all of ``layouts``: colour wins over grey, alpha over none, 16 bits over 8."""
    if len(layouts) == 1:
        return next(iter(layouts))
    if "F" in layouts:
        return "F"
    colour = bool(layouts & {"RGB", "RGBA"})
    alpha = bool(layouts & {"LA", "RGBA"})
    if not colour and not alpha:
        return "I;16"  # L beside I;16
    return ("RGB" if colour else "L") + ("A" if alpha else "")


def widened(layout: str, channels: int) -> str:
    """Return the layout of so many channels that holds ``layout`` without loss, or ``layout`` where there is none."""
    wanted = next((name for name, kind in LAYOUTS.items() if kind == (channels, False, False)), layout)
    wider = common_layout({layout, wanted})
    return wider if LAYOUTS[layout][1:] == (False, False) and LAYOUTS[wider][0] == channels else layout


def common_size(sizes: list[tuple[int, int]], policy: str) -> tuple[tuple[int, int], str]:
    """Return the ``(H, W)`` that images of several sizes are brought to by ``policy``, and what is done to them, in words.

    ``pad`` takes the largest sides, ``crop`` the smallest, ``resize`` the median ones, no longer than 128.
    """
    heights, widths = np.array(sizes).T
    if policy == "pad":
        size = int(heights.max()), int(widths.max())
    elif policy == "crop":
        size = int(heights.min()), int(widths.min())
    else:
        scale = min(1.0, LARGEST / max(float(np.median(heights)), float(np.median(widths))))
        size = max(1, round(float(np.median(heights)) * scale)), max(1, round(float(np.median(widths)) * scale))
    what = {"resize": "scaled", "pad": "padded", "crop": "cropped"}[policy]
    return size, f"{what} to {size[0]}x{size[1]}"


def decode(path: str | IO[bytes], layout: str, size: tuple[int, int] | None, policy: str) -> npt.NDArray[Any]:
    """Return the pixels of a file as ``[C, H, W]`` in ``layout``, brought to ``size`` by ``policy``.

    The file is a path, or one that is open. uint8, uint16 (``I;16``) or float32 (``F``).
    """
    with Image.open(path) as opened:
        ImageOps.exif_transpose(opened, in_place=True)
        pixels = pixels_of(opened, layout)
    return fit_size(pixels, size, policy) if size is not None and pixels.shape[1:] != size else pixels


def decode_bytes(path: str, layout: str, size: tuple[int, int] | None, policy: str) -> bytes:
    """Return what :func:`decode` does, as bytes: they pass from process to process for less than an array's price."""
    return decode(path, layout, size, policy).tobytes()


def fit_size(pixels: npt.NDArray[Any], size: tuple[int, int], policy: str) -> npt.NDArray[Any]:
    """Return ``[C, H, W]`` brought to ``size``: ``resize`` scales, ``pad`` centres on zero, ``crop`` keeps the centre.

    An image smaller than a crop is padded, one larger than a padding is cropped.
    """
    if policy == "resize":
        return resize(pixels, size)
    channels, height, width = pixels.shape
    out = np.zeros((channels, *size), dtype=pixels.dtype)
    (top, target_top, rows), (left, target_left, columns) = (
        overlap(height, size[0]),
        overlap(width, size[1]),
    )
    out[:, target_top : target_top + rows, target_left : target_left + columns] = pixels[
        :, top : top + rows, left : left + columns
    ]
    return out


def overlap(side: int, target: int) -> tuple[int, int, int]:
    """Return where the common centre begins in the source, where in the target, and how long it is."""
    length = min(side, target)
    return (side - length) // 2, (target - length) // 2, length


def resize(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Return ``[C, H, W]`` scaled to ``size`` with Lanczos' filter, in its own dtype."""
    planes = []
    for plane in pixels:
        image = Image.fromarray(plane if plane.dtype == np.uint8 else plane.astype(np.float32))
        scaled = np.asarray(image.resize((size[1], size[0]), Image.Resampling.LANCZOS))
        if plane.dtype == np.uint16:
            scaled = np.clip(np.rint(scaled), 0, 65535)
        planes.append(scaled.astype(plane.dtype))
    return np.stack(planes)


def pixels_of(image: Image.Image, layout: str) -> npt.NDArray[Any]:
    """Return the pixels of an opened image as ``[C, H, W]`` in ``layout``."""
    _, deep, real = LAYOUTS[layout]
    own = layout_of(image)
    if deep or real:
        if own in ("I;16", "F"):
            array = np.asarray(image).astype(np.float32 if real else np.uint16)
        else:
            grey = np.asarray(image.convert("L"))
            array = grey.astype(np.float32) / 255.0 if real else grey.astype(np.uint16) * np.uint16(257)
        return array[None]
    if own == "I;16":  # a 16-bit image among 8-bit colour ones
        array = (np.asarray(image).astype(np.uint32) // 257).astype(np.uint8)
        image = Image.fromarray(array)
    array = np.asarray(image if image.mode == layout else image.convert(layout))
    return array[None] if array.ndim == 2 else np.ascontiguousarray(np.moveaxis(array, -1, 0))
