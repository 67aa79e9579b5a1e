"""What a bottleneck returns: the code of a batch, with the posterior it was drawn from and its named terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from latentia.core.noise import Noise


@dataclasses.dataclass(frozen=True)
class DiagonalNormal:
    """A normal distribution with independent units; the last ``event`` dimensions belong to one code.

    Attributes:
        mean: ``[..., B, *code_shape]``.
        log_std: the logarithm of the standard deviation, same shape.
    """

    mean: Tensor
    log_std: Tensor

    def rsample(self, noise: Noise, samples: int | None = None) -> Tensor:
        """Return re-parameterised samples, mean + std * eps (Kingma & Welling 2013, eq. 4).

        ``[B, *code_shape]``, or ``[samples, B, *code_shape]`` when ``samples`` is given.
        """
        shape = self.mean.shape[1:]
        if samples is None:
            return self.mean + self.log_std.exp() * noise.normal(*shape).to(self.mean)
        eps = noise.normal(samples, *shape).transpose(0, 1).to(self.mean)
        return self.mean + self.log_std.exp() * eps

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log q(z | x) per unit, in nats, in the shape of ``z``."""
        standardised = (z - self.mean) * (-self.log_std).exp()
        return -0.5 * standardised.square() - self.log_std - 0.5 * math.log(2 * math.pi)

    def kl_to_standard_normal(self) -> Tensor:
        """Return KL(q || N(0, 1)) per unit, in nats (Kingma & Welling 2013, appendix B)."""
        return 0.5 * (self.mean.square() + (2 * self.log_std).exp() - 1.0) - self.log_std


@dataclasses.dataclass(frozen=True)
class Code:
    """The code of a batch.

    Attributes:
        z: ``[B, D]`` or spatial ``[B, C, h, w]``, float32.
        posterior: what ``z`` was drawn from, or ``None`` where the code is deterministic.
        terms: named terms of the loss, each ``[B]`` or ``[B, units]``, in nats or without unit as their maker says.
    """

    z: Tensor
    posterior: DiagonalNormal | None = None
    terms: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)

    def vector(self, pool: bool = False) -> Tensor:
        """Return the code as ``[B, D]``: spatial codes are flattened, or averaged over their positions with ``pool``."""
        if pool and self.z.ndim == 4:
            return self.z.mean(dim=(2, 3))
        return self.z.flatten(1)


def per_image(term: Tensor) -> Tensor:
    """Return a term ``[..., B, units…]`` summed over its units: ``[B]``."""
    return term.flatten(1).sum(1) if term.ndim > 1 else term


def is_finite(values: Mapping[str, Tensor]) -> bool:
    """Return whether every value is finite."""
    return all(bool(torch.isfinite(value).all()) for value in values.values())
