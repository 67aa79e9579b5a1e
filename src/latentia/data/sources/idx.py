"""The MNIST family in IDX form: files already there (raw or .gz, torchvision's layout too), else downloaded.

MNIST: LeCun et al. 1998. Fashion-MNIST: Xiao et al. 2017. KMNIST: Clanuwat et al. 2018. EMNIST: Cohen et al. 2017.
"""

from __future__ import annotations

import dataclasses
import gzip
import string
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError, unknown
from latentia.data.downloads import fetch
from latentia.data.imageset import ImageSet
from latentia.data.source import ReadOptions, Source

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclasses.dataclass(frozen=True)
class _Family:
    """Where a data set is found: folders below ``data_dir``, mirrors, checksums of the .gz files, names of classes."""

    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    checksums: dict[str, str]
    classes: tuple[str, ...] = tuple("0123456789")


MNIST = _Family(
    ("mnist", "MNIST/raw", "MNIST"),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    },
)
FASHION = _Family(
    ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    {
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
    ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
KMNIST = _Family(
    ("kmnist", "KMNIST/raw", "KMNIST"),
    ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "https://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    {
        "train-images-idx3-ubyte.gz": "md5:bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte.gz": "md5:e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte.gz": "md5:5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte.gz": "md5:7320c461ea6c1c855c0b718fb2a4b134",
    },
    ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)
FAMILIES = {"mnist": MNIST, "fashion-mnist": FASHION, "kmnist": KMNIST}

EMNIST_FOLDERS = ("emnist", "EMNIST/raw", "EMNIST")
EMNIST_MIRRORS = (
    "https://biometrics.nist.gov/cs_links/EMNIST/",
    "https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/",
)
EMNIST_ZIP = "gzip.zip"
EMNIST_CHECKSUM = "md5:58c8d27c78d21e728a6bc7b3cc06412e"
EMNIST_SPLITS = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")


@dataclasses.dataclass(frozen=True)
class Idx(Source):
    """Images and labels as IDX files."""

    priority: ClassVar[int] = 90
    datasets: ClassVar[tuple[str, ...]] = ("mnist", "fashion-mnist", "kmnist", "emnist")

    def matches(self, location: str) -> bool:
        """Return whether ``location`` is one of the family, or ``emnist-SPLIT``."""
        return location in self.datasets or location.startswith("emnist-")

    def parts(self, location: str, options: ReadOptions) -> tuple[str, ...]:
        """Return the two official parts."""
        return "train", "test"

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return one official part; the other's files are not read."""
        emnist = location.startswith("emnist")
        image_path, label_path = (_emnist if emnist else _family)(location, part, options)
        pixels = read_idx(image_path, dimensions=3)
        labels = read_idx(label_path, dimensions=1).astype(np.int64)
        if len(pixels) != len(labels):
            raise UserError(f"{image_path} holds {len(pixels)} images but {label_path} {len(labels)} labels")
        classes: tuple[str, ...] = FAMILIES["mnist"].classes
        if emnist:
            pixels = pixels.transpose(0, 2, 1)  # EMNIST is stored column by column
            classes = emnist_classes(location)
        else:
            classes = FAMILIES[location].classes
        start = 0 if part == "train" else 10_000_000  # the parts' ids never meet, however many there are
        return ImageSet(
            pixels=np.ascontiguousarray(pixels[:, None]),
            names=[f"{part}-{index:05d}" for index in range(len(pixels))],
            ids=np.arange(start, start + len(pixels), dtype=np.int64),
            labels=labels,
            classes=classes,
            source=location,
            split=part,
        )


def emnist_classes(location: str) -> tuple[str, ...]:
    """Return the characters that the labels of an EMNIST split stand for (Cohen et al. 2017, section II)."""
    split = location.removeprefix("emnist").removeprefix("-") or "balanced"
    if split == "letters":
        return ("", *string.ascii_lowercase)  # its labels begin with 1
    if split in ("digits", "mnist"):
        return tuple(string.digits)
    merged = "" if split == "byclass" else "cijklmopsuvwxyz"
    return tuple(string.digits + string.ascii_uppercase + "".join(c for c in string.ascii_lowercase if c not in merged))


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Return the uint8 array of an IDX file, raw or gzipped.

    Raises:
        UserError: it is truncated, or no IDX file of uint8 with so many dimensions.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be unpacked ({error}): delete it, and it is fetched again") from None
    if content[:3] != b"\x00\x00\x08" or len(content) < 4 + 4 * dimensions or content[3] != dimensions:
        raise UserError(f"{path} is no IDX file of {dimensions}-dimensional bytes: its first bytes are {content[:4]!r}")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, 4).tolist())
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if len(values) != int(np.prod(shape)):
        raise UserError(f"{path} is truncated: it announces {int(np.prod(shape))} bytes and holds {len(values)}")
    return values.reshape(shape)


def _family(location: str, part: str, options: ReadOptions) -> tuple[Path, Path]:
    family = FAMILIES[location]
    paths = [
        _on_disk(name, family.folders, options)
        or fetch(
            f"{name}.gz",
            family.mirrors,
            family.checksums[f"{name}.gz"],
            options.cache_dir / location,
            quiet=options.quiet,
        )
        for name in FILES[part]
    ]
    return paths[0], paths[1]


def _emnist(location: str, part: str, options: ReadOptions) -> tuple[Path, Path]:
    split = location.removeprefix("emnist").removeprefix("-") or "balanced"
    if split not in EMNIST_SPLITS:
        raise unknown("data set", location, [f"emnist-{name}" for name in EMNIST_SPLITS])
    names = [f"emnist-{split}-{part}-{kind}" for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    paths = [_on_disk(name, EMNIST_FOLDERS, options) for name in names]
    if paths[0] is None or paths[1] is None:
        folder = options.cache_dir / "emnist"
        archive = fetch(EMNIST_ZIP, EMNIST_MIRRORS, EMNIST_CHECKSUM, folder, quiet=options.quiet)
        paths = [_unpacked(archive, f"gzip/{name}.gz", folder / f"{name}.gz") for name in names]
    return paths[0], paths[1]  # type: ignore[return-value]


def _on_disk(name: str, folders: Sequence[str], options: ReadOptions) -> Path | None:
    places = [options.data_dir / folder for folder in folders] + [options.data_dir] if options.data_dir else []
    for place in places:
        for file in (f"{name}.gz", name, name.replace("-idx", ".idx")):
            if (place / file).is_file():
                return place / file
    return None


def _unpacked(archive: Path, member: str, target: Path) -> Path:
    from latentia.core.atomic import write_bytes

    if not target.is_file():
        try:
            with zipfile.ZipFile(archive) as opened:
                content: Any = opened.read(member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise UserError(f"{archive} cannot be unpacked ({error}): delete it, and it is fetched again") from None
        write_bytes(target, content)
    return target
