"""The autoencoder: encoder + bottleneck + decoder, with the likelihood that reads the decoder and the prior of the codes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentia.core.errors import UserError
from latentia.core.noise import Noise, derive
from latentia.data.imageset import PixelFormat
from latentia.parts import BOTTLENECKS, DECODERS, ENCODERS, LIKELIHOODS, PRIORS
from latentia.parts.base import Bottleneck, Decoder, Encoder, Likelihood, Prior
from latentia.parts.code import Code

_REGISTRIES = {
    "encoder": ENCODERS,
    "bottleneck": BOTTLENECKS,
    "decoder": DECODERS,
    "likelihood": LIKELIHOODS,
    "prior": PRIORS,
}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The parts of an autoencoder; with a pixel format it can be built."""

    encoder: Encoder
    bottleneck: Bottleneck
    decoder: Decoder
    likelihood: Likelihood
    prior: Prior

    def to_json(self) -> dict[str, Any]:
        """Return the parts by kind."""
        return {kind: getattr(self, kind).to_json() for kind in _REGISTRIES}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the architecture that :meth:`to_json` wrote."""
        return cls(**{kind: registry.make(values[kind]) for kind, registry in _REGISTRIES.items()})  # type: ignore[arg-type]

    def for_images(self, pixel_format: PixelFormat) -> Self:
        """Return the architecture with every choice that depends on the images' shape made."""
        shape = pixel_format.shape
        return dataclasses.replace(
            self,
            encoder=self.encoder.for_images(shape),
            bottleneck=self.bottleneck.for_encoder(self.encoder),
            decoder=self.decoder.for_images(shape),
        )

    def build(self, pixel_format: PixelFormat, seed: int = 0) -> Autoencoder:
        """Return the module with weights drawn from ``seed``; the global generator is left as it was.

        Raises:
            UserError: parts that do not fit together.
        """
        resolved = self.for_images(pixel_format)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "initial weights"))
            return Autoencoder(resolved, pixel_format)


class Autoencoder(nn.Module):
    """An autoencoder over images ``[B, C, H, W]``, float32 in [0, 1].

    Args:
        architecture: its parts.
        pixel_format: the images it is made for; other heights and widths are taken where the code is spatial.
    """

    def __init__(self, architecture: Architecture, pixel_format: PixelFormat) -> None:
        super().__init__()
        self.architecture, self.format = architecture, pixel_format
        self.likelihood = architecture.likelihood
        self.multiple = math.lcm(architecture.encoder.multiple, architecture.decoder.multiple)
        channels, height, width = pixel_format.shape
        self.padded = (self._padded(height), self._padded(width))
        padded = (channels, *self.padded)
        self.feature_shape = feature_shape = architecture.encoder.feature_shape(padded)
        self.code_shape = architecture.bottleneck.code_shape(feature_shape)
        output_shape = (self.likelihood.channels(channels), *padded[1:])
        self.encoder = architecture.encoder.build(padded)
        self.bottleneck = architecture.bottleneck.build(feature_shape)
        self.decoder = architecture.decoder.build(self.code_shape, output_shape)
        self.prior = architecture.prior.build(self.code_shape, pixel_format.shape)

    @property
    def latent_dim(self) -> int:
        """The number of values in one code."""
        return math.prod(self.code_shape)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """What maps tensors to tensors and does nearly all arithmetic: encoder and decoder."""
        return self.encoder, self.decoder

    @property
    def sharable(self) -> tuple[nn.Module, ...]:
        """What is only ever called, so that its weights may lie with other processes in between."""
        return self.encoder, self.bottleneck, self.decoder

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstruction of ``images``: same shape, in [0, 1]; deterministic."""
        return self.decode(self.encode(images).z, (images.shape[-2], images.shape[-1]))

    @torch.no_grad()
    def start_at(self, mean: Tensor) -> None:
        """Let an untrained decoder begin at ``mean [C]``, in [0, 1]; a decoder without ``output_bias`` stays as it is."""
        bias = getattr(self.decoder, "output_bias", None)
        if bias is not None:
            parameters = self.likelihood.parameters_at(mean)
            bias.copy_(parameters.repeat_interleave(bias.numel() // len(parameters)))

    def encode(self, images: Tensor, noise: Noise | None = None) -> Code:
        """Return the code of ``images [B, C, H, W]``: its mean, or a sample where ``noise`` is given."""
        return self.code(self.features(images), noise)

    def features(self, images: Tensor) -> Tensor:
        """Return the encoder's features ``[B, F, h, w]`` of ``images [B, C, H, W]``, from which the code is made."""
        self._check(images)
        features: Tensor = self.encoder(self._pad(images))
        return features

    def code(self, features: Tensor, noise: Noise | None = None) -> Code:
        """Return the code of features: its mean, or a sample where ``noise`` is given."""
        if features.dtype == torch.float32:
            return self.bottleneck(features, noise)
        # under autocast: posterior, KL and log-likelihoods are sums that half precision would spoil
        with torch.autocast(features.device.type, enabled=False):
            return self.bottleneck(features.float(), noise)

    def decode(self, z: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Return the images ``[..., B, C, H, W]`` in [0, 1] for codes ``[..., B, *code_shape]``."""
        return self.likelihood.mean(self.decode_parameters(z, size))

    def decode_parameters(self, z: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Return the likelihood's parameters ``[..., B, P, H, W]`` for codes ``[..., B, *code_shape]``."""
        sides = len(self.code_shape)
        lead = z.shape[: z.ndim - sides]
        raw = self.decoder(z.reshape(-1, *z.shape[z.ndim - sides :])).float()
        height, width = size or self.format.shape[1:]
        top, left = (raw.shape[-2] - height) // 2, (raw.shape[-1] - width) // 2
        cropped = raw[..., top : top + height, left : left + width]
        return cropped.reshape(*lead, *cropped.shape[1:])

    def sample(self, count: int, seed: int = 0) -> Tensor:
        """Return ``count`` new images ``[count, C, H, W]`` in [0, 1], decoded from codes drawn from the prior."""
        device = next(self.parameters()).device
        noise = Noise.for_count(seed, count, "sample", device=device)
        return self.decode(self.prior.sample(noise, self))

    def _padded(self, side: int) -> int:
        return -(-side // self.multiple) * self.multiple

    def _pad(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        down, right = self._padded(height) - height, self._padded(width) - width
        if not down and not right:
            return images
        # edges are repeated rather than blackened, so that padding adds no contour of its own
        sides = (right // 2, right - right // 2, down // 2, down - down // 2)
        return F.pad(images, sides, mode="replicate")

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != self.format.channels:
            raise UserError(
                f"the images have the shape {tuple(images.shape)}, but the model takes [B, {self.format.channels}, H, W]"
            )
        if len(self.code_shape) == 1 and images.shape[2:] != self.format.shape[1:]:
            raise UserError(
                f"the images are {images.shape[2]}x{images.shape[3]}, but the model takes "
                f"{self.format.height}x{self.format.width}"
            )
