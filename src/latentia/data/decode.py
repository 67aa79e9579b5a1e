"""Decoding image files: from bytes to arrays of one common layout. Runs in worker processes; imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from latentia.data.cache import stamp

# mode: (channels, is 16-bit, is float)
LARGEST = 128  # the side that images of mixed sizes are brought down to unless a size is given
LAYOUTS = {
    "L": (1, False, False),
    "LA": (2, False, False),
    "RGB": (3, False, False),
    "RGBA": (4, False, False),
    "I;16": (1, True, False),
    "F": (1, False, True),
}


@dataclasses.dataclass(frozen=True)
class Header:
    """What is known of a file before its pixels are brought to a common layout.

    Attributes:
        digest: the hash of its bytes.
        mode: the original Pillow mode; ``layout``: the one of :data:`LAYOUTS` that holds it without loss.
        height, width: in pixels, after the orientation of its EXIF data has been applied.
        problem: why it cannot be used, or an empty string.
        pages: how many pages it has; the first is used.
    """

    digest: str = ""
    mode: str = ""
    layout: str = ""
    height: int = 0
    width: int = 0
    problem: str = ""
    pages: int = 1


def digest_of(path: str) -> str:
    """Return the hash of a file's bytes."""
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def look(path: str, most: int) -> tuple[str, Header, npt.NDArray[Any] | None]:
    """Return what tells whether a file has changed, its header, and its pixels where these take at most ``most`` bytes.

    The pixels are ``[C, H, W]`` in the file's own layout and size. Every problem becomes a text, none is raised; a file that
    could not be read has no stamp, so that it is looked at again.
    """
    try:
        mark = stamp(path)
        with open(path, "rb") as file:  # noqa: PTH123  (a Path for each of many files takes longer)
            content = file.read()
    except OSError as error:
        return "", Header(problem=_reason(error)), None
    return mark, *_examine(content, most)


def probe_bytes(content: bytes) -> Header:
    """Return the header of an image file's content; every problem becomes a text, none is raised."""
    return _examine(content, 0)[0]


def _examine(content: bytes, most: int) -> tuple[Header, npt.NDArray[Any] | None]:
    try:
        if not content:
            return Header(problem="is empty"), None
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                image.load()
                pages = getattr(image, "n_frames", 1)
                mode, layout = image.mode, layout_of(image)
                ImageOps.exif_transpose(image, in_place=True)
                header = Header(digest, mode, layout, image.height, image.width, "", pages)
                size = LAYOUTS[layout][0] * image.height * image.width * np.dtype(dtype_of(layout)).itemsize
                return header, _pixels(image, layout) if size <= most else None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Header(problem="has too many pixels to be decoded safely"), None
    except MemoryError:
        return Header(problem="needs more memory than there is"), None
    except Exception as error:  # Pillow's plugins raise nearly anything on a broken file
        return Header(problem=_reason(error)), None


def layout_of(image: Image.Image) -> str:
    """Return the layout that holds the image without loss."""
    mode = image.mode
    if mode in LAYOUTS:
        return mode
    if mode == "1":
        return "L"
    if mode == "P":
        return "RGBA" if "transparency" in image.info else "RGB"
    if mode in ("PA", "La", "RGBa"):
        return "LA" if mode == "La" else "RGBA"
    if mode.startswith("I;16"):
        return "I;16"
    if mode == "I":
        low, high = image.getextrema()
        return "I;16" if float(low) >= 0 and float(high) <= 65535 else "F"  # type: ignore[arg-type]
    return "RGB"


def dtype_of(layout: str) -> str:
    """Return the dtype of the pixels in one of :data:`LAYOUTS`."""
    _, deep, real = LAYOUTS[layout]
    return "uint16" if deep else "float32" if real else "uint8"


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
        pixels = _pixels(opened, layout)
    return fit_size(pixels, size, policy) if size is not None and pixels.shape[1:] != size else pixels


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


def _pixels(image: Image.Image, layout: str) -> npt.NDArray[Any]:
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


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "is no image"
    if isinstance(error, PermissionError):
        return "may not be read"
    if "truncated" in str(error).lower():
        return "is truncated"
    return f"is broken ({type(error).__name__})"
