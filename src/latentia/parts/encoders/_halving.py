"""What encoders share that halve height and width once for each of their ``widths``."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from latentia.parts.base import Shape, default_widths


class Halving:
    """A mixin for encoders with the field ``widths``; empty widths are chosen by the images' size."""

    widths: tuple[int, ...]

    def for_images(self, image_shape: Shape) -> Self:
        """Return it with the default widths for this shape where none are given."""
        this: Any = self
        return self if self.widths else dataclasses.replace(this, widths=default_widths(image_shape))

    @property
    def multiple(self) -> int:
        """Two to the number of halvings."""
        return int(2 ** len(self.widths))

    def feature_shape(self, image_shape: Shape) -> Shape:
        """Return the last width and the size after all halvings."""
        return self.widths[-1], image_shape[1] // self.multiple, image_shape[2] // self.multiple
