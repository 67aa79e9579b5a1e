"""The plain autoencoder as a scikit-learn transformer."""

from __future__ import annotations

from latentia.estimators._base import BaseAutoencoder


class ConvAutoencoder(BaseAutoencoder):
    """A convolutional autoencoder (the ``cae`` preset)."""


__all__ = ["ConvAutoencoder"]
