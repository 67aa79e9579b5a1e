"""VampPrior: the mixture of the posteriors of learned pseudo-inputs (Tomczak & Welling 2018, eq. 9).

Deviation: pseudo-inputs are kept in [0, 1] by a sigmoid rather than by a hard cut, whose gradient would vanish.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts.base import Prior, PriorModule, Shape
from latentia.parts.priors._mixture import mixture_log_prob, mixture_sample

if TYPE_CHECKING:
    from latentia.model import Autoencoder


@dataclasses.dataclass(frozen=True)
class Vamp(Prior):
    """p(z) = 1/K sum_k q(z | u_k); every use sends all pseudo-inputs through the encoder.

    Attributes:
        components: K, the number of pseudo-inputs; the paper has 500.
    """

    components: int = 100

    def __post_init__(self) -> None:
        self.require(self.components >= 1, "components", "at least 1")

    def build(self, code_shape: tuple[int, ...], image_shape: Shape) -> PriorModule:
        """Return the module."""
        return _Vamp(self.components, code_shape, image_shape)


class _Vamp(PriorModule):
    def __init__(self, components: int, code_shape: tuple[int, ...], image_shape: Shape) -> None:
        super().__init__()
        self.code_shape = code_shape
        self.raw = nn.Parameter(torch.randn(components, *image_shape))

    def log_prob(self, z: Tensor, model: Autoencoder) -> Tensor:
        return mixture_log_prob(z.flatten(-len(self.code_shape)), *self._components(model))

    def sample(self, noise: Noise, model: Autoencoder) -> Tensor:
        return mixture_sample(noise, *self._components(model)).view(-1, *self.code_shape)

    def _components(self, model: Autoencoder) -> tuple[Tensor, Tensor, Tensor]:
        posterior = model.encode(torch.sigmoid(self.raw)).posterior
        if posterior is None:
            raise UserError(
                "the prior 'vamp' is made of posteriors, but the bottleneck has none: choose --bottleneck gaussian"
            )
        count = len(self.raw)
        log_weights = torch.full((count,), -math.log(count), device=self.raw.device)
        return posterior.mean.flatten(1), posterior.log_std.flatten(1), log_weights
