"""Looking at image files: what they are, and their pixels as they stand there.

Runs in worker processes, which are to start at once: imports neither torch nor, unless pixels have more than 8 bits, NumPy.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

# mode: (channels, is 16-bit, is float)
LAYOUTS = {
    "L": (1, False, False),
    "LA": (2, False, False),
    "RGB": (3, False, False),
    "RGBA": (4, False, False),
    "I;16": (1, True, False),
    "F": (1, False, True),
}
ITEM_BYTES = {"uint8": 1, "uint16": 2, "float32": 4}


class Header(NamedTuple):
    """What is known of a file before its pixels are brought to a common layout; a tuple, since there are many and they travel.

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


def stamp(path: str | Path) -> str:
    """Return what changes when a file does: its size, its time and its place on the disk."""
    status = os.stat(path)  # noqa: PTH116  (a Path for each of many files takes longer than the question)
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def look(path: str, most: int) -> tuple[str, Header, bytes | None]:
    """Return what tells whether a file has changed, its header, and its pixels where these take at most ``most`` bytes.

    The pixels are the bytes of ``[C, H, W]`` in the file's own layout and size. Every problem becomes a text, none is raised; a
    file that could not be read has no stamp, so that it is looked at again.
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


def _examine(content: bytes, most: int) -> tuple[Header, bytes | None]:
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
                size = LAYOUTS[layout][0] * image.height * image.width * ITEM_BYTES[dtype_of(layout)]
                return header, _pixel_bytes(image, layout) if size <= most else None
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


def _pixel_bytes(image: Image.Image, layout: str) -> bytes:
    """Return the bytes of the pixels ``[C, H, W]`` in the image's own layout, as :func:`latentia.data.decode.decode` has them."""
    _, deep, real = LAYOUTS[layout]
    if deep or real:
        from latentia.data.decode import pixels_of  # late, for it brings NumPy

        return pixels_of(image, layout).tobytes()
    same = image if image.mode == layout else image.convert(layout)
    return b"".join([band.tobytes() for band in same.split()]) if len(same.mode) > 1 else same.tobytes()


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "is no image"
    if isinstance(error, PermissionError):
        return "may not be read"
    if "truncated" in str(error).lower():
        return "is truncated"
    return f"is broken ({type(error).__name__})"
