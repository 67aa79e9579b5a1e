"""CIFAR-10 in its binary form (Krizhevsky 2009): 60,000 colour images of 32 x 32 pixels in ten classes."""

from __future__ import annotations

import dataclasses
import tarfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

from latentia.core.errors import UserError
from latentia.data.downloads import fetch
from latentia.data.imageset import ImageSet
from latentia.data.source import ReadOptions, Source

ARCHIVE = "cifar-10-binary.tar.gz"
CHECKSUM = "md5:c32a1d4ab5d03f1284b67883e8d87530"
MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
FOLDERS = ("cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", ".")
FILES = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32


@dataclasses.dataclass(frozen=True)
class Cifar10(Source):
    """The binary version; the usual Python version is a pickle, which Latentia does not read."""

    priority: ClassVar[int] = 90
    datasets: ClassVar[tuple[str, ...]] = ("cifar10",)

    def parts(self, location: str, options: ReadOptions) -> tuple[str, ...]:
        """Return the two official parts."""
        return "train", "test"

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return one official part."""
        content = b"".join(_content(name, options) for name in FILES[part])
        if not content or len(content) % RECORD:
            raise UserError(f"the {part} files of cifar10 hold {len(content)} bytes, which are no whole images")
        records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
        start = 0 if part == "train" else 10_000_000
        return ImageSet(
            pixels=records[:, 1:].reshape(-1, 3, 32, 32).copy(),
            names=[f"{part}-{index:05d}" for index in range(len(records))],
            ids=np.arange(start, start + len(records), dtype=np.int64),
            labels=records[:, 0].astype(np.int64),
            classes=CLASSES,
            source=location,
            split=part,
        )


def _content(name: str, options: ReadOptions) -> bytes:
    if options.data_dir is not None:
        for folder in FOLDERS:
            if (options.data_dir / folder / name).is_file():
                return (options.data_dir / folder / name).read_bytes()
        if (options.data_dir / ARCHIVE).is_file():
            return _member(options.data_dir / ARCHIVE, name)
    archive = fetch(ARCHIVE, MIRRORS, CHECKSUM, options.cache_dir / "cifar10", quiet=options.quiet)
    return _member(archive, name)


def _member(archive: Path, name: str) -> bytes:
    try:
        with tarfile.open(archive) as opened:
            file = opened.extractfile(f"cifar-10-batches-bin/{name}")
            if file is None:
                raise KeyError(name)
            return file.read()
    except (tarfile.TarError, KeyError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"{archive} cannot be unpacked ({error}): delete it, and it is fetched again") from None
