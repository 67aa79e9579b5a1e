"""Shards that stream: `wds:FOLDER`, `wds:FILE.tar` or `wds:NAME-{000000..000012}.tar`, on this machine or at an address."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.shards.addresses import Address, Place, place_of
from latentia.data.shards.catalogue import UNFINISHED, Catalogue, check_files, read_index
from latentia.data.shards.scanning import catalogue_of
from latentia.data.source import ReadOptions, Source
from latentia.data.stream import ImageStream

PREFIX = "wds:"
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclasses.dataclass(frozen=True)
class Wds(Source):
    """Tar files in the form of the webdataset library, read in turn, never as a whole.

    Where ``latentia pack`` wrote them, their index says all that is needed; of others the headers are read once. Shards in
    folders called ``train`` and ``test``, or with these words in their names, are official parts.
    """

    priority: ClassVar[int] = 100
    streams: ClassVar[bool] = True

    def matches(self, location: str) -> bool:
        """Return whether ``location`` begins with ``wds:``."""
        return location.startswith(PREFIX)

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return the images of one part, as a stream."""
        return ImageStream.of(find(location, options), location, part)


def find(location: str, options: ReadOptions) -> Catalogue:
    """Return the catalogue of the shards that ``location`` names.

    Raises:
        UserError: there are none, one is missing, or packing them was not finished.
    """
    options.check_policy()
    text = location.removeprefix(PREFIX)
    if text.startswith("pipe:"):
        raise UserError(f"{location} is a command, and none is run: name shards by a path or by their address")
    place = place_of(text)
    whole = not _names_files(place) if isinstance(place, Address) else place.is_dir()
    folder = place if whole else place.parent
    paths = None if whole else expand(text)
    if isinstance(folder, Path) and (folder / UNFINISHED).is_file():
        raise UserError(f"packing into {folder} was not finished: run the same latentia pack again, and it goes on")
    catalogue = read_index(folder, options.cache_dir)
    if catalogue is not None:
        if paths is not None:
            catalogue = _only(catalogue, paths)
        if isinstance(
            folder, Path
        ):  # elsewhere a request for each would be needed; what is wrong is found when it is read
            check_files(catalogue.shards)
        return _sized(catalogue, options)
    if paths is None:
        paths = _tar_files(place)
        if not paths:
            raise UserError(f"the folder {str(place)!r} holds no shards: files that end in .tar")
    return catalogue_of(paths, options)


def _names_files(place: Address) -> bool:
    return place.name.endswith(".tar") or any(sign in str(place) for sign in "{*[")


def _tar_files(folder: Place) -> Sequence[Place]:
    if isinstance(folder, Address):
        return [found for found in (folder / "**" / "*.tar").like() if not found.name.startswith(".")]
    return sorted(found for found in folder.rglob("*.tar") if not found.name.startswith("."))


def expand(text: str) -> Sequence[Place]:
    """Return the files of a name with ranges ``{000..012}`` or wildcards in it; one without is itself.

    Raises:
        UserError: the range is empty, or no file fits the wildcards.
    """
    names = [text]
    while any(RANGE.search(name) for name in names):
        grown = []
        for name in names:
            found = RANGE.search(name)
            assert found is not None  # all names have the same ranges
            first, last = found.groups()
            if int(last) < int(first):
                raise UserError(f"the range {found.group()} of {text!r} is empty: its end is below its start")
            width = len(first)
            grown += [
                name[: found.start()] + f"{number:0{width}d}" + name[found.end() :]
                for number in range(int(first), int(last) + 1)
            ]
        names = grown
    places = [place_of(name) for name in names]
    if any(sign in str(places[0]) for sign in ("*[" if isinstance(places[0], Address) else "*?[")):
        places = [found for place in places for found in _like(place)]
        if not places:
            raise UserError(f"no file is called like {text!r}")
    return places


def _like(place: Place) -> Sequence[Place]:
    return place.like() if isinstance(place, Address) else sorted(place.parent.glob(place.name))


def _only(catalogue: Catalogue, paths: Sequence[Place]) -> Catalogue:
    known = {shard.path.name: shard for shard in catalogue.shards}
    missing = next((path for path in paths if path.name not in known), None)
    if missing is not None:
        raise UserError(f"the shard {missing} is not in the index beside it: name shards of one packing")
    return dataclasses.replace(catalogue, shards=tuple(known[path.name] for path in paths))


def _sized(catalogue: Catalogue, options: ReadOptions) -> Catalogue:
    form = catalogue.form
    if options.size in (None, form.shape[1:]):
        return catalogue
    policy = "resize" if options.policy == "auto" else options.policy
    assert options.size is not None
    resized = dataclasses.replace(form, shape=(form.shape[0], *options.size), policy=policy)
    return dataclasses.replace(catalogue, form=resized)
