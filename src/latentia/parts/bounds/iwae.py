"""The importance-weighted bound: E[log 1/K sum_k p(x, z_k) / q(z_k | x)] (Burda et al. 2016, eq. 8)."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.parts.base import Bound, View
from latentia.parts.bounds._weights import log_mean_exp, weigh
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class Iwae(Bound):
    """A bound that tightens with the number of samples; with one it is the ELBO, its KL estimated from that sample.

    Attributes:
        samples: K, the codes drawn for each image; the decoder's cost grows with it.
    """

    needs_posterior = True

    samples: int = 5

    def __post_init__(self) -> None:
        self.require(self.samples >= 1, "samples", "at least 1")

    def __call__(self, view: View) -> tuple[dict[str, Tensor], Code]:
        """Return ``loss`` (minus the bound), ``reconstruction`` and ``kl`` (means over the samples)."""
        weighed = weigh(view, self.samples)
        return weighed.terms(-log_mean_exp(weighed.log_weights(view))), weighed.code
