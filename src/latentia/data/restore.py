"""The way back: an image as it went in, from pixels of the common layout to its own size, mode and depth."""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from latentia.core.atomic import storage_errors, write_bytes
from latentia.core.errors import UserError
from latentia.data.decode import decode, overlap, resize
from latentia.data.imageset import Geometry, ImageSet
from latentia.data.looking import LAYOUTS, dtype_of, layout_of

LOSSY = (".jpg", ".jpeg")
SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".ppm", ".pgm", *LOSSY)


def restore_pixels(images: ImageSet, index: int) -> npt.NDArray[Any]:
    """Return image ``index`` as ``[C, height, width]`` at its original size.

    What was scaled is scaled back, padding is cut off, and what was cropped away is taken from the original file.
    """
    pixels = np.asarray(images.pixels[index])
    geometry = images.geometry[index] if images.geometry is not None else None
    if geometry is None or geometry.policy == "none" or pixels.shape[1:] == (geometry.height, geometry.width):
        return pixels
    if geometry.policy == "resize":
        return resize(pixels, (geometry.height, geometry.width))
    whole = _surroundings(images, index, geometry, pixels)
    top, source_top, rows = overlap(geometry.height, pixels.shape[1])
    left, source_left, columns = overlap(geometry.width, pixels.shape[2])
    whole[:, top : top + rows, left : left + columns] = pixels[
        :, source_top : source_top + rows, source_left : source_left + columns
    ]
    return whole


def restore(images: ImageSet, index: int) -> Image.Image:
    """Return image ``index`` as a picture of its original size and mode.

    Raises:
        UserError: it has more than four channels, which no picture format holds.
    """
    pixels = restore_pixels(images, index)
    picture = _picture(pixels)
    geometry = images.geometry[index] if images.geometry is not None else None
    return _to_mode(picture, geometry.mode) if geometry is not None else picture


def save_images(images: ImageSet, folder: Path, quiet: bool = True) -> list[Path]:
    """Write every image into ``folder`` under its own name (sub-folders kept); names without a suffix become ``.png``.

    Pictures of more than four channels, and of float pixels under a name that cannot hold them, become ``.npy`` and ``.tiff``.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    from latentia.core.bars import tqdm

    paths: list[Path] = []
    taken: set[Path] = set()
    for index in tqdm(range(len(images)), desc="writing", unit=" files", disable=quiet or None, leave=False):
        target = folder / _inside(images.names[index])
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.asarray(images.pixels[index])
        if len(pixels) > 4 or (pixels.dtype != np.uint8 and len(pixels) > 1):
            target = target.with_suffix(".npy") if target.suffix in SUFFIXES else target.with_name(target.name + ".npy")
            buffer = io.BytesIO()
            np.save(buffer, restore_pixels(images, index), allow_pickle=False)
            content = buffer.getvalue()
        else:
            picture = restore(images, index)
            target = _named_for(target, picture.mode)
            content = _encoded(picture, target.suffix)
        if target in taken:  # a.jpg and a.tif may both have become a.png
            target = target.with_name(f"{target.stem}-{index}{target.suffix}")
        taken.add(target)
        write_bytes(target, content)
        paths.append(target)
    return paths


def _inside(name: str) -> PurePosixPath:
    pieces = [piece for piece in PurePosixPath(name.replace("\\", "/")).parts if piece not in ("..", ".", "/")]
    return PurePosixPath(*(pieces or ["image"]))


def _named_for(target: Path, mode: str) -> Path:
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        target, suffix = target.with_name(target.name + ".png"), ".png"
    if mode == "F" and suffix not in (".tif", ".tiff"):
        return target.with_suffix(".tiff")
    if mode.startswith("I;16") and suffix not in (".png", ".tif", ".tiff"):
        return target.with_suffix(".png")
    return target


def _encoded(picture: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    kind = Image.registered_extensions()[suffix.lower()]
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if suffix.lower() in LOSSY else {}
    if kind == "WEBP":
        options = {"lossless": True}
    try:
        picture.save(buffer, kind, **options)
    except OSError:  # a mode that the format cannot hold, such as transparency in a JPEG
        picture.convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def _surroundings(images: ImageSet, index: int, geometry: Geometry, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    shape = (len(pixels), geometry.height, geometry.width)
    if images.root is not None and (geometry.height > pixels.shape[1] or geometry.width > pixels.shape[2]):
        layout = next(
            name for name, (channels, *_) in LAYOUTS.items() if channels == len(pixels) and _fits(name, pixels)
        )
        try:
            return decode(str(Path(images.root) / images.names[index]), layout, None, "none").copy()
        except OSError:
            raise UserError(
                f"{images.names[index]!r} was cropped, and its file is needed for the rest, but it can no longer be read"
            ) from None
    return np.zeros(shape, dtype=pixels.dtype)


def _fits(layout: str, pixels: npt.NDArray[Any]) -> bool:
    return str(pixels.dtype) == dtype_of(layout)


def _picture(pixels: npt.NDArray[Any]) -> Image.Image:
    channels = len(pixels)
    if channels > 4 or (pixels.dtype != np.uint8 and channels > 1):
        raise UserError(f"an image of {channels} {pixels.dtype} channels fits no picture format: it is kept as .npy")
    if channels == 1:
        return Image.fromarray(np.ascontiguousarray(pixels[0]))
    return Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1)), {2: "LA", 3: "RGB", 4: "RGBA"}[channels])


def _to_mode(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode == mode or mode in ("P", "PA", "I", "RGBa", "La"):
        # a palette would have to be made anew: the colours are kept instead
        return picture
    own = layout_of(picture)
    if own == "I;16" and not mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture).astype(np.uint32) // 257).astype(np.uint8))
    elif own == "F" and mode != "F":
        scaled = np.clip(np.rint(np.asarray(picture) * 255.0), 0, 255)
        picture = Image.fromarray(scaled.astype(np.uint8))
    elif mode.startswith("I;16"):
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * np.uint16(257)
        return Image.fromarray(grey)
    return picture.convert(mode) if picture.mode != mode else picture
