"""Building blocks that encoders and decoders share."""

from __future__ import annotations

from torch import Tensor, nn


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
