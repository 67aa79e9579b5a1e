"""What an ONNX file holds, as modules of one tensor in and one tensor out."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from latentia.classifier import Classifier
from latentia.model import Autoencoder

PARTS = ("whole", "encoder", "decoder")
NAMES = {
    "whole": ("images", "reconstructions"),
    "encoder": ("images", "codes"),
    "decoder": ("codes", "images"),
    "classifier": ("images", "probabilities"),
}


class Whole(nn.Module):
    """Images to their reconstructions."""

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return ``[B, C, H, W]`` in [0, 1]."""
        reconstructions: Tensor = self.model(images)
        return reconstructions


class EncoderAlone(Whole):
    """Images to their codes, deterministic."""

    def forward(self, images: Tensor) -> Tensor:
        """Return ``[B, *code_shape]``."""
        return self.model.encode(images).z


class DecoderAlone(Whole):
    """Codes to images; ``any_size`` lets the images' size follow the codes'."""

    def __init__(self, model: Autoencoder, any_size: bool) -> None:
        super().__init__(model)
        self.any_size = any_size

    def forward(self, codes: Tensor) -> Tensor:
        """Return ``[B, C, H, W]`` in [0, 1]."""
        if not self.any_size:
            return self.model.decode(codes)
        down, right = (side // cells for side, cells in zip(self.model.padded, self.model.code_shape[1:], strict=True))
        return self.model.decode(codes, (codes.shape[-2] * down, codes.shape[-1] * right))


class Probabilities(nn.Module):
    """Images to calibrated probabilities of classes."""

    def __init__(self, model: Classifier, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, images: Tensor) -> Tensor:
        """Return ``[B, K]``, summing to 1."""
        logits: Tensor = self.model(images)
        return (logits / self.temperature).softmax(dim=1)


def module_of(model: Autoencoder | Classifier, part: str, any_size: bool, temperature: float) -> nn.Module:
    """Return the module for ``part``, in evaluation mode."""
    if isinstance(model, Classifier):
        return Probabilities(model, temperature).eval()
    if part == "decoder":
        return DecoderAlone(model, any_size).eval()
    return (EncoderAlone if part == "encoder" else Whole)(model).eval()


def inputs_of(model: Autoencoder | Classifier, part: str, pixels: Tensor) -> Tensor:
    """Return what ``part`` takes for images ``[B, C, H, W]``: themselves, or their codes."""
    if part == "decoder" and isinstance(model, Autoencoder):
        return model.encode(pixels).z
    return pixels


def whole_multiples(pixels: Tensor, multiple: int) -> Tensor:
    """Return images brought to multiples of ``multiple``, edges repeated, at least two of them a side."""
    height, width = (max(-(-side // multiple), 2) * multiple for side in pixels.shape[-2:])
    return F.pad(pixels, (0, width - pixels.shape[-1], 0, height - pixels.shape[-2]), mode="replicate")
