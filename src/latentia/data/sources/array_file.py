"""NumPy files: ``.npy`` (memory-mapped) and ``.npz`` (with labels, or with official parts). Pickled content is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, from_array
from latentia.data.source import ReadOptions, Source

IMAGE_KEYS = ("images", "pixels", "x", "X", "data", "arr_0")
LABEL_KEYS = ("labels", "label", "y", "targets", "target")


@dataclasses.dataclass(frozen=True)
class ArrayFile(Source):
    """An array on disk: ``[N, H, W]``, ``[N, C, H, W]`` or ``[N, H, W, C]``.

    In an ``.npz`` the images are called ``images``, ``pixels``, ``x``, ``data`` or ``arr_0``, or are the only array of three
    or four dimensions; labels ``labels``, ``y`` or ``targets``. ``x_train`` and ``x_test`` are official parts.
    """

    priority: ClassVar[int] = 50

    def matches(self, location: str) -> bool:
        """Return whether ``location`` is named like a NumPy file."""
        return Path(location).suffix in (".npy", ".npz")

    def parts(self, location: str, options: ReadOptions) -> tuple[str, ...]:
        """Return the official parts that an ``.npz`` names."""
        if Path(location).suffix == ".npz":
            with _opened(location) as arrays:
                if any(f"{key}_train" in arrays and f"{key}_test" in arrays for key in IMAGE_KEYS):
                    return "train", "test"
        return ("all",)

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return the images of the file."""
        with _opened(location) as arrays:
            if not hasattr(arrays, "files"):
                return from_array(arrays, source=location)
            suffix = "" if part == "all" else f"_{part}"
            pixels = _first(arrays, IMAGE_KEYS, suffix)
            if pixels is None:
                candidates = [name for name in arrays.files if arrays[name].ndim in (3, 4)]
                if len(candidates) != 1:
                    raise UserError(
                        f"{location} has the arrays {', '.join(arrays.files) or 'none'}, of which none is called "
                        f"{', '.join(IMAGE_KEYS)}: rename the images"
                    )
                pixels = arrays[candidates[0]]
            images = from_array(pixels, _first(arrays, LABEL_KEYS, suffix), source=location)
            if part == "test":  # the parts' ids and names never meet
                images = dataclasses.replace(
                    images, ids=images.ids + 10_000_000, names=[f"test-{name}" for name in images.names]
                )
            return images


def _first(arrays: Any, keys: tuple[str, ...], suffix: str) -> Any:
    return next((arrays[key + suffix] for key in keys if key + suffix in arrays.files), None)


@contextlib.contextmanager
def _opened(location: str) -> Iterator[Any]:
    path = Path(location)
    if not path.is_file():
        raise UserError(f"the file {location!r} does not exist")
    try:
        mode: Any = "r" if path.suffix == ".npy" else None
        loaded = np.load(path, allow_pickle=False, mmap_mode=mode)
        try:
            yield loaded
        finally:
            if hasattr(loaded, "close"):
                loaded.close()
    except UserError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise UserError(
                f"{location} holds pickled objects, which are not read: save plain arrays instead"
            ) from None
        raise UserError(f"{location} is no whole NumPy file: {error}") from None
