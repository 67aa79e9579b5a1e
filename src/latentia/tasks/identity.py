"""The identity score: how much of what does not belong to the images a network copies through.

An over-complete autoencoder can lower its error to nothing by learning the identity (Vincent et al. 2008, section 1), which
says nothing about the images. Two inputs a and b are shown that differ by something that is not of the data's kind, and the
change of the output is held against the change of the input:

    score = 1 - sum ||(f(b) - f(a)) - (b - a)||^2 / sum ||b - a||^2

summed over images and pixels in [0, 1]. It is at most 1. The identity (and the identity plus any constant image) has exactly
1, a constant output (the mean image) exactly 0, and so has a network that takes the disturbance out whole. An orthogonal
projection to k of D dimensions has k / D on white noise: the score of a smooth network counts the share of directions that it
copies, as the degrees of freedom of a smoother do (Efron 2004). Below 0 the output changes in other ways than the input, as it
does where a network fills in what it takes for lost; read it as 0.

Two probes, drawn from the images themselves, in their range (so that outputs that end at 0 and 1 can follow):

    noise      a: an image; b: the same with half of its pixels replaced by uniform noise
    foreign    a, b: one image with its pixels shuffled in two ways: same histogram, no picture

Their mean is the score; the parts are there to see why. Healthy is below 0.5 for every preset; above 0.7 a network has learned
to copy, and a smaller code or a corruption helps. Measured on digits (test split):

    cae 0.02, vae 0.06, denoising-cae 0.02, denoising-vae 0.05, mae -0.03 (60 epochs, one seed, before decision 5)
    over-complete code, 8 numbers a pixel (recipes/identity.py, three seeds): cae 0.88 +- 0.01, dae 0.33 +- 0.02

The identity is learned late: early in training, and where the images are mostly one colour, an over-complete ``cae`` still has
a low score (MNIST, 2 numbers a pixel, 6 epochs of 10,000 images: cae 0.23, dae -0.30). The score tells what a network does
by now, and compares networks on the same images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.core.notebook import Printed
from latentia.data.batches import Batches
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import BATCH, check_fit, format_for

HEALTHY, COPYING = 0.5, 0.7
REPLACED = 0.5  # the share of pixels that the noise probe replaces
MOST = 2000  # images: the error of the score is then far below what matters


@dataclasses.dataclass(frozen=True)
class IdentityScore(Printed):
    """What a network copies of what it should not.

    Attributes:
        noise, foreign: the score on each probe, at most 1.
        count: how many images the probes were made from.
    """

    noise: float
    foreign: float
    count: int

    @property
    def score(self) -> float:
        """The mean of both probes."""
        return (self.noise + self.foreign) / 2

    @property
    def verdict(self) -> str:
        """``healthy``, ``copies`` or, between both, ``copies in part``."""
        return "healthy" if self.score < HEALTHY else "copies" if self.score > COPYING else "copies in part"

    def to_json(self) -> dict[str, Any]:
        """Return the score, its parts and the verdict."""
        return {**dataclasses.asdict(self), "score": self.score, "verdict": self.verdict}

    def __str__(self) -> str:
        return f"identity score {self.score:.3f} (noise {self.noise:.3f}, foreign images {self.foreign:.3f}): {self.verdict}"


def identity_score(model: Autoencoder, images: ImageSet, *, seed: int = 0) -> IdentityScore:
    """Return how far ``model`` copies noise and foreign images made from ``images``; at most 2,000 of them are used.

    Raises:
        UserError: fewer than two images, or model and images do not fit each other.
    """
    check_fit(model, images)
    if len(images) < 2:
        raise UserError("the identity score compares images, but there is only one: give two or more")
    chosen = images.select(np.linspace(0, len(images) - 1, min(len(images), MOST)).astype(np.int64))
    device = next(model.parameters()).device
    with evaluating(model):
        batches = Batches(chosen, format_for(model, chosen), BATCH, device)
        return score_of(model, [(batch.pixels, batch.ids) for batch in batches], seed)


def score_of(
    function: Callable[[Tensor], Tensor] | nn.Module, batches: list[tuple[Tensor, Tensor]], seed: int = 0
) -> Any:
    """Return the :class:`IdentityScore` of any function of images, from ``(pixels [B, C, H, W], ids [B])``."""
    missed = {"noise": 0.0, "foreign": 0.0}
    moved = dict(missed)
    for pixels, ids in batches:
        for probe, (first, second) in probes(pixels, Noise(seed, ids, "identity")).items():
            change = (second - first).double()
            missed[probe] += float((function(second).double() - function(first).double() - change).square().sum())
            moved[probe] += float(change.square().sum())
    parts = {probe: 1.0 - missed[probe] / moved[probe] if moved[probe] else 0.0 for probe in missed}
    return IdentityScore(**parts, count=sum(len(pixels) for pixels, _ in batches))


def probes(pixels: Tensor, noise: Noise) -> dict[str, tuple[Tensor, Tensor]]:
    """Return ``{probe: (a, b)}`` for images ``[B, C, H, W]`` in [0, 1]."""
    shape = pixels.shape[1:]
    replaced = noise.fork("where").uniform(*shape) < REPLACED
    spoilt = torch.where(replaced, noise.fork("values").uniform(*shape), pixels)
    shuffled = [_shuffled(pixels, noise.fork(f"order {which}")) for which in "ab"]
    return {"noise": (pixels, spoilt), "foreign": (shuffled[0], shuffled[1])}


def _shuffled(pixels: Tensor, noise: Noise) -> Tensor:
    """Return each image with its positions in an order of its own; channels stay together."""
    flat = pixels.flatten(2)
    order = noise.uniform(flat.shape[2]).argsort(dim=1)
    return flat.gather(2, order.unsqueeze(1).expand_as(flat)).view_as(pixels)
