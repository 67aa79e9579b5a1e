"""Contractive penalty: the squared Frobenius norm of the encoder's Jacobian (Rifai et al. 2011, eq. 6 and 7).

Deviation: Rifai et al. have a closed form for one sigmoid layer; here any encoder is allowed, its norm estimated without
bias from random projections, E||v^T J||^2 for v ~ N(0, 1) (Hutchinson 1990), or exact at one backward pass for each unit.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor

from latentia.parts.base import Penalty, View
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class Contractive(Penalty):
    """How strongly the code follows small changes of the image.

    Attributes:
        probes: random projections for each image; 0 computes the norm exactly.
    """

    second_order: ClassVar[bool] = True
    probes: int = 1

    def __post_init__(self) -> None:
        self.require(self.probes >= 0, "probes", "0 or more")

    def __call__(self, view: View, code: Code) -> Tensor:
        """Return the squared norm for each image: ``[B]``."""
        training = torch.is_grad_enabled()
        with torch.inference_mode(False), torch.enable_grad():  # the Jacobian is wanted while evaluating, too
            inputs = view.inputs.detach().clone().requires_grad_()
            units = view.model.encode(inputs).vector()
            directions = self._directions(view, units)
            total = torch.zeros(len(inputs), device=inputs.device)
            for direction in directions:
                (gradient,) = torch.autograd.grad(
                    (units * direction).sum(), inputs, create_graph=training, retain_graph=True
                )
                total = total + gradient.flatten(1).square().sum(1)
        return total / (self.probes or 1)

    def _directions(self, view: View, units: Tensor) -> Tensor:
        """Return the vectors ``v``, ``[probes, B, D]``, or the unit vectors ``[D, 1, D]`` for the exact norm."""
        if not self.probes:
            return torch.eye(units.shape[1], device=units.device, dtype=units.dtype).unsqueeze(1)
        drawn = view.noise.fork("contractive").normal(self.probes, units.shape[1])
        return drawn.clone().transpose(0, 1).to(units.dtype)
