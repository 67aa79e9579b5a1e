"""Codes on disk, written batch by batch: ``.npy`` (names beside it), Parquet or CSV with names and labels.

The ``.npy`` is written as a stream behind its header, and not through a memory map: mapped pages would count as memory, and a
full disk would kill the process (SIGBUS) where a write fails with a sentence.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import write_atomically
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.apply import BATCH, stream
from latentia.tasks.embed import embedder

Rows = Iterator[tuple[int, npt.NDArray[np.float32]]]
ROW_GROUP = 16 * BATCH  # rows of one piece of a Parquet file
LINES = 4096  # names that are written at once


@dataclasses.dataclass(frozen=True)
class Embedded(Printed):
    """What was written.

    Attributes:
        path: the file of codes.
        count, width: its rows and the values in each.
        names: the file of names, where it is another one.
    """

    path: Path
    count: int
    width: int
    names: Path | None = None

    def __str__(self) -> str:
        beside = "" if self.names is None else f"; names in {self.names}"
        return f"{self.count:,} codes of {self.width} values{beside}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields."""
        return {
            "path": str(self.path),
            "count": self.count,
            "width": self.width,
            "names": self.names and str(self.names),
        }


def write_codes(
    model: Autoencoder, images: ImageSet, path: Path, *, pool: bool = False, features: str | None = None
) -> Embedded:
    """Write the codes of ``images`` to ``path`` (``.npy``, ``.parquet`` or ``.csv``); memory does not grow with their number.

    Args:
        model: the autoencoder.
        images: what to embed; memory-mapped ones are read batch by batch.
        path: the file; it is whole or not there at all.
        pool, features: as for :func:`latentia.tasks.embed.embed`.

    Raises:
        UserError: model and images do not fit, an unknown layer or kind of file, or Parquet without ``pyarrow``.
        StorageError: the disk is full or cannot be written.
    """
    writer = _writer(path)
    function = embedder(model, images, pool=pool, features=features)

    def rows() -> Rows:
        start = 0
        for part in stream(model, images, function):
            yield start, np.ascontiguousarray(part, dtype=np.float32)
            start += len(part)

    produced = rows()
    first = next(produced)
    width = math.prod(first[1].shape[1:])

    def again() -> Rows:
        yield first
        yield from produced

    write_atomically(path, lambda temporary: writer(temporary, again(), images, width))
    names = None
    if path.suffix == ".npy":
        names = path.with_suffix(".names.txt")
        write_atomically(names, lambda temporary: _write_names(temporary, images))
    return Embedded(path, len(images), width, names)


def check_kind(path: Path) -> None:
    """Raise a :class:`UserError` where codes cannot be written as that kind of file."""
    _writer(path)


def _writer(path: Path) -> Callable[[Path, Rows, ImageSet, int], None]:
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"codes cannot be written to {str(path)!r}: name a file that ends in {' or '.join(WRITERS)}")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise UserError(
                "Parquet files need pyarrow: pip install 'latentia[parquet]', or write a .npy or .csv file"
            ) from None
    return WRITERS[path.suffix.lower()]


def _npy(temporary: Path, rows: Rows, images: ImageSet, width: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(images), width)}
    with temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for _, part in rows:
            file.write(part.astype("<f4", copy=False).data)


def _csv(temporary: Path, rows: Rows, images: ImageSet, width: int) -> None:
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "label", *columns(width)])
        for start, part in rows:
            texts = labels_of(images, start, start + len(part))
            for offset, row in enumerate(part):
                writer.writerow([images.names[start + offset], texts[offset] or "", *(f"{value:.8g}" for value in row)])


def _parquet(temporary: Path, rows: Rows, images: ImageSet, width: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(
        [("name", pa.string()), ("label", pa.string()), *((name, pa.float32()) for name in columns(width))]
    )
    with parquet.ParquetWriter(temporary, schema) as writer:
        waiting: list[npt.NDArray[np.float32]] = []
        begun = 0

        def flush() -> None:
            nonlocal begun
            part = np.concatenate(waiting)
            end = begun + len(part)
            arrays = [
                pa.array([images.names[index] for index in range(begun, end)], pa.string()),
                pa.array(labels_of(images, begun, end), pa.string()),
                *(pa.array(np.ascontiguousarray(column)) for column in part.T),
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            waiting.clear()
            begun = end

        for _, part in rows:
            waiting.append(part)
            if sum(map(len, waiting)) >= ROW_GROUP:
                flush()
        if waiting:
            flush()


def columns(width: int) -> list[str]:
    """Return the names of a code's values: ``z0`` and on."""
    return [f"z{unit}" for unit in range(width)]


def labels_of(images: ImageSet, start: int, end: int) -> list[str | None]:
    """Return the labels of some images as texts, ``None`` where there is none."""
    if images.labels is None:
        return [None] * (end - start)
    return [
        None if label < 0 else images.classes[label] if label < len(images.classes) else str(label)
        for label in images.labels[start:end].tolist()
    ]


def _write_names(temporary: Path, images: ImageSet) -> None:
    # one line, one name: a line break inside a file's name is written as \n
    lines = (name.replace("\\", "\\\\").replace("\n", "\\n") if "\n" in name else name for name in images.names)
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        while block := list(itertools.islice(lines, LINES)):
            file.write("\n".join(block) + "\n")


WRITERS: Mapping[str, Callable[[Path, Rows, ImageSet, int], None]] = {".npy": _npy, ".parquet": _parquet, ".csv": _csv}
