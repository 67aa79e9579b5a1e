"""What decoders share that double height and width once for each of their ``widths``."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from latentia.parts.base import Shape, default_widths


class Doubling:
    """A mixin for decoders with the field ``widths``; empty widths are chosen by the images' size."""

    widths: tuple[int, ...]

    def for_images(self, image_shape: Shape) -> Self:
        """Return it with the default widths for this shape where none are given."""
        this: Any = self
        return self if self.widths else dataclasses.replace(this, widths=default_widths(image_shape))

    @property
    def multiple(self) -> int:
        """Two to the number of doublings."""
        return int(2 ** len(self.widths))
