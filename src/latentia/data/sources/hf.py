"""Hugging Face datasets that stream: `hf:OWNER/NAME` from the Hub, or `hf:FOLDER` on this machine; `:SPLIT` picks one split."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import ClassVar

from latentia.core.errors import UserError
from latentia.data.hub import HubShards, open_hub
from latentia.data.imageset import ImageSet
from latentia.data.source import ReadOptions, Source
from latentia.data.stream import ImageStream

PREFIX = "hf:"


@dataclasses.dataclass(frozen=True)
class Hf(Source):
    """A data set that the ``datasets`` library reads: Parquet files, a folder of images, or one on the Hub.

    It streams: nothing is downloaded as a whole. A folder on this machine asks for nothing from the network.
    """

    priority: ClassVar[int] = 100
    streams: ClassVar[bool] = True

    def matches(self, location: str) -> bool:
        """Return whether ``location`` begins with ``hf:``."""
        return location.startswith(PREFIX)

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return the images of one part, as a stream."""
        return ImageStream.of(_opened(location, options), location, part)


def _opened(location: str, options: ReadOptions) -> HubShards:
    text = location.removeprefix(PREFIX)
    found = re.fullmatch(r"(.+?)(?::([\w.-]+))?", text)
    if found is None or not text.strip("/"):
        raise UserError(f"{location!r} names no data set: write hf:OWNER/NAME, or hf:FOLDER for one on this machine")
    name, split = found.groups()
    if name.startswith((".", "/", "~")) and not Path(name).expanduser().exists():
        raise UserError(f"the folder {name!r} of {location} does not exist")
    return open_hub(
        str(Path(name).expanduser()) if Path(name).expanduser().exists() else name, split, location, options
    )
