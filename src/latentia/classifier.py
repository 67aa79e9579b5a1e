"""The classifier: an autoencoder's encoder with a head that names classes; the decoder stays, as a regulariser."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor, nn

from latentia.core.noise import derive
from latentia.core.spec import Spec
from latentia.data.imageset import PixelFormat
from latentia.model import Architecture, Autoencoder
from latentia.parts.blocks import Dropout, ResidualBlock


@dataclasses.dataclass(frozen=True)
class Head(Spec):
    """What stands on the encoder's features, which are taken before the bottleneck: they hold more than the code.

    Attributes:
        hidden: units of a dense layer before the classes; 0: the classes are linear in the features.
        blocks: residual blocks over the features' positions before that.
        dropout: the probability that a hidden unit is turned off while training.
    """

    hidden: int = 256
    blocks: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        self.require(self.hidden >= 0, "hidden", "0 or more")
        self.require(self.blocks >= 0, "blocks", "0 or more")
        self.require(0 <= self.dropout < 1, "dropout", "at least 0 and below 1")


LINEAR = Head(hidden=0, blocks=0)


class Classifier(nn.Module):
    """Images ``[B, C, H, W]``, float32 in [0, 1], to the logits of classes ``[B, K]``.

    Args:
        autoencoder: where the encoder comes from, with its weights.
        head: what stands on it.
        classes: the name of each class.
    """

    def __init__(self, autoencoder: Autoencoder, head: Head, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.autoencoder, self.spec, self.classes = autoencoder, head, classes
        channels = autoencoder.feature_shape[0]
        flat = math.prod(autoencoder.feature_shape)
        layers: list[nn.Module] = [ResidualBlock(channels) for _ in range(head.blocks)]
        layers += [nn.SiLU()] if head.blocks else []
        layers += [nn.Flatten()]
        if head.hidden:
            layers += [nn.Linear(flat, head.hidden), nn.SiLU(), Dropout(head.dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(head.hidden or flat, len(classes)))

    @property
    def format(self) -> PixelFormat:
        """The images it is made for."""
        return self.autoencoder.format

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """What maps tensors to tensors and does nearly all arithmetic: encoder, decoder and head."""
        return *self.autoencoder.networks, self.head

    @property
    def sharable(self) -> tuple[nn.Module, ...]:
        """What is only ever called, so that its weights may lie with other processes in between."""
        return *self.autoencoder.sharable, self.head

    @property
    def code_shape(self) -> tuple[int, ...]:
        """``(K,)``: the answer is a vector, so the images' size is fixed."""
        return (len(self.classes),)

    @property
    def last(self) -> nn.Linear:
        """The layer that gives the logits."""
        layer = self.head[-1]
        assert isinstance(layer, nn.Linear)  # a developer's invariant: it was built so
        return layer

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, float32 ``[B, K]``."""
        return self.logits(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return the encoder's features ``[B, F, h, w]``."""
        return self.autoencoder.features(images)

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits for features, float32 ``[B, K]``."""
        scores: Tensor = self.head(features)
        return scores.float()

    def reconstruction_loss(self, features: Tensor, images: Tensor) -> Tensor:
        """Return minus log p(x | z) of each image, in nats for one value of a pixel, ``[B]``."""
        model = self.autoencoder
        z = model.code(features).z
        parameters = model.decode_parameters(z, (images.shape[-2], images.shape[-1]))
        return -model.likelihood.per_image(parameters, images) / images[0].numel()

    def blocks(self) -> list[list[nn.Parameter]]:
        """Return the encoder's layers from the first to the last, each as its parameters."""
        own = [list(module.parameters(recurse=False)) for module in self.autoencoder.encoder.modules()]
        return [parameters for parameters in own if parameters]

    def to_json(self) -> dict[str, Any]:
        """Return what is needed to build it again."""
        return {
            "pixel_format": dataclasses.asdict(self.format),
            "architecture": self.autoencoder.architecture.to_json(),
            "head": self.spec.fields(),
            "classes": list(self.classes),
        }


def build_classifier(
    architecture: Architecture, pixel_format: PixelFormat, head: Head, classes: tuple[str, ...], seed: int = 0
) -> Classifier:
    """Return a classifier with weights drawn from ``seed``; the global generator is left as it was."""
    autoencoder = architecture.build(pixel_format, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "head"))
        return Classifier(autoencoder, head, classes)


def classifier_from_json(values: dict[str, Any]) -> Classifier:
    """Return the classifier that :meth:`Classifier.to_json` described, with weights still to be loaded."""
    return build_classifier(
        Architecture.from_json(values["architecture"]),
        PixelFormat(**values["pixel_format"]),
        Head.from_fields(values["head"], owner="head"),
        tuple(values["classes"]),
    )
