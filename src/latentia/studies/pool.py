"""The pool: the images that a study divides, in one file that every process maps.

Images that lie in an ``.npy`` file already (a user's own, or the cache of a folder) are read there; others are written into
the study's folder.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.atomic import storage_errors, write_atomically, write_json
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.load import load, mapped_pool, training_parts
from latentia.data.rows import Rows, part_of
from latentia.training.storage import FORMAT, load_tensors, read_json, save_tensors

FOLDER = "images"


def gather_pool(data: Any, *, split_seed: int = 0, split: str | None = None, **options: Any) -> ImageSet:
    """Return the training and validation images of ``data`` in their own order; its test images are not read.

    An array or an ImageSet is the pool as a whole, and so is the part of a named data set that ``split`` narrows it to.
    """
    if not isinstance(data, str | os.PathLike):
        return load(data, **{key: value for key, value in options.items() if key in ("labels", "quiet")})
    if split is not None:
        return load(data, split, split_seed=split_seed, **options)
    mapped = mapped_pool(data, split_seed=split_seed, **options)
    if mapped is not None:
        return mapped
    train, held = training_parts(data, split_seed=split_seed, **options)
    if held is None:
        return train
    order = np.argsort(np.concatenate([train.ids, held.ids]), kind="stable")
    names, geometry = [*train.names, *held.names], (*(train.geometry or ()), *(held.geometry or ()))
    return dataclasses.replace(
        train,
        pixels=np.concatenate([train.pixels, held.pixels])[order],
        names=[names[index] for index in order],
        ids=np.concatenate([train.ids, held.ids])[order],
        labels=_both(train.labels, held.labels, order),
        groups=None,  # numbers of separately read parts may meet; equal pictures are found again as near-duplicates
        geometry=tuple(geometry[index] for index in order) if len(geometry) == len(order) else None,
        split="training and validation",
    )


def write_pool(place: Path, pool: ImageSet, *, copy: bool = False) -> None:
    """Write the pool below ``place``: its pixels, or where they lie already, and what belongs to them.

    Args:
        place: the study's folder.
        pool: the images.
        copy: write the pixels even where they lie in a file already, for machines that see nothing but the folder.
    """
    folder = place / FOLDER
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    tensors = {"ids": torch.from_numpy(np.ascontiguousarray(pool.ids))}
    if pool.labels is not None:
        tensors["labels"] = torch.from_numpy(np.ascontiguousarray(pool.labels))
    file = None if copy else _file_of(pool.pixels)
    if file is None:
        save_array(folder / "pixels.npy", np.asarray(pool.pixels))
    elif (rows := getattr(pool.pixels, "rows", None)) is not None:
        tensors["rows"] = torch.from_numpy(np.ascontiguousarray(rows))
    save_tensors(folder / "index.safetensors", tensors)
    values = {
        "format": FORMAT,
        "source": pool.source,
        "split": pool.split,
        "names": list(pool.names),
        "classes": list(pool.classes),
        "pixel_format": dataclasses.asdict(pool.format),
        "fingerprint": pool.fingerprint,
        "file": None if file is None else {"path": str(file), "stamp": _stamp(file)},
    }
    write_json(folder / "index.json", values)  # last: with it the pool is whole


def has_pool(place: Path) -> bool:
    """Return whether the whole pool has been written below ``place``."""
    return (place / FOLDER / "index.json").is_file()


def read_pool(place: Path) -> ImageSet:
    """Return the pool with its pixels memory-mapped.

    Raises:
        UserError: a file of it is missing, damaged or no longer the same.
    """
    folder = place / FOLDER
    index = read_json(folder / "index.json", "study")
    tensors, _ = load_tensors(folder / "index.safetensors")
    pixel_format = PixelFormat(**index["pixel_format"])
    elsewhere = index.get("file")
    file = Path(elsewhere["path"]) if elsewhere else folder / "pixels.npy"
    if elsewhere and not file.is_file():
        raise UserError(
            f"the pixels of {place} lie in {file}, which is not there (any more, or from this machine): bring it back"
        )
    pixels = load_array(file)
    if elsewhere:
        pixels = pixels.reshape(-1, *pixel_format.shape)
    pool = ImageSet(
        pixels=cast(Any, Rows(pixels, tensors["rows"].numpy())) if "rows" in tensors else pixels,
        names=index["names"],
        ids=tensors["ids"].numpy(),
        labels=tensors["labels"].numpy() if "labels" in tensors else None,
        classes=tuple(index["classes"]),
        source=index["source"],
        split=index["split"],
    )
    if elsewhere and _stamp(file) != elsewhere["stamp"] and pool.fingerprint != index["fingerprint"]:
        raise UserError(f"the pixels of {place} lie in {file}, which has changed since: bring the old file back")
    return with_format(pool, pixel_format)


def _file_of(pixels: Any) -> Path | None:
    """Return the ``.npy`` file that holds just these pixels, or the array whose rows they are; ``None`` if there is none."""
    base = pixels.base if isinstance(pixels, Rows) else pixels
    name = getattr(base, "filename", None)
    if not isinstance(base, np.memmap) or name is None or not base.flags.c_contiguous:
        return None
    try:
        whole = np.load(name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # memory-mapped, but no .npy file
    return Path(name).resolve() if whole.size == base.size and whole.dtype == base.dtype else None


def _stamp(file: Path) -> list[int]:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns]


def with_format(images: ImageSet, pixel_format: PixelFormat) -> ImageSet:
    """Return ``images`` with the pool's format: a part of floating-point images must not choose a range of its own."""
    images.__dict__["format"] = pixel_format  # where the cached property keeps it
    return images


def part(pool: ImageSet, rows: npt.NDArray[np.int64], *, mapped: bool = False, split: str = "train") -> ImageSet:
    """Return the images of ``pool`` at ``rows``: copied, or ``mapped``, so that processes share the pixels' memory."""
    chosen = part_of(pool, rows, split) if mapped else pool.select(rows, split=split)
    return with_format(chosen, pool.format)


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as ``.npy`` atomically."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)

    write_atomically(path, write)


def load_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of an ``.npy`` file, memory-mapped.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        return cast(npt.NDArray[Any], np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is missing or damaged: {error}") from None


def _both(first: Any, second: Any, order: npt.NDArray[np.int64]) -> Any:
    return None if first is None or second is None else np.concatenate([first, second])[order]
