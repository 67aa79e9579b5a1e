"""The contracts of the parts. A part is a frozen dataclass: its fields are its config, its options and its JSON."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from latentia.core.noise import Noise
from latentia.core.share import Share
from latentia.core.spec import Part
from latentia.parts.code import Code, DiagonalNormal

if TYPE_CHECKING:
    from latentia.model import Autoencoder

Shape = tuple[int, int, int]

LARGEST_MAP = 8  # default networks halve height and width until the larger is at most this, and at least twice


def default_widths(image_shape: Shape) -> tuple[int, ...]:
    """Return the channels after each halving for images of this shape: 16, then 64, then 128 wherever there are more.

    The first layer works at half the resolution and is the dearest; it stays thin.
    """
    halvings = max(2, math.ceil(math.log2(max(image_shape[1:]) / LARGEST_MAP)))
    return (16, 64, *[128] * halvings)[:halvings]


@dataclasses.dataclass(frozen=True)
class Encoder(Part, abc.ABC):
    """Builds a module from images ``[B, C, H, W]`` in [0, 1] to features ``[B, F, h, w]``."""

    kind: ClassVar[str] = "encoder"
    dense_units: ClassVar[int] = 512  # of the dense layer between its features and a vector code

    def for_images(self, image_shape: Shape) -> Self:
        """Return the encoder with every choice that depends on the images' shape made."""
        return self

    @property
    @abc.abstractmethod
    def multiple(self) -> int:
        """Height and width handed to the module are multiples of this; the model pads and crops."""

    @abc.abstractmethod
    def feature_shape(self, image_shape: Shape) -> Shape:
        """Return ``(F, h, w)`` for padded images of ``image_shape``."""

    @abc.abstractmethod
    def build(self, image_shape: Shape) -> nn.Module:
        """Return the module."""


@dataclasses.dataclass(frozen=True)
class Decoder(Part, abc.ABC):
    """Builds a module from codes, ``[B, D]`` or ``[B, C, h, w]``, to a likelihood's parameters ``[B, P, H, W]``."""

    kind: ClassVar[str] = "decoder"

    def for_images(self, image_shape: Shape) -> Self:
        """Return the decoder with every choice that depends on the images' shape made."""
        return self

    @property
    @abc.abstractmethod
    def multiple(self) -> int:
        """Height and width that come out are multiples of this."""

    @abc.abstractmethod
    def build(self, code_shape: tuple[int, ...], output_shape: Shape) -> nn.Module:
        """Return the module. Raises UserError when a spatial code does not fit the output.

        Where the module has ``output_bias``, the bias ``[P]`` or ``[P * H * W]`` of its last layer, training begins it so that
        the outputs are at the images' mean.
        """


@dataclasses.dataclass(frozen=True)
class Bottleneck(Part, abc.ABC):
    """Builds a module from features ``[B, F, h, w]`` to a :class:`Code`."""

    kind: ClassVar[str] = "bottleneck"

    def for_encoder(self, encoder: Encoder) -> Self:
        """Return the bottleneck with ``hidden``, where it has one and leaves it open, as the encoder likes it."""
        fields = self.fields()
        if "hidden" in fields and fields["hidden"] is None:
            return type(self).from_fields({**fields, "hidden": encoder.dense_units}, owner=self.name)
        return self

    stochastic: ClassVar[bool] = False  # whether its code has a posterior
    term_names: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def code_shape(self, feature_shape: Shape) -> tuple[int, ...]:
        """Return ``(D,)`` or ``(C, h, w)``."""

    @abc.abstractmethod
    def build(self, feature_shape: Shape) -> BottleneckModule:
        """Return the module."""


class BottleneckModule(nn.Module, abc.ABC):
    """The module of a bottleneck."""

    @abc.abstractmethod
    def forward(self, features: Tensor, noise: Noise | None = None) -> Code:
        """Return the code of ``features``: sampled where there is a posterior and ``noise`` is given, else its mean."""

    def nearest(self, z: Tensor) -> Tensor:
        """Return the valid code nearest to each of ``z [B, *code_shape]``; where codes are not discrete, ``z`` itself."""
        return z


@dataclasses.dataclass(frozen=True)
class Prior(Part, abc.ABC):
    """Builds a density over codes."""

    kind: ClassVar[str] = "prior"

    @abc.abstractmethod
    def build(self, code_shape: tuple[int, ...], image_shape: Shape) -> PriorModule:
        """Return the module; ``image_shape`` is for priors that hold pseudo-inputs."""


