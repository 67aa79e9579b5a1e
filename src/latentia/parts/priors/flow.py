"""A normalising flow as the prior (Rezende & Mohamed 2015; in coupling layers, Dinh et al. 2017, eq. 7 and 8).

Coupling makes density and sampling equally fast. ``spline`` replaces the affine maps by rational-quadratic splines (Durkan
et al. 2019), which are the identity outside [-5, 5]. Through zuko.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Literal

from torch import Tensor

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.parts.base import Prior, PriorModule, Shape


@dataclasses.dataclass(frozen=True)
class Flow(Prior):
    """A standard normal carried through coupling layers, trained with the rest.

    Attributes:
        transforms: the number of coupling layers; every other one moves the other half of the units.
        hidden: the units of the two hidden layers of each.
        coupling: ``affine`` or ``spline``.
        bins: pieces of a spline.
    """

    transforms: int = 4
    hidden: int = 128
    coupling: Literal["affine", "spline"] = "affine"
    bins: int = 8

    def __post_init__(self) -> None:
        self.require(self.transforms >= 2, "transforms", "at least 2, so that every unit is moved")
        self.require(self.hidden >= 1, "hidden", "at least 1")
        self.require(self.bins >= 2, "bins", "at least 2")

    def build(self, code_shape: tuple[int, ...], image_shape: Shape) -> PriorModule:
        """Return the module.

        Raises:
            UserError: zuko is not installed, or a code of one unit, which has no halves.
        """
        units = math.prod(code_shape)
        if units < 2:
            raise UserError("the prior 'flow' couples units with one another, but latent_dim is 1: choose at least 2")
        return _Flow(self, code_shape, units)


class _Flow(PriorModule):
    def __init__(self, spec: Flow, code_shape: tuple[int, ...], units: int) -> None:
        super().__init__()
        self.code_shape = code_shape
        zuko = _library()
        spline = {}
        if spec.coupling == "spline":
            shapes = [(spec.bins,), (spec.bins,), (spec.bins - 1,)]
            univariate = functools.partial(zuko.transforms.MonotonicRQSTransform, slope=1e-3)
            spline = {"univariate": univariate, "shapes": shapes}
        self.flow = zuko.flows.NICE(units, transforms=spec.transforms, hidden_features=(spec.hidden,) * 2, **spline)

    def log_prob(self, z: Tensor, model: object) -> Tensor:
        return self.flow().log_prob(z.flatten(-len(self.code_shape)))

    def sample(self, noise: Noise, model: object) -> Tensor:
        units = math.prod(self.code_shape)
        return self.flow().transform.inv(noise.normal(units)).view(-1, *self.code_shape)


def _library() -> Any:
    try:
        import zuko
    except ImportError:
        raise UserError(
            "the prior 'flow' needs the package zuko, which is not installed: pip install \"latentia[flows]\""
        ) from None
    return zuko
