"""How an encoder becomes a classifier, as plain values. Imports no torch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from latentia.core.spec import Spec, option
from latentia.parts import AUGMENTATIONS

if TYPE_CHECKING:
    from latentia.parts.base import Augmentation


@dataclasses.dataclass(frozen=True)
class FineTuning(Spec):
    """How an encoder becomes a classifier; each field's help says what it is."""

    mode: Literal["probe", "partial", "full"] = option(
        "full", "probe: frozen features, a linear head; partial: the encoder's last half; full: all layers"
    )
    augmentation: str = option("chain", "what images may undergo and stay what they are; none turns it off")
    weak_augmentation: str = option("shift:reach=0.04", "what they undergo when pseudo-labels are read off")
    consistency: float = option(1.0, "weight of pseudo-labels on unlabelled images; 0: none")
    threshold: float = option(0.95, "how sure the network must be of a pseudo-label")
    spreading: bool = option(True, "begin with labels spread to neighbours in latent space")
    reconstruction: float = option(0.0, "weight of the reconstruction, in nats a pixel value; 0: none")
    labelled_share: float = option(0.2, "share of labelled images in a batch, where there are unlabelled ones")
    layer_decay: float = option(0.7, "factor of the learning rate for each layer further from the head")
    unfreezing: float = option(0.05, "share of training over which layers are released, the last one first")
    scratch: bool = option(False, "begin with new weights: the control")

    def __post_init__(self) -> None:
        self.require(self.consistency >= 0, "consistency", "0 or more")
        self.require(0 < self.threshold < 1, "threshold", "between 0 and 1")
        self.require(self.reconstruction >= 0, "reconstruction", "0 or more")
        self.require(0 < self.labelled_share < 1, "labelled_share", "between 0 and 1")
        self.require(0 < self.layer_decay <= 1, "layer_decay", "above 0 and at most 1")
        self.require(0 <= self.unfreezing < 1, "unfreezing", "at least 0 and below 1")
        self.strong, self.weak  # noqa: B018  a wrong name is told at once

    @property
    def control(self) -> FineTuning:
        """How the same network is trained from scratch: all of it learns, for frozen random layers are no control."""
        return dataclasses.replace(self, scratch=True, mode="full")

    @property
    def strong(self) -> Augmentation:
        """What images that are learned from undergo."""
        return AUGMENTATIONS.make(self.augmentation)  # type: ignore[return-value]

    @property
    def weak(self) -> Augmentation:
        """What images undergo when pseudo-labels are read off; nothing where augmentation is turned off."""
        return AUGMENTATIONS.make("none" if self.strong.name == "none" else self.weak_augmentation)  # type: ignore[return-value]
