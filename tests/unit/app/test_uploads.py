"""Uploads: images of any kind become one for the model; what is too large or no image is refused in one sentence."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentia.app.uploads import from_base64, read_upload
from latentia.core.errors import UserError
from latentia.data.imageset import PixelFormat

GREY8 = PixelFormat(1, 8, 8, "uint8", 0.0, 255.0)
RGB = PixelFormat(3, 8, 6, "uint8", 0.0, 255.0)
DEEP = PixelFormat(1, 8, 8, "uint16", 0.0, 65535.0)
REAL = PixelFormat(3, 8, 8, "float32", -1.0, 1.0)


def file_of(array: Any, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """Return a PNG whose header announces so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_an_image_of_the_models_own_kind_comes_unchanged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    assert np.array_equal(read_upload(file_of(pixels), GREY8).pixels[0, 0], pixels)
    colour = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    assert np.array_equal(read_upload(file_of(colour), RGB).pixels[0], colour.transpose(2, 0, 1))


@pytest.mark.parametrize("wanted", [GREY8, RGB, DEEP, REAL, PixelFormat(4, 8, 8, "uint8", 0.0, 255.0)])
@pytest.mark.parametrize(
    "array",
    [
        np.full((20, 30), 255, np.uint8),
        np.full((20, 30, 3), 255, np.uint8),
        np.full((20, 30, 4), 255, np.uint8),
        np.full((20, 30), 65535, np.uint16),
    ],
)
def test_white_is_white_in_every_format(wanted: PixelFormat, array: Any) -> None:
    image = read_upload(file_of(array), wanted)
    assert image.pixels.shape == (1, *wanted.shape) and str(image.pixels.dtype) == wanted.dtype
    assert image.pixels.min() == pytest.approx(wanted.high)


def test_transparency_is_laid_over_the_ground_of_the_data() -> None:
    clear = np.zeros((8, 8, 4), np.uint8)
    assert read_upload(file_of(clear), GREY8, dark=True).pixels.max() == 0
    assert read_upload(file_of(clear), GREY8, dark=False).pixels.min() == 255


def test_padding_keeps_the_proportions() -> None:
    image = read_upload(file_of(np.full((4, 8), 255, np.uint8)), GREY8, policy="pad")
    assert image.pixels[0, 0, :2].max() == 0 and image.pixels[0, 0, 2:6].min() == 255


NOISE = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"<svg onload=alert(1)>",
        file_of(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8))[:200],
    ],
)
def test_no_image_is_told_in_one_sentence(content: bytes) -> None:
    with pytest.raises(UserError, match=r"^the upload is no image that can be read: choose a whole file of PNG, JPEG"):
        read_upload(content, GREY8)


@pytest.mark.parametrize("size", [(100_000, 100_000), (5000, 5000)])
def test_bombs_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(
        UserError, match=r"^the upload has (5000 x 5000|too many) pixels.*: make the image smaller first$"
    ):
        read_upload(bomb(*size), GREY8)


def test_too_many_bytes_and_no_base64() -> None:
    assert from_base64("data:image/png;base64," + base64.b64encode(b"abc").decode()) == b"abc"
    with pytest.raises(UserError, match="larger than 8 MB"):
        from_base64(base64.b64encode(bytes(9 * 2**20)).decode())
    for strange in (None, 5, "!!", "data:,%%%"):
        with pytest.raises(UserError):
            from_base64(strange)


def test_more_channels_than_a_picture_has() -> None:
    with pytest.raises(UserError, match="takes 6 channels, and no uploaded picture has so many"):
        read_upload(b"", PixelFormat(6, 8, 8, "uint8", 0.0, 255.0))
