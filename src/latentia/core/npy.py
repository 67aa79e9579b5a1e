"""Read ``.npy`` files in any thread.

``numpy.load`` parses a file's header as Python source, and building a syntax tree in two threads at once fails in Python 3.11,
now and then, with "AST constructor recursion depth mismatch" (python/cpython#106905). Headers of plain and of flat structured
arrays, which is all that is written here, are read without a tree; any other is left to ``numpy.load``.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_FIELD = r"\('\w+', '[^'O]+'\)"
_HEADER = re.compile(
    rf"\{{'descr': (?P<descr>'[^'O]+'|\[{_FIELD}(?:, {_FIELD})*\]), 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>[\d, ]*)\), \}\s*"
)


def load_npy(source: Path | bytes, mapped: bool = False) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file.

    Args:
        source: the file, or the bytes of one.
        mapped: leave a file's numbers where they are, to be read when they are asked for (not with bytes).

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is no whole ``.npy`` file, or holds Python objects.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        head = _head(file)
        if head is None:
            again = source if isinstance(source, Path) else io.BytesIO(source)
            try:
                return np.asarray(np.load(again, mmap_mode="r" if mapped else None, allow_pickle=False))
            except EOFError as error:
                raise ValueError(str(error)) from None
        dtype, shape, order, offset = head
        count = math.prod(shape)
        if mapped and count and isinstance(source, Path):
            return np.memmap(source, dtype, "r", offset, shape, order)
        values = np.empty(count, dtype)
        room: Any = values.reshape(-1).view(np.uint8)
        read = file.readinto(room) if count else 0
    if read < values.nbytes:
        raise ValueError(f"the file ends after {read} of {values.nbytes} bytes")
    return values.reshape(shape, order=order)


def _head(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], Any, int] | None:
    """Return dtype, shape, order and where the numbers begin; ``None`` for a header of another form."""
    prefix = file.read(len(np.lib.format.MAGIC_PREFIX) + 2)
    if not prefix.startswith(np.lib.format.MAGIC_PREFIX) or prefix[-2:] not in (b"\1\0", b"\2\0", b"\3\0"):
        return None
    size = int.from_bytes(file.read(2 if prefix[-2] == 1 else 4), "little")
    found = _HEADER.fullmatch(file.read(size).decode("latin1"))
    if found is None:
        return None
    descr: Any = found["descr"].strip("'")
    if descr.startswith("["):
        descr = re.findall(r"\('(\w+)', '([^']+)'\)", descr)
    try:
        dtype = np.dtype(descr)
    except TypeError:
        return None
    shape = tuple(int(length) for length in found["shape"].split(",") if length.strip())
    return dtype, shape, "F" if found["fortran"] == "True" else "C", file.tell()
