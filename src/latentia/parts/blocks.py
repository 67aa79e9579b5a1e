"""Building blocks that encoders and decoders share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentia.core.ranks import is_shared, own, shared_images


class ResidualBlock(nn.Module):
    """x + conv1x1(act(conv3x3(act(x)))) over ``[B, channels, h, w]``; the last layer begins at zero, so x passes at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.project = nn.Conv2d(channels, channels, kernel_size=1)
        nn.init.zeros_(self.project.weight)
        if self.project.bias is not None:
            nn.init.zeros_(self.project.bias)
        self.activation = nn.SiLU()

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, changed."""
        changed: Tensor = self.project(self.activation(self.mix(self.activation(features))))
        return features + changed


class Dropout(nn.Dropout):
    """Dropout that turns off the same features however many processes share a batch.

    Each draws for the whole batch and takes its own rows.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, some of them zero while training."""
        if not (self.training and self.p and is_shared()):
            return super().forward(features)
        kept = torch.empty(shared_images(), *features.shape[1:], dtype=features.dtype, device=features.device)
        return features * own(kept.bernoulli_(1 - self.p).div_(1 - self.p))
