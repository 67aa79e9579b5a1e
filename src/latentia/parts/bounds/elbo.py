"""The evidence lower bound: E_q[log p(x | z)] - KL(q(z | x) || p(z)) (Kingma & Welling 2013, eq. 3).

For a deterministic code it is the reconstruction term alone, the plain autoencoder's loss. ``beta`` is Higgins et al. 2017
(eq. 4), ``warmup`` Sonderby et al. 2016, ``free_bits`` Kingma et al. 2016 (eq. 15, each unit by itself, on the batch mean).
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from latentia.core.ranks import whole
from latentia.core.share import ramp
from latentia.parts.base import Bound, View
from latentia.parts.code import Code, per_image


@dataclasses.dataclass(frozen=True)
class Elbo(Bound):
    """Reconstruction plus KL, in nats.

    Attributes:
        beta: the factor of the KL term.
        warmup: the share of training over which that factor rises from 0.
        free_bits: nats of KL that each unit has for free.
    """

    beta: float = 1.0
    warmup: float = 0.0
    free_bits: float = 0.0

    def __post_init__(self) -> None:
        self.require(self.beta >= 0, "beta", "0 or more")
        self.require(0 <= self.warmup <= 1, "warmup", "between 0 and 1")
        self.require(self.free_bits >= 0, "free_bits", "0 or more")

    def __call__(self, view: View) -> tuple[dict[str, Tensor], Code]:
        """Return ``loss``, ``reconstruction`` and, where there is a posterior, ``kl``."""
        model = view.model
        code = model.encode(view.inputs, view.noise)
        parameters = model.decode_parameters(code.z)
        reconstruction = -model.likelihood.per_image(parameters, view.target, view.mask)
        terms = {"loss": view.weight("reconstruction") * reconstruction, "reconstruction": reconstruction}
        if code.posterior is not None:
            kl = model.prior.kl(code.posterior, code.z, model)
            factor = self.beta * ramp(view.progress, self.warmup)
            terms["kl"] = per_image(kl)
            terms["loss"] = terms["loss"] + factor * view.weight("kl") * self._charged(kl)
        return terms, code

    def _charged(self, kl: Tensor) -> Tensor:
        if not self.free_bits:
            return per_image(kl)
        if kl.ndim == 1:
            return kl.clamp_min(self.free_bits)
        # max(mean over the batch, free bits) for each unit; the same for every image of the batch
        return whole(kl).mean(0).clamp_min(self.free_bits).sum().expand(len(kl))
