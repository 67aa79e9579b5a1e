"""Several augmentations, one after another; warps that follow one another interpolate once, so that nothing blurs."""

from __future__ import annotations

import dataclasses
from itertools import groupby

from torch import Tensor

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts import AUGMENTATIONS
from latentia.parts.augmentations._warp import Warp, warp
from latentia.parts.base import Augmentation


@dataclasses.dataclass(frozen=True)
class Chain(Augmentation):
    """Applies its steps in order, each with noise of its own; without options: what suits images that have an upside.

    Attributes:
        steps: augmentations in their text form, joined by ``+``: ``shift:reach=0.1+flip``.
    """

    steps: str = "elastic+rotation+shift"

    def __post_init__(self) -> None:
        self._parts()

    def __call__(self, pixels: Tensor, noise: Noise) -> Tensor:
        """Return the augmented images."""
        numbered = [(part, noise.fork(place)) for place, part in enumerate(self._parts())]
        for is_warp, group in groupby(numbered, key=lambda step: isinstance(step[0], Warp)):
            if is_warp:
                pixels = warp(pixels, list(group))  # type: ignore[arg-type]
                continue
            for part, own in group:
                pixels = part(pixels, own)
        return pixels

    def _parts(self) -> tuple[Augmentation, ...]:
        texts = [text.strip() for text in self.steps.split("+") if text.strip()]
        if any(text.partition(":")[0] == "chain" for text in texts):
            raise UserError(
                f"chain.steps is {self.steps!r}, but a chain cannot hold a chain: name its steps themselves"
            )
        return tuple(AUGMENTATIONS.make(text) for text in texts)  # type: ignore[misc]
