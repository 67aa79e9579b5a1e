"""Walks through the codes: interpolation between images, and traversals of single units."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import BATCH, batches, to_pixels


@dataclasses.dataclass(frozen=True)
class Walk(Printed):
    """Decoded rows of codes.

    Attributes:
        pixels: ``[rows, steps, C, H, W]``, of the model's dtype and range.
        positions: float64 ``[rows, steps]``: 0 to 1 between two images, or the unit's values.
        labels: what each row is.
    """

    pixels: npt.NDArray[Any]
    positions: npt.NDArray[np.float64]
    labels: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.pixels.shape[0]} rows of {self.pixels.shape[1]} images"


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Return the point at ``share`` of the arc between codes ``[B, D]`` (Shoemake 1985); a line where they are parallel."""
    directions = [code / code.norm(dim=1, keepdim=True).clamp_min(1e-12) for code in (first, second)]
    angle = (directions[0] * directions[1]).sum(1, keepdim=True).clamp(-1.0, 1.0).acos()
    line = torch.lerp(first, second, share)
    arc = (((1 - share) * angle).sin() * first + (share * angle).sin() * second) / angle.sin().clamp_min(1e-12)
    return torch.where((angle < 1e-3) | (angle > np.pi - 1e-3), line, arc)


def interpolate(model: Autoencoder, first: ImageSet, second: ImageSet, *, steps: int = 9) -> Walk:
    """Return the images between each of ``first`` and its partner of ``second``, both ends included.

    Codes with a standard normal prior lie near a sphere, so the way between them is an arc (White 2016); else it is a line.

    Raises:
        UserError: fewer than 2 steps, unequal numbers of images, or images that do not fit the model.
    """
    if steps < 2:
        raise UserError(f"steps is {steps}, but an interpolation needs at least its 2 ends")
    if len(first) != len(second):
        raise UserError(f"there are {len(first)} images to start from and {len(second)} to go to: give as many of both")
    architecture = model.architecture
    round_way = architecture.bottleneck.stochastic and architecture.prior.name == "standard-normal"
    starts, ends = _codes(model, first), _codes(model, second)
    shares = np.linspace(0.0, 1.0, steps)
    between = slerp if round_way else torch.lerp
    rows = torch.stack([between(starts, ends, float(share)) for share in shares], dim=1)
    labels = tuple(f"{start} to {end}" for start, end in zip(first.names, second.names, strict=True))
    return Walk(_decoded(model, rows), np.tile(shares, (len(first), 1)), labels)


def traverse(
    model: Autoencoder,
    images: ImageSet,
    *,
    units: Sequence[int] | None = None,
    rows: int = 10,
    steps: int = 9,
    span: float = 2.5,
) -> Walk:
    """Return what each of some units does: the first image's code with that unit moved, all others held.

    Args:
        model: an autoencoder with a vector code.
        images: the first is decoded; mean and spread of each unit are taken over all, so give some hundreds.
        units: which; those ``rows`` with the largest spread where ``None``.
        rows: how many, where ``units`` is ``None``.
        steps: images in a row.
        span: how far a unit moves to either side of its mean, in standard deviations.

    Raises:
        UserError: a spatial code, a unit that does not exist, fewer than 2 steps, or images that do not fit the model.
    """
    if len(model.code_shape) != 1:
        raise UserError(
            f"the code is spatial ({'x'.join(map(str, model.code_shape))}), and no unit of it speaks for the image: "
            "traverse a model with a vector code"
        )
    if steps < 2:
        raise UserError(f"steps is {steps}, but a traversal needs at least 2")
    codes = _codes(model, images)
    mean, deviation = codes.mean(0), codes.std(0, correction=0)
    chosen = [int(unit) for unit in (units if units is not None else deviation.argsort(descending=True)[:rows])]
    wrong = [unit for unit in chosen if not 0 <= unit < model.latent_dim]
    if wrong:
        raise UserError(f"there is no unit {wrong[0]}: the code's units are 0 to {model.latent_dim - 1}")
    moved = torch.linspace(-span, span, steps, device=codes.device)
    walk = codes[0].repeat(len(chosen), steps, 1)
    positions = torch.stack([mean[unit] + moved * deviation[unit] for unit in chosen])
    for row, unit in enumerate(chosen):
        walk[row, :, unit] = positions[row]
    labels = tuple(f"unit {unit}" for unit in chosen)
    return Walk(_decoded(model, walk), positions.double().cpu().numpy(), labels)


def _codes(model: Autoencoder, images: ImageSet) -> Tensor:
    """Return the deterministic codes of ``images``, ``[N, D]``."""
    with evaluating(model):
        return torch.cat([model.encode(batch.pixels).vector() for batch in batches(model, images)])


def _decoded(model: Autoencoder, codes: Tensor) -> npt.NDArray[Any]:
    """Return the pixels ``[rows, steps, C, H, W]`` of codes ``[rows, steps, D]``."""
    flat = codes.reshape(-1, *model.code_shape)
    with evaluating(model):
        parts = [
            to_pixels(model.decode(model.bottleneck.nearest(flat[start : start + BATCH])), model.format)
            for start in range(0, len(flat), BATCH)
        ]
    pixels = np.concatenate(parts)
    return pixels.reshape(*codes.shape[:2], *pixels.shape[1:])
