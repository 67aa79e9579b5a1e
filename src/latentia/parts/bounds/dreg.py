"""Doubly re-parameterised gradients of the importance-weighted bound (Tucker et al. 2019, eq. 8; "DReG-IWAE").

The value is that of ``iwae``; only the encoder's gradient is another estimate of the same expectation, whose
signal-to-noise ratio does not fall as the number of samples grows (Rainforth et al. 2018).
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.parts.base import Bound, View
from latentia.parts.bounds._weights import log_mean_exp, weigh
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class Dreg(Bound):
    """The importance-weighted bound with the encoder's gradient weighed by the squared normalised weights.

    Attributes:
        samples: K, the codes drawn for each image.
    """

    needs_posterior = True

    samples: int = 5

    def __post_init__(self) -> None:
        self.require(self.samples >= 1, "samples", "at least 1")

    def __call__(self, view: View) -> tuple[dict[str, Tensor], Code]:
        """Return ``loss`` (minus the bound), ``reconstruction`` and ``kl`` (means over the samples)."""
        weighed = weigh(view, self.samples, path_only=True)
        log_weights = weighed.log_weights(view)
        normalised = log_weights.detach().softmax(0)
        if weighed.z.requires_grad:
            # decoder and prior get the weights once, through the surrogate; what goes on to the encoder gets them twice
            factor = normalised.view(*normalised.shape, *[1] * (weighed.z.ndim - 2))
            weighed.z.register_hook(lambda gradient: gradient * factor)  # type: ignore[no-untyped-call]
        surrogate = -(normalised * log_weights).sum(0)
        loss = surrogate + (-log_mean_exp(log_weights) - surrogate).detach()
        return weighed.terms(loss), weighed.code
