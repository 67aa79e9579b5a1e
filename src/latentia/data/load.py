"""``load``: from whatever a user names to an :class:`ImageSet`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from latentia.core.errors import UserError, nearest, unknown
from latentia.data.imageset import ImageSet, from_array
from latentia.data.rows import is_on_disk, part_of
from latentia.data.source import SOURCES, ReadOptions, Source
from latentia.data.splits import SPLIT_SEED, SPLITS, TEST, VALIDATION, carve
from latentia.data.stream import ImageStream


class EmptySplit(UserError):
    """A split was asked for of which there are no images."""


def load(
    data: Any,
    split: str = "all",
    *,
    labels: Any = None,
    split_seed: int = SPLIT_SEED,
    data_dir: str | os.PathLike[str] | None = None,
    size: tuple[int, int] | None = None,
    policy: str = "auto",
    channels: int = 0,
    quiet: bool = False,
) -> ImageSet:
    """Return the images of ``data``.

    Args:
        data: a name (``digits``, ``mnist`` …), a folder of images, an ``.npy`` or ``.npz`` file, a NumPy array, a torch
            tensor (``[N, H, W]``, ``[N, C, H, W]`` or ``[N, H, W, C]``), or an ImageSet, which is returned as it is
            unless a split is asked for.
        split: ``train``, ``validation``, ``test`` or ``all``. Where a source has an official test part, that is
            ``test``, and ``validation`` is a tenth of the official training part; elsewhere validation and test are a
            tenth each. The parts depend on ``split_seed`` alone.
        labels: labels for an array: int64 ``[N]`` (-1 is unlabelled) or texts.
        data_dir: where files already are; ``LATENTIA_DATA`` by default.
        size: the common ``(height, width)`` for a folder of mixed sizes.
        policy: ``auto``, ``resize``, ``pad`` or ``crop``: how images come to that size.
        channels: how many channels the images of a folder are to have where nothing is lost by it: grey ones become coloured,
            and those without alpha opaque. 0: as many as the richest among them has.
        quiet: leave progress bars out.

    Raises:
        UserError: the data or the split does not exist or cannot be read as images.
        DownloadError: the data set could not be downloaded.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if isinstance(data, ImageSet):
        return data if split == "all" else narrow(data, split, split_seed=split_seed)
    if not isinstance(data, str | os.PathLike):
        images = from_array(data, labels)
        return images if split == "all" else narrow(images, split, split_seed=split_seed)
    options = read_options(data_dir, size, policy, quiet, channels)
    location = os.fspath(data)
    source = find_source(location)
    images = _read(source, location, split, options, split_seed)
    images.check_finite()
    return images


def all_but_test(
    data: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    size: tuple[int, int] | None = None,
    policy: str = "auto",
    channels: int = 0,
    quiet: bool = False,
) -> ImageSet:
    """Return every image of ``data`` but those of its official test part; where there is none, every image."""
    options = read_options(data_dir, size, policy, quiet, channels)
    location = os.fspath(data)
    source = find_source(location)
    stream = _stream(source, location, options)
    if stream is not None:
        return narrow(stream, "all but test") if "test" in stream.official else stream
    official = source.parts(location, options)
    if "test" not in official:
        return load(data, "all", data_dir=data_dir, size=size, policy=policy, channels=channels, quiet=quiet)
    parts = [source.read(location, part, options) for part in official if part != "test"]
    images = dataclasses.replace(_joined(parts), split="all but test")
    images.check_finite()
    return images


def official_test_names(
    data: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    size: tuple[int, int] | None = None,
    policy: str = "auto",
    quiet: bool = True,
) -> frozenset[str]:
    """Return the names of the images of the official test part of ``data``: none where there is no such part."""
    options = read_options(data_dir, size, policy, quiet)
    location = os.fspath(data)
    source = find_source(location)
    stream = _stream(source, location, options)
    if stream is not None:
        return frozenset(narrow(stream, "test").names if "test" in stream.official else ())
    if "test" not in source.parts(location, options):
        return frozenset()
    return frozenset(source.read(location, "test", options).names)


def narrow(images: ImageSet, split: str, *, split_seed: int = SPLIT_SEED) -> ImageSet:
    """Return one part of images that have no official parts (a stream knows its own)."""
    if isinstance(images, ImageStream):
        return _not_empty(images.part(split, split_seed))
    parts = carve(images, {"test": TEST, "validation": VALIDATION}, seed=split_seed)
    return _not_empty(parts[split])


