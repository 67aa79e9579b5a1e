"""What every source of images offers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

from latentia.core.errors import unknown
from latentia.core.registry import Registry
from latentia.core.spec import Part
from latentia.data.imageset import ImageSet

POLICIES = ("auto", "resize", "pad", "crop")


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """How a source is to be read.

    Attributes:
        data_dir: a folder with files already there (``--data-dir`` or ``LATENTIA_DATA``), or ``None``.
        cache_dir: where downloads and decoded folders are kept.
        size: the common height and width asked for, or ``None`` for the source's own choice.
        policy: how images come to one size: ``auto``, ``resize``, ``pad`` or ``crop``.
        quiet: whether progress bars are to be left out.
        channels: how many channels images of a folder are to have where nothing is lost by it; 0 for the source's own choice.
    """

    data_dir: Path | None = None
    cache_dir: Path = dataclasses.field(default_factory=lambda: Path("~/.cache/latentia").expanduser())
    size: tuple[int, int] | None = None
    policy: str = "auto"
    quiet: bool = False
    channels: int = 0

    def check_policy(self) -> None:
        """Raise a :class:`UserError` where there is no such policy."""
        if self.policy not in POLICIES:
            raise unknown("policy", self.policy, POLICIES)


@dataclasses.dataclass(frozen=True)
class Source(Part):
    """A place that images are read from. It has no fields: ``location`` is all that it needs."""

    kind: ClassVar[str] = "source"
    priority: ClassVar[int] = 0  # sources are asked in descending order; a name is asked before a path
    streams: ClassVar[bool] = False  # whether it gives an ImageStream, which is read whole and knows its official parts
    datasets: ClassVar[tuple[str, ...]] = ()  # the names it answers to, listed in help texts

    def matches(self, location: str) -> bool:
        """Return whether this source reads ``location``."""
        return location in self.datasets

    def parts(self, location: str, options: ReadOptions) -> tuple[str, ...]:
        """Return the official parts: ``("train", "test")``, or ``("all",)`` where there is no official test part."""
        return ("all",)

    def read(self, location: str, part: str, options: ReadOptions) -> ImageSet:
        """Return the images of one part; ids are unique over all parts.

        Raises:
            UserError: it cannot be read as images. DownloadError: it could not be fetched.
        """
        raise NotImplementedError


SOURCES = Registry("data set", "latentia.data.sources")