class PriorModule(nn.Module, abc.ABC):
    """The module of a prior."""

    @abc.abstractmethod
    def log_prob(self, z: Tensor, model: Autoencoder) -> Tensor:
        """Return log p(z), in nats, ``[..., B]`` for ``z`` of ``[..., B, *code_shape]``."""

    @abc.abstractmethod
    def sample(self, noise: Noise, model: Autoencoder) -> Tensor:
        """Return one code for each id of ``noise``: ``[B, *code_shape]``."""

    def kl(self, posterior: DiagonalNormal, z: Tensor, model: Autoencoder) -> Tensor:
        """Return KL(q || p): analytic per unit ``[B, *code_shape]`` where it can be, else its one-sample estimate ``[B]``."""
        return posterior.log_prob(z).flatten(1).sum(1) - self.log_prob(z, model)


@dataclasses.dataclass(frozen=True)
class Corruption(Part, abc.ABC):
    """Turns clean images into corrupted ones; keeps shape and dtype, and does not rescale."""

    kind: ClassVar[str] = "corruption"

    @abc.abstractmethod
    def __call__(self, pixels: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return the corrupted images ``[B, C, H, W]`` and the bool mask of what was changed, same shape.

        ``pixels`` itself is not changed, and equal noise gives equal results.
        """


@dataclasses.dataclass(frozen=True)
class Augmentation(Part, abc.ABC):
    """Another picture of the same thing: what is shown changes, what it is does not; used in fine-tuning."""

    kind: ClassVar[str] = "augmentation"

    @abc.abstractmethod
    def __call__(self, pixels: Tensor, noise: Noise) -> Tensor:
        """Return images of the shape, dtype and range of ``pixels [B, C, H, W]``; each depends on its own id alone."""


@dataclasses.dataclass(frozen=True)
class Likelihood(Part, abc.ABC):
    """log p(x | z): what the decoder's parameters say about pixels in [0, 1]."""

    kind: ClassVar[str] = "likelihood"

    def channels(self, image_channels: int) -> int:
        """Return how many channels the decoder must give."""
        return image_channels

    def observe(self, pixels: Tensor, noise: Noise) -> Tensor:
        """Return the images the model is to see and explain: ``pixels`` as they are, unless the likelihood draws them."""
        return pixels

    @abc.abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """Return E[x | z] in [0, 1], ``[..., B, C, H, W]``."""

    def parameters_at(self, mean: Tensor) -> Tensor:
        """Return parameters ``[P]`` whose mean is about ``mean [C]``, for a decoder to begin with; others are zero."""
        raw = torch.logit(mean, eps=0.01)
        return torch.cat([raw, raw.new_zeros(self.channels(len(raw)) - len(raw))])

    @abc.abstractmethod
    def log_prob(self, parameters: Tensor, pixels: Tensor) -> Tensor:
        """Return log p for each pixel, in nats, ``[..., B, C, H, W]``."""

    def per_image(self, parameters: Tensor, pixels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return log p(x | z) in nats, summed over the pixels of an image (those in ``mask``, if given): ``[..., B]``."""
        log_prob = self.log_prob(parameters, pixels)
        if mask is not None:
            log_prob = log_prob * mask
        return log_prob.flatten(-3).sum(-1)


@dataclasses.dataclass(frozen=True)
class Bound(Part, abc.ABC):
    """Turns posterior, prior and likelihood into the loss of each image."""

    kind: ClassVar[str] = "bound"
    needs_posterior: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(self, view: View) -> tuple[dict[str, Tensor], Code]:
        """Return the named terms of each image, ``[B]`` each and ``"loss"`` among them, and the code they came from."""


@dataclasses.dataclass(frozen=True)
class View:
    """What a bound and a penalty see of one batch.

    Attributes:
        model: the autoencoder.
        inputs: the images to encode, corrupted or clean, ``[B, C, H, W]``.
        target: the clean images.
        mask: the weight of each pixel in the likelihood, or ``None`` for all alike.
        noise: for sampling codes; ``None`` asks for the posterior mean.
        progress: the share of training done, 0 to 1; 1 while evaluating; a tensor where the step is recorded.
        weights: the factor of each named term.
    """

    model: Autoencoder
    inputs: Tensor
    target: Tensor
    mask: Tensor | None
    noise: Noise
    progress: Share
    weights: dict[str, float]

    def weight(self, term: str) -> float:
        """Return the factor of ``term``, 1 unless it was set."""
        return self.weights.get(term, 1.0)


@dataclasses.dataclass(frozen=True)
class Penalty(Part, abc.ABC):
    """One more term of the loss, named after the part; it sees model, batch and code."""

    kind: ClassVar[str] = "penalty"
    matches_prior: ClassVar[bool] = False  # whether it brings the codes to the prior, so that one may sample from it
    second_order: ClassVar[bool] = False  # whether it differentiates the network, so that training does so twice

    @abc.abstractmethod
    def __call__(self, view: View, code: Code) -> Tensor:
        """Return the penalty of each image, ``[B]``, or one for the batch, ``[]``, before its weight."""


def options_of(part: Part) -> dict[str, Any]:
    """Return the part's fields, for printing."""
    return part.fields()
