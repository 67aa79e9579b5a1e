"""Images from outside: what a person draws or uploads, refused where it is too large or no image, and made one for the model."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from latentia.core.errors import UserError
from latentia.data.decode import fit_size
from latentia.data.imageset import ImageSet, PixelFormat

MOST_BYTES = 8 * 2**20
MOST_PIXELS = 16_000_000
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")


def from_base64(text: Any) -> bytes:
    """Return the bytes of an upload.

    Raises:
        UserError: too many, or no base64.
    """
    if not isinstance(text, str) or len(text) > MOST_BYTES * 4 // 3 + 100:
        raise UserError(f"the upload is larger than {MOST_BYTES // 2**20} MB: make the image smaller first")
    try:
        content = base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        raise UserError("the upload did not arrive whole: try it again") from None
    if len(content) > MOST_BYTES:
        raise UserError(f"the upload is larger than {MOST_BYTES // 2**20} MB: make the image smaller first")
    return content


def read_upload(content: bytes, pixel_format: PixelFormat, *, policy: str = "resize", dark: bool = True) -> ImageSet:
    """Return an uploaded file as one image of the model's format.

    Args:
        content: the file's bytes; its first page is used, upright.
        pixel_format: the model's.
        policy: how it is brought to the model's size: ``resize``, ``pad`` or ``crop``.
        dark: what transparency is laid over: black, else white.

    Raises:
        UserError: more than 16 million pixels, no image or a broken one, or a model of channels that no file has.
    """
    if pixel_format.channels > 4:
        raise UserError(f"the model takes {pixel_format.channels} channels, and no uploaded picture has so many")
    unit = _unit(_opened(content), pixel_format.channels, dark)
    size = (pixel_format.height, pixel_format.width)
    fitted = fit_size(unit, size, policy) if unit.shape[1:] != size else unit
    pixels = pixel_format.from_unit(fitted)[None]
    return ImageSet(pixels, ["your image"], np.zeros(1, dtype=np.int64), source="your image")


def _opened(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if image.width * image.height > MOST_PIXELS:  # told by the header, before anything is decoded
                raise UserError(
                    f"the upload has {image.width} x {image.height} pixels, more than the {MOST_PIXELS // 10**6} million that "
                    "are decoded safely: make the image smaller first"
                )
            image.load()
            return ImageOps.exif_transpose(image)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError("the upload has too many pixels to be decoded safely: make the image smaller first") from None
    except Exception:  # Pillow's plugins raise nearly anything on a broken file
        raise UserError(
            f"the upload is no image that can be read: choose a whole file of {', '.join(FORMATS)}"
        ) from None


def _unit(image: Image.Image, channels: int, dark: bool) -> npt.NDArray[np.float32]:
    """Return ``[channels, H, W]``, float32 in [0, 1]."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        low, high = (
            (0.0, 65535.0) if image.mode != "F" else (min(float(values.min()), 0.0), max(float(values.max()), 1.0))
        )
        grey = np.clip((values - low) / (high - low), 0.0, 1.0)[None].astype(np.float32)
        colour, alpha = grey, np.ones_like(grey)
    else:
        rgba = image.convert("RGBA")
        alpha = (np.asarray(rgba)[..., 3:].astype(np.float32) / 255).transpose(2, 0, 1)
        flat = Image.new("RGBA", rgba.size, (0, 0, 0, 255) if dark else (255, 255, 255, 255))
        flat.alpha_composite(rgba)
        opaque = rgba if channels in (2, 4) else flat
        mode = "L" if channels < 3 else "RGB"
        array = np.atleast_3d(np.asarray(opaque.convert("RGB").convert(mode), dtype=np.float32)) / 255
        colour = array.transpose(2, 0, 1)
    wanted = 1 if channels < 3 else 3
    colour = colour if len(colour) == wanted else np.repeat(colour, wanted, axis=0)
    return np.concatenate([colour, alpha]) if channels in (2, 4) else colour
