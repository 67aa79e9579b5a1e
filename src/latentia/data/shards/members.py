"""The table of a shard: where each image lies in the tar file, its label, and a hash by which it falls into a split."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.data.splits import TEST, VALIDATION

MEMBER = np.dtype([("offset", "<i8"), ("size", "<i8"), ("label", "<i8"), ("digest", "<u8")])
"""One image: the place and the length of its bytes in the tar file, its label (-1: none), and a hash of 64 bits."""

Table = npt.NDArray[np.void]


def digest_of(content: bytes) -> int:
    """Return 64 bits of the hash of ``content``: of an image's bytes, or of its name where the bytes are not known."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def rows_of(
    digests: npt.NDArray[np.uint64], part: str, split: str, seed: int, official: frozenset[str] = frozenset()
) -> npt.NDArray[np.int64]:
    """Return the rows of a shard that belong to ``split``, in order.

    A row's split is a function of its digest and ``seed`` alone, so it does not change when images are packed anew, and
    images with equal digests stay together. A part that is official stays what it is; validation images are taken from
    the training part where there are no official ones.

    Args:
        digests: uint64 ``[N]``.
        part: the official part that the shard belongs to, ``all`` where there are none.
        split: ``train``, ``validation``, ``test``, ``all``, or ``all but test``: all but the official test part.
        seed: the seed of the split.
        official: the official parts that there are, over all shards.
    """
    if split == "all" or part == split == "test":
        return np.arange(len(digests), dtype=np.int64)
    if split == "all but test":
        return np.arange(len(digests) if part != "test" else 0, dtype=np.int64)
    if part in ("test", "validation"):
        return np.arange(len(digests) if part == split else 0, dtype=np.int64)
    share = uniform(digests, seed)
    test = TEST if part == "all" else 0.0
    validation = 0.0 if "validation" in official else VALIDATION
    chosen = {
        "test": share < test,
        "validation": (share >= test) & (share < test + validation),
        "train": share >= test + validation,
    }[split]
    return np.flatnonzero(chosen)


def uniform(digests: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for each digest: the finaliser of SplitMix64 (Steele, Lea & Flood 2014) under ``seed``."""
    mixed = digests ^ np.uint64(digest_of(str(seed).encode()))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def table_of(rows: list[tuple[int, int, int, int]]) -> Table:
    """Return rows of ``(offset, size, label, digest)`` as a table."""
    found: Any = np.array(rows, dtype=MEMBER)
    return found
