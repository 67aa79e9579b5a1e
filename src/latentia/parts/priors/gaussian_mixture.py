"""A mixture of normals as the prior, all of it learned (Dilokthanakul et al. 2016; Tomczak & Welling 2018, section 3).

Deviation from the first: no inference network for the component; its posterior follows from Bayes' rule.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from latentia.core.noise import Noise
from latentia.parts.base import Prior, PriorModule, Shape
from latentia.parts.priors._mixture import mixture_log_prob, mixture_sample


@dataclasses.dataclass(frozen=True)
class GaussianMixture(Prior):
    """K diagonal normal components, trained with the rest.

    Attributes:
        components: K.
    """

    components: int = 10

    def __post_init__(self) -> None:
        self.require(self.components >= 1, "components", "at least 1")

    def build(self, code_shape: tuple[int, ...], image_shape: Shape) -> PriorModule:
        """Return the module."""
        return _GaussianMixture(self.components, code_shape)


class _GaussianMixture(PriorModule):
    def __init__(self, components: int, code_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.code_shape = code_shape
        units = torch.Size(code_shape).numel()
        # means apart from the start: equal components would have equal gradients for ever
        self.mean = nn.Parameter(torch.randn(components, units))
        self.log_std = nn.Parameter(torch.zeros(components, units))
        self.logits = nn.Parameter(torch.zeros(components))

    def log_prob(self, z: Tensor, model: object) -> Tensor:
        flat = z.flatten(-len(self.code_shape))
        return mixture_log_prob(flat, self.mean, self.log_std, self.logits.log_softmax(0))

    def sample(self, noise: Noise, model: object) -> Tensor:
        drawn = mixture_sample(noise, self.mean, self.log_std, self.logits.log_softmax(0))
        return drawn.view(-1, *self.code_shape)
