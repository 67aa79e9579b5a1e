"""From a code back to a feature map: shared by the decoders."""

from __future__ import annotations

from torch import nn

from latentia.core.errors import UserError
from latentia.parts.base import Shape


def unprojection(code_shape: tuple[int, ...], feature_shape: Shape, hidden: int) -> nn.Module:
    """Return a module from codes, ``[B, D]`` or ``[B, C, h, w]``, to features ``[B, *feature_shape]``.

    ``hidden`` units stand between for a vector; 0 leaves them out.

    Raises:
        UserError: a spatial code of another height or width than the features.
    """
    if len(code_shape) == 3:
        if code_shape[1:] != feature_shape[1:]:
            raise UserError(
                f"the decoder starts from {feature_shape[1]}x{feature_shape[2]} positions, but the spatial code has "
                f"{code_shape[1]}x{code_shape[2]}: give encoder and decoder the same number of halvings"
            )
        return nn.Conv2d(code_shape[0], feature_shape[0], kernel_size=1)
    flat = feature_shape[0] * feature_shape[1] * feature_shape[2]
    layers: list[nn.Module] = []
    if hidden:
        layers += [nn.Linear(code_shape[0], hidden), nn.SiLU()]
    layers += [nn.Linear(hidden or code_shape[0], flat), nn.Unflatten(1, feature_shape)]
    return nn.Sequential(*layers)
