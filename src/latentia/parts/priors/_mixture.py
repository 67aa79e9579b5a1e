"""The log density of a mixture of diagonal normals: shared by the priors that are one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from latentia.core.noise import Noise


def mixture_log_prob(z: Tensor, mean: Tensor, log_std: Tensor, log_weights: Tensor) -> Tensor:
    """Return log sum_k w_k N(z; mean_k, std_k), in nats, ``[...]`` for ``z [..., D]``.

    Args:
        z: codes, flattened.
        mean: ``[K, D]``.
        log_std: ``[K, D]``.
        log_weights: ``[K]``, normalised.
    """
    standardised = (z.unsqueeze(-2) - mean) * (-log_std).exp()
    constant = log_weights - log_std.sum(-1) - 0.5 * mean.shape[-1] * math.log(2 * math.pi)
    return torch.logsumexp(constant - 0.5 * standardised.square().sum(-1), dim=-1)


def mixture_sample(noise: Noise, mean: Tensor, log_std: Tensor, log_weights: Tensor) -> Tensor:
    """Return one code for each id of ``noise``, ``[B, D]``: a component by its weight, then a point of it."""
    edges = log_weights.exp().cumsum(0)
    chosen = torch.searchsorted(edges, noise.uniform().to(edges)).clamp_max(len(mean) - 1)
    return mean[chosen] + log_std[chosen].exp() * noise.normal(mean.shape[1]).to(mean)
