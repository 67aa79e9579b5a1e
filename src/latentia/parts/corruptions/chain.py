"""Several corruptions, one after another, such as masking on top of Gaussian noise (Vincent et al. 2010, section 3.3)."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts import CORRUPTIONS
from latentia.parts.base import Corruption


@dataclasses.dataclass(frozen=True)
class Chain(Corruption):
    """Applies its steps in order, each with noise of its own; what any of them changed counts as changed.

    Attributes:
        steps: corruptions in their text form, joined by ``+``: ``mask:p=0.3+gaussian:sigma=0.1``.
    """

    steps: str = "gaussian:sigma=0.1+mask:p=0.3"

    def __post_init__(self) -> None:
        self._parts()

    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the corrupted images and the union of the steps' masks."""
        corrupted, changed = pixels, torch.zeros_like(pixels, dtype=torch.bool)
        for place, step in enumerate(self._parts()):
            corrupted, mask = step(corrupted, noise.fork(place))
            changed = changed | mask
        return corrupted, changed

    def _parts(self) -> tuple[Corruption, ...]:
        texts = [text.strip() for text in self.steps.split("+") if text.strip()]
        if any(text.partition(":")[0] == "chain" for text in texts):
            raise UserError(
                f"chain.steps is {self.steps!r}, but a chain cannot hold a chain: name its steps themselves"
            )
        return tuple(CORRUPTIONS.make(text) for text in texts)  # type: ignore[misc]
