"""The pool: the images that a study divides, kept in its folder so that every process maps the same pixels."""

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
from latentia.data.batches import Batches
from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.load import load, training_parts
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


def write_pool(place: Path, pool: ImageSet) -> None:
    """Write the pool's pixels as ``pixels.npy`` and what belongs to them beside it, below ``place``."""
    folder = place / FOLDER
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    save_array(folder / "pixels.npy", pool.pixels)
    tensors = {"ids": torch.from_numpy(np.ascontiguousarray(pool.ids))}
    if pool.labels is not None:
        tensors["labels"] = torch.from_numpy(np.ascontiguousarray(pool.labels))
    save_tensors(folder / "index.safetensors", tensors)
    values = {
        "format": FORMAT,
        "source": pool.source,
        "split": pool.split,
        "names": list(pool.names),
        "classes": list(pool.classes),
        "pixel_format": dataclasses.asdict(pool.format),
    }
    write_json(folder / "index.json", values)  # last: with it the pool is whole


def has_pool(place: Path) -> bool:
    """Return whether the whole pool has been written below ``place``."""
    return (place / FOLDER / "index.json").is_file()


def read_pool(place: Path) -> ImageSet:
    """Return the pool with its pixels memory-mapped.

    Raises:
        UserError: a file of it is missing or damaged.
    """
    folder = place / FOLDER
    index = read_json(folder / "index.json", "study")
    tensors, _ = load_tensors(folder / "index.safetensors")
    pool = ImageSet(
        pixels=load_array(folder / "pixels.npy"),
        names=index["names"],
        ids=tensors["ids"].numpy(),
        labels=tensors["labels"].numpy() if "labels" in tensors else None,
        classes=tuple(index["classes"]),
        source=index["source"],
        split=index["split"],
    )
    return with_format(pool, PixelFormat(**index["pixel_format"]))


def with_format(images: ImageSet, pixel_format: PixelFormat) -> ImageSet:
    """Return ``images`` with the pool's format: a part of floating-point images must not choose a range of its own."""
    images.__dict__["format"] = pixel_format  # where the cached property keeps it
    return images


def part(pool: ImageSet, rows: npt.NDArray[np.int64], *, mapped: bool = False, split: str = "train") -> ImageSet:
    """Return the images of ``pool`` at ``rows``: copied, or ``mapped``, so that processes share the pixels' memory."""
    if not mapped:
        return with_format(pool.select(rows, split=split), pool.format)
    chosen = dataclasses.replace(
        pool,
        pixels=cast(Any, Rows(pool.pixels, rows)),
        names=[pool.names[row] for row in rows],
        ids=pool.ids[rows],
        labels=None if pool.labels is None else pool.labels[rows],
        geometry=None,
        groups=None,
        split=split,
    )
    return with_format(chosen, pool.format)


class Rows:
    """Some rows of an array ``[N, C, H, W]``, read when they are asked for."""

    def __init__(self, base: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> None:
        self._base, self._rows = base, rows
        self.shape, self.dtype, self.ndim = (len(rows), *base.shape[1:]), base.dtype, base.ndim

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which: Any) -> npt.NDArray[Any]:
        return np.asarray(self._base[self._rows[which]])


class MappedBatches(Batches):
    """Batches of images whose pixels are :class:`Rows`."""

    def _choose_gather(self) -> Any:
        return self._from_disk


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