def training_parts(
    data: Any, *, split_seed: int = SPLIT_SEED, validation: Any = None, split: str | None = None, **options: Any
) -> tuple[ImageSet, ImageSet | None]:
    """Return the training and validation images of ``data``; its test images are not read.

    Images that come as an array or an ImageSet are the training pool as a whole: a tenth of them is set aside for
    validation unless ``validation`` brings its own. So is the part of a named data set that ``split`` narrows it to.
    """
    if isinstance(data, str | os.PathLike) and split is not None:
        data = load(data, split, split_seed=split_seed, **options)
    if isinstance(data, str | os.PathLike):
        train = load(data, "train", split_seed=split_seed, **options)
        if validation is not None:
            return train, load(validation)
        with contextlib.suppress(EmptySplit):  # a handful of images is all training
            if isinstance(train, ImageStream):
                return train, narrow(train, "validation", split_seed=split_seed)
            return train, load(data, "validation", split_seed=split_seed, **options)
        return train, None
    pool = load(data, **{key: value for key, value in options.items() if key in ("labels", "quiet")})
    if validation is not None:
        return pool, load(validation)
    parts = carve(pool, {"validation": VALIDATION}, seed=split_seed)
    return parts["train"], parts["validation"] if len(parts["validation"]) else None


def set_aside(train: ImageSet, fraction: float, *, split_seed: int = SPLIT_SEED) -> tuple[ImageSet, ImageSet | None]:
    """Return ``train`` without a share of its images, and that share, for calibration: neither weights nor epochs see it.

    Args:
        train: the training images of :func:`training_parts`; validation and test images stay what they are.
        fraction: the share, below 1; 0 sets none aside.
        split_seed: which images: the same for the same seed and images.

    Raises:
        UserError: the share is no share, or would leave fewer than two images to train on.
    """
    if not fraction:
        return train, None
    if not 0 < fraction < 1:
        raise UserError(
            f"calibration is {fraction:g}, but it is the share of the training images to set aside, between 0 and 1"
        )
    if isinstance(train, ImageStream):
        raise UserError(
            f"{train.source} is read in turn from shards, so none of its images can be set aside for calibration: leave "
            "--calibration out, and name normal images with latentia detect --calibrate"
        )
    from latentia.core.noise import derive  # late, for it brings torch

    parts = carve(train, {"calibration": fraction}, seed=derive(split_seed, "calibration"))
    if len(parts["train"]) < 2 or not len(parts["calibration"]):
        raise UserError(
            f"{train.source} has {len(train)} image(s) to train on, and calibration {fraction:g} sets "
            f"{len(parts['calibration'])} of them aside: too few are left, so add images or take a smaller share"
        )
    return parts["train"], parts["calibration"]


def same_place(first: Any, second: Any) -> bool:
    """Return whether two names or paths lead to the same data, however they are spelt; what is in memory is the same as none."""
    if not isinstance(first, str | os.PathLike) or not isinstance(second, str | os.PathLike):
        return False
    one, other = Path(first), Path(second)
    return os.fspath(first) == os.fspath(second) or (one.exists() and other.exists() and one.samefile(other))


def mapped_pool(
    data: str | os.PathLike[str],
    *,
    split_seed: int = SPLIT_SEED,
    data_dir: str | os.PathLike[str] | None = None,
    size: tuple[int, int] | None = None,
    policy: str = "auto",
    quiet: bool = False,
) -> ImageSet | None:
    """Return the training and validation images of ``data`` as rows of the file that they are read from.

    ``None`` where there is no such file: its images are in memory, or its official parts are read one by one.
    """
    options = read_options(data_dir, size, policy, quiet)
    location = os.fspath(data)
    source = find_source(location)
    if source.streams or source.parts(location, options) != ("all",):
        return None
    images = source.read(location, "all", options)
    if not is_on_disk(images.pixels):
        return None
    rows = np.arange(len(images), dtype=np.int64)
    stand_in = dataclasses.replace(images, pixels=np.broadcast_to(np.uint8(0), (len(rows), 1, 1, 1)), ids=rows)
    parts = carve(stand_in, {"test": TEST, "validation": VALIDATION}, seed=split_seed)
    chosen = np.sort(np.concatenate([parts["train"].ids, parts["validation"].ids]))
    pool = part_of(images, chosen, split="training and validation")
    pool.check_finite()
    return pool


