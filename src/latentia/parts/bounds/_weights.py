"""The importance weights of a batch's images: shared by the bounds that draw several codes."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from latentia.parts.base import View
from latentia.parts.code import Code, DiagonalNormal


@dataclasses.dataclass(frozen=True)
class Weighed:
    """Codes ``z [K, B, *code_shape]``, with log p(x | z) and log p(z) - log q(z | x), each ``[K, B]``, in nats."""

    code: Code
    z: Tensor
    log_likelihood: Tensor
    log_ratio: Tensor

    def log_weights(self, view: View) -> Tensor:
        """Return log w = log p(x, z) - log q(z | x), ``[K, B]``, with the factors of the terms."""
        return view.weight("reconstruction") * self.log_likelihood + view.weight("kl") * self.log_ratio

    def terms(self, loss: Tensor) -> dict[str, Tensor]:
        """Return ``loss`` with the means over the samples of reconstruction and KL, ``[B]`` each."""
        return {"loss": loss, "reconstruction": -self.log_likelihood.mean(0), "kl": -self.log_ratio.mean(0)}


def weigh(view: View, samples: int, *, path_only: bool = False) -> Weighed:
    """Draw ``samples`` codes for each image and weigh them.

    With ``path_only``, log q depends on the encoder through the codes alone: its parameters are held fixed.
    """
    model = view.model
    code = model.encode(view.inputs)
    posterior = code.posterior
    if posterior is None:
        raise TypeError("importance weights need a posterior")  # Objective.check has told the user before
    z = posterior.rsample(view.noise, samples)
    parameters = model.decode_parameters(z)
    log_likelihood = model.likelihood.per_image(parameters, view.target, view.mask)
    held = DiagonalNormal(posterior.mean.detach(), posterior.log_std.detach()) if path_only else posterior
    log_ratio = model.prior.log_prob(z, model) - held.log_prob(z).flatten(2).sum(2)
    return Weighed(Code(z[0], posterior), z, log_likelihood, log_ratio)


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """Return log(1/K sum exp) over the first dimension: ``[K, B]`` to ``[B]``."""
    return torch.logsumexp(log_weights, 0) - math.log(len(log_weights))
