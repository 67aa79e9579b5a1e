"""Data sets of the Hugging Face `datasets` library as shards: read forwards, each from a few places at once.

The library streams a shard from its beginning; a cursor that is there already is used again, so reading an epoch costs one pass,
and going on in the middle of one costs passing over what is before it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import storage_errors, write_json
from latentia.core.bars import tqdm
from latentia.core.errors import DamagedData, UserError
from latentia.data.cache import entry_key
from latentia.data.imageset import PixelFormat
from latentia.data.kept import Kept
from latentia.data.shards.form import common_form
from latentia.data.shards.images import Form, Unfit, pixels_of
from latentia.data.shards.members import digest_of, rows_of, uniform
from latentia.data.source import ReadOptions
from latentia.data.splits import only_together, part_called
from latentia.data.stream import NO_PIXELS, Piece, Reach

CURSORS = 16  # places in which shards are open at once
KEPT = 1 << 25  # bytes of the rows of splits that are kept of the shards read last
SEEN_EACH, SEEN_SHARDS = 8, 4  # images by which the common form is chosen


@dataclasses.dataclass(frozen=True)
class HubShard:
    """One shard of a split: which one, its official part, how many images it holds, and the id of the first."""

    split: str
    number: int
    part: str
    count: int
    first: int


@dataclasses.dataclass(eq=False)
class HubShards:
    """The shards of a data set; see :class:`latentia.data.stream.Shards`.

    Attributes:
        source: what the user called it.
        splits: the streaming splits of the library, images not decoded.
        shards: of all splits, in the order of their images' ids.
        image, label: the columns that hold them; ``label`` may be ``None``.
        form, low, high: what every image is brought to.
        key: a hash of what the data set is, the same wherever it lies.
    """

    source: str
    splits: dict[str, Any]
    shards: tuple[HubShard, ...]
    image: str
    label: str | None
    classes: tuple[str, ...]
    form: Form
    low: float
    high: float
    key: str
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._cursors: OrderedDict[tuple[int, int], Iterator[Any]] = OrderedDict()
        self._kept: Kept[npt.NDArray[np.int64]] = Kept(KEPT)

    @property
    def format(self) -> PixelFormat:
        """The images' pixel format."""
        return PixelFormat(*self.form.shape, self.form.dtype, self.low, self.high)

    @property
    def labelled(self) -> bool:
        """Whether there is a column of labels."""
        return self.label is not None

    @property
    def reach(self) -> Reach:
        """Forwards, from eight places of a data set at once."""
        return Reach(lanes=8, chunk=512, window=1, side_by_side=False)

    @functools.cached_property
    def official(self) -> frozenset[str]:
        """The official parts that there are."""
        return frozenset(shard.part for shard in self.shards) - {"all"}

    def of_part(self, part: str) -> HubShards:
        """Return the shards of one official part, which are then all there is."""
        chosen = [dataclasses.replace(shard, part="all") for shard in self.shards if shard.part == part]
        return dataclasses.replace(self, shards=tuple(chosen))

    def counts(self, split: str, seed: int) -> npt.NDArray[np.int64]:
        """Return how many images of ``split`` are in each shard, int64 ``[S]``."""
        return np.array([len(self._rows(number, split, seed)) for number in range(len(self.shards))], dtype=np.int64)

    def piece(
        self, number: int, split: str, seed: int, start: int, stop: int, pixels: bool = True, names: bool = False
    ) -> Piece:
        """Return the images of ``split`` in shard ``number`` from place ``start`` to ``stop``.

        Raises:
            DamagedData: an image cannot be read, or the data set no longer be reached.
        """
        shard = self.shards[number]
        rows = self._rows(number, split, seed)[start:stop]
        count = len(rows)
        found = np.empty((count, *self.form.shape), dtype=self.form.dtype) if pixels else NO_PIXELS
        labels = np.full(count, -1, dtype=np.int64)
        if count and (pixels or self.label is not None):
            wanted = {row: place for place, row in enumerate(rows.tolist())}
            for row, example in self._examples(number, int(rows[0]), int(rows[-1]) + 1):
                place = wanted.get(row)
                if place is None:
                    continue
                if pixels:
                    found[place] = self._pixels(example, shard, row)
                if self.label is not None and example[self.label] is not None:
                    labels[place] = int(example[self.label])
        own = [f"{shard.split}/{shard.first + row:09d}" for row in rows.tolist()] if names else []
        return Piece(found, shard.first + rows, labels, own)

    def fingerprint(self, split: str, seed: int) -> str:
        """Return a hash that changes when the data set, its files or the split do."""
        return entry_key([self.key, split, seed, dataclasses.astuple(self.form), [s.count for s in self.shards]])

    def _rows(self, number: int, split: str, seed: int) -> npt.NDArray[np.int64]:
        shard = self.shards[number]

        def make() -> npt.NDArray[np.int64]:
            return rows_of(_digests(shard), shard.part, split, seed, self.official)

        return self._kept.get((number, split, seed), make, 8 * shard.count)

    def _pixels(self, example: dict[str, Any], shard: HubShard, row: int) -> npt.NDArray[Any]:
        where = f"the image {row:,} of shard {shard.number} of {self.source} ({shard.split})"
        try:
            return pixels_of(bytes_of(example[self.image]), self.form)
        except Unfit as reason:
            raise DamagedData(f"{where} {reason}") from None

    def _examples(self, number: int, start: int, stop: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield rows ``start`` to ``stop`` of a shard, from a cursor before them where there is one."""
        shard = self.shards[number]
        with self._lock, _told(f"{self.source} ({shard.split}, shard {shard.number})"):
            near = [place for own, place in self._cursors if own == number and place <= start]
            if near:
                place = max(near)
                cursor = self._cursors.pop((number, place))
            else:
                split = self.splits[shard.split]
                part = split.shard(split.num_shards, shard.number)
                place, cursor = start, iter(part.skip(start) if start else part)
            while place < stop:
                example = next(cursor, None)
                if example is None:
                    raise DamagedData(
                        f"shard {shard.number} of {self.source} ({shard.split}) ends after {place:,} images, but "
                        f"{shard.count:,} were counted: it has changed, so begin a new run"
                    )
                place += 1
                if place > start:
                    yield place - 1, example
            self._cursors[number, place] = cursor
            while len(self._cursors) > CURSORS:
                self._cursors.popitem(last=False)


def open_hub(name: str, split: str | None, source: str, options: ReadOptions) -> HubShards:
    """Return the data set ``name``, a folder on this machine or a name on the Hub, or one split of it.

    Raises:
        UserError: it does not exist, cannot be reached, or holds no images; or there is no such split.
    """
    builder = _builder(name, source)
    with _told(source, UserError):
        streams = {str(key): value for key, value in builder.as_streaming_dataset().items()}
    if split is not None and split not in streams:
        raise UserError(f"{source} has no split {split!r} (its splits: {', '.join(streams)})")
    if split is not None:
        streams = {split: streams[split]}
    image, label, classes = _columns(next(iter(streams.values())), source)
    undecoded = _undecoded(streams, image)
    # the library's folder changes with a file's time, so that images are counted anew
    here = entry_key([source, str(builder.cache_dir), sorted(streams)])
    shards = _shards(undecoded, label, here, source, options, official=split is None)
    seen = []
    places = [(part, number) for part, stream in undecoded.items() for number in range(stream.num_shards)]
    with _told(source):
        for part, number in places[:SEEN_SHARDS]:
            shard = undecoded[part].shard(undecoded[part].num_shards, number)
            for row, example in enumerate(shard.take(SEEN_EACH)):
                seen.append((f"the image {row} of shard {number} of {source} ({part})", bytes_of(example[image])))
    form, low, high, notes = common_form(seen, source, options)
    key = entry_key(_identity(builder, name, sorted(streams)))
    return HubShards(source, undecoded, shards, image, label, classes, form, low, high, key, notes)


def bytes_of(value: Any) -> bytes:
    """Return the bytes of an image that was not decoded: its own, or those of the file it names."""
    if isinstance(value, dict) and value.get("bytes"):
        return bytes(value["bytes"])
    path = value.get("path") if isinstance(value, dict) else None
    if not path:
        return b""
    if Path(path).is_file():
        return Path(path).read_bytes()
    import fsspec

    with fsspec.open(path, "rb") as file:
        content: bytes = file.read()
    return content


def _builder(name: str, source: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import datasets
    except ImportError:
        raise UserError("data sets of Hugging Face need the package datasets: pip install 'latentia[hf]'") from None
    with _told(source, UserError), _quiet(datasets):
        return datasets.load_dataset_builder(name)


@contextlib.contextmanager
def _told(source: str, kind: type[Exception] = DamagedData) -> Iterator[None]:
    """Turn what the library raises into one sentence."""
    try:
        yield
    except (UserError, DamagedData):
        raise
    except Exception as error:  # the library raises what its file systems raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise kind(f"{source} cannot be read: {reason[:300]}") from None


@contextlib.contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Keep the library's progress bars away while something is opened."""
    shown = datasets.utils.is_progress_bar_enabled()
    datasets.utils.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.utils.enable_progress_bars()


def _identity(builder: Any, name: str, splits: list[str]) -> list[Any]:
    """Return what a data set is, on every machine: its files by name and size, or by the commit that their address holds.

    One that has no list of files is told by the name and the version of its configuration.
    """
    config = builder.config
    if not config.data_files:
        return [builder.dataset_name, config.name, str(config.version), splits]
    root = Path(name).expanduser().resolve()

    def about(file: str) -> list[Any]:
        path = Path(file)
        if not path.is_file():
            return [file]
        own = path.resolve()
        return [(own.relative_to(root) if own.is_relative_to(root) else Path(own.name)).as_posix(), own.stat().st_size]

    return [[split, sorted(about(str(file)) for file in config.data_files.get(split, ()))] for split in splits]


def _columns(one: Any, source: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Return the columns of images and of labels, and the name of each label."""
    import datasets

    with _told(source, UserError):
        features: Any = one.features or next(iter(one.take(1)), {})
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    if not images:
        raise UserError(f"{source} has no column of images (its columns: {', '.join(features)})")
    label = next((name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)), None)
    return images[0], label, tuple(features[label].names) if label else ()


def _undecoded(streams: dict[str, Any], image: str) -> dict[str, Any]:
    import datasets

    return {name: stream.cast_column(image, datasets.Image(decode=False)) for name, stream in streams.items()}


def _shards(
    streams: dict[str, Any], label: str | None, key: str, source: str, options: ReadOptions, *, official: bool
) -> tuple[HubShard, ...]:
    counts = _counts(streams, label, key, source, options)
    parts = only_together([part_called([name]) if official else "all" for name in counts])
    found, first = [], 0
    for (name, numbers), part in zip(counts.items(), parts, strict=True):
        for number, count in enumerate(numbers):
            found.append(HubShard(name, number, part, count, first))
            first += count
    return tuple(found)


def _counts(
    streams: dict[str, Any], label: str | None, key: str, source: str, options: ReadOptions
) -> dict[str, list[int]]:
    """Return how many images each shard holds: counted once, by the column that is smallest, and cached."""
    path = options.cache_dir / "hub" / f"{key}.json"
    try:
        known: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
        return known
    except (OSError, ValueError):
        pass
    counts: dict[str, list[int]] = {}
    bar = tqdm(
        desc=f"counting the images of {source}", unit=" images", disable=options.quiet or None, delay=1.0, leave=False
    )
    with bar, _told(source):
        for name, stream in streams.items():
            narrow = stream.select_columns([label]) if label is not None else stream
            counts[name] = []
            for number in range(stream.num_shards):
                count = 0
                for _ in narrow.shard(stream.num_shards, number):
                    count += 1
                    bar.update()
                counts[name].append(count)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, counts)
    return counts


def _digests(shard: HubShard) -> npt.NDArray[np.uint64]:
    """Return a hash for each row of a shard, by its split, shard and row."""
    seed = digest_of(f"{shard.split}/{shard.number}".encode())
    share = uniform(np.arange(shard.count, dtype=np.uint64), seed)
    return (share * 2.0**63).astype(np.uint64)