def find_source(location: str) -> Source:
    """Return the source that reads ``location``.

    Raises:
        UserError: none does; the nearest name is suggested.
    """
    sources = [SOURCES.get(name)() for name in SOURCES.names()]
    candidates = [source for source in sources if isinstance(source, Source)]
    for source in sorted(candidates, key=lambda source: -source.priority):
        if source.matches(location):
            return source
    names = sorted(name for source in candidates for name in source.datasets)
    if Path(location).is_file():
        raise UserError(
            f"{location!r} is a file of no kind that is read: name a folder of images, or an .npy or .npz file"
        )
    raise UserError(
        f"{location!r} is neither a file or folder that exists nor a known data set{nearest(location, names)} "
        f"(data sets: {', '.join(names)})"
    )


def cache_folder() -> Path:
    """Return where downloads, decoded folders and measurements are kept: ``LATENTIA_CACHE``, or the usual place."""
    return Path(os.environ.get("LATENTIA_CACHE") or "~/.cache/latentia").expanduser()


def read_options(
    data_dir: str | os.PathLike[str] | None,
    size: tuple[int, int] | None,
    policy: str,
    quiet: bool,
    channels: int = 0,
) -> ReadOptions:
    """Return how a source is to be read, with the environment's ``LATENTIA_DATA`` and ``LATENTIA_CACHE``.

    Raises:
        UserError: the data folder does not exist.
    """
    return ReadOptions(
        data_dir=_folder(data_dir or os.environ.get("LATENTIA_DATA")),
        cache_dir=cache_folder(),
        size=size,
        policy=policy,
        quiet=quiet,
        channels=channels,
    )


def _read(source: Source, location: str, split: str, options: ReadOptions, split_seed: int) -> ImageSet:
    official = ("all",) if source.streams else source.parts(location, options)  # a stream is opened once
    if official == ("all",):
        images = source.read(location, "all", options)
        return images if split == "all" else narrow(images, split, split_seed=split_seed)
    if split == "test":
        return dataclasses.replace(source.read(location, "test", options), split="test")
    if split == "all":
        return _joined([source.read(location, part, options) for part in official])
    if "validation" in official:
        return dataclasses.replace(source.read(location, split, options), split=split)
    pool = source.read(location, "train", options)
    return _not_empty(carve(pool, {"validation": VALIDATION}, seed=split_seed)[split])


def _stream(source: Source, location: str, options: ReadOptions) -> ImageStream | None:
    """Return all images of a source that streams, and ``None`` of another."""
    if not source.streams:
        return None
    images = source.read(location, "all", options)
    assert isinstance(images, ImageStream)  # a developer's invariant: what `streams` says
    return images


def _joined(parts: list[ImageSet]) -> ImageSet:
    first = parts[0]
    if len(parts) == 1:
        return first
    labelled = all(part.labels is not None for part in parts)
    geometry = [geometry for part in parts for geometry in part.geometry or ()]
    return dataclasses.replace(
        first,
        pixels=np.concatenate([part.pixels for part in parts]),
        names=[name for part in parts for name in part.names],
        ids=np.concatenate([part.ids for part in parts]),
        labels=np.concatenate([part.labels for part in parts if part.labels is not None]) if labelled else None,
        geometry=tuple(geometry) if len(geometry) == sum(map(len, parts)) else None,
        groups=_joined_groups(parts),
        split="all",
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _joined_groups(parts: list[ImageSet]) -> Any:
    """Return the groups of all parts under numbers that do not meet, or ``None`` where no part has any."""
    if all(part.groups is None for part in parts):
        return None
    starts = np.cumsum([0, *map(len, parts)])
    own = [part.groups if part.groups is not None else np.arange(len(part)) for part in parts]
    return np.concatenate([groups + start for groups, start in zip(own, starts, strict=False)])


def _not_empty(images: ImageSet) -> ImageSet:
    if not len(images):
        raise EmptySplit(
            f"{images.source} has too few images for a {images.split} split: use --split all, or add images"
        )
    return images


def _folder(value: str | os.PathLike[str] | None) -> Path | None:
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise UserError(f"the data folder {str(folder)!r} (--data-dir or LATENTIA_DATA) does not exist")
    return folder
