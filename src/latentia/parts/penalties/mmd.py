"""Maximum mean discrepancy between codes and prior (WAE-MMD: Tolstikhin et al. 2018, algorithm 2).

The unbiased U-statistic with inverse multiquadratic kernels C / (C + ||a - b||^2), C = 2 D s for the scales s of the
authors' code; a batch-level term, so its value depends on the batch size.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from latentia.core.ranks import whole
from latentia.parts.base import Penalty, View
from latentia.parts.code import Code

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclasses.dataclass(frozen=True)
class Mmd(Penalty):
    """The squared discrepancy between a batch of codes and as many draws from the prior."""

    matches_prior = True

    def __call__(self, view: View, code: Code) -> Tensor:
        """Return one value for the batch, ``[]``; 0 for a single image."""
        units = code.vector()
        drawn = whole(view.model.prior.sample(view.noise.fork("mmd"), view.model).flatten(1).to(units))
        codes = whole(units)
        count, length = codes.shape
        if count < 2:
            return (codes.sum() + drawn.sum()) * 0.0
        own = _kernel(codes, codes, length) + _kernel(drawn, drawn, length)
        apart = 1.0 - torch.eye(count, device=codes.device)
        within = (own * apart).sum() / (count * (count - 1))
        return within - 2.0 * _kernel(codes, drawn, length).mean()


def _kernel(first: Tensor, second: Tensor, units: int) -> Tensor:
    squared = (first.unsqueeze(1) - second.unsqueeze(0)).square().sum(2)
    total = torch.zeros_like(squared)
    for scale in SCALES:
        width = 2.0 * units * scale
        total = total + width / (width + squared)
    return total
