"""From a feature map to so many numbers: shared by the bottlenecks."""

from __future__ import annotations

from torch import nn

from latentia.parts.base import Shape


def code_shape(latent_dim: int, spatial: bool, feature_shape: Shape) -> tuple[int, ...]:
    """Return ``(latent_dim,)``, or ``(latent_dim, h, w)`` for a spatial code."""
    return (latent_dim, *feature_shape[1:]) if spatial else (latent_dim,)


def projection(feature_shape: Shape, outputs: int, spatial: bool, hidden: int) -> nn.Module:
    """Return a module from features ``[B, F, h, w]`` to ``[B, outputs]``, or to ``[B, outputs, h, w]`` if spatial.

    ``hidden`` units stand between for a vector; 0 leaves them out.
    """
    features, height, width = feature_shape
    if spatial:
        return nn.Conv2d(features, outputs, kernel_size=1)
    flat = features * height * width
    if hidden:
        return nn.Sequential(nn.Flatten(), nn.Linear(flat, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
    return nn.Sequential(nn.Flatten(), nn.Linear(flat, outputs))
