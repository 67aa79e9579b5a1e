"""What fine-tuning minimises: cross-entropy on labelled images, consistency on the others, reconstruction on all.

Consistency is FixMatch (Sohn et al. 2020, eqs. 3 and 4): where the network is sure of a slightly augmented image, it is to
say the same of a strongly augmented one. Reconstruction keeps what the autoencoder knew, in the spirit of the ladder network
(Rasmus et al. 2015). Guesses from neighbours in latent space (Zhou et al. 2004) stand in at the beginning, until the network
is sure by itself.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentia.classifier import Classifier
from latentia.core.noise import Noise
from latentia.core.ranks import whole
from latentia.core.share import Share, ramp
from latentia.finetuning import FineTuning

RAMP = 0.1  # share of training over which consistency rises to its weight
GUESSED = 0.3  # share of training after which guesses from neighbours no longer count


class Supervised:
    """The objective of fine-tuning, for :class:`latentia.training.trainer.Trainer`.

    Args:
        how: the weights and augmentations.
        unlabelled: whether there are unlabelled images at all.
    """

    headline = "loss"

    def __init__(self, how: FineTuning, *, unlabelled: bool) -> None:
        self.how, self.unlabelled = how, unlabelled
        self.strong, self.weak = how.strong, how.weak

    def __call__(
        self, model: Classifier, pixels: Tensor, labels: Tensor | None, noise: Noise, progress: Share = 1.0
    ) -> dict[str, Tensor]:
        """Return the terms of each image, ``[B]`` each; ``loss`` is what is minimised, ``accuracy`` of labelled images.

        Terms of labelled (unlabelled) images are scaled so that a batch's mean is the mean over its labelled (unlabelled)
        ones.

        Args:
            model: the classifier.
            pixels: images ``[B, C, H, W]`` in [0, 1].
            labels: int64 ``[B]``: a class; -1 unlabelled; -2 - k unlabelled with the guess k.
            noise: the batch's addressed noise.
            progress: the share of training done, 0 to 1.
        """
        assert labels is not None  # a developer's invariant: fine-tuning has labels
        seen = self.strong(pixels, noise.fork("strong"))
        features = model.features(seen)
        scores = model.logits(features)
        known = labels >= 0
        scale = _scale(known)
        right = (scores.argmax(1) == labels).float()
        terms = {"classification": F.cross_entropy(scores, labels.clamp(min=0), reduction="none") * scale}
        loss = terms["classification"]
        if self.unlabelled and self.how.consistency:
            terms |= self._consistency(model, pixels, scores, labels, noise, progress)
            loss = loss + self.how.consistency * terms["consistency"]
        if self.how.reconstruction:
            terms["reconstruction"] = model.reconstruction_loss(features, seen)
            loss = loss + self.how.reconstruction * terms["reconstruction"]
        return {"loss": loss, **terms, "accuracy": right * scale}

    def _consistency(
        self, model: Classifier, pixels: Tensor, scores: Tensor, labels: Tensor, noise: Noise, progress: Share
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            sure, pseudo = model(self.weak(pixels, noise.fork("weak"))).softmax(1).max(1)
        free = labels < 0
        scale = _scale(free)
        confident = (sure >= self.how.threshold).float()
        weight = confident * ramp(progress, RAMP)
        target = pseudo
        if self.how.spreading:
            # a guess counts where the network has no opinion yet, and less and less
            guessed = (labels <= -2) & (confident == 0)
            target = torch.where(guessed, -2 - labels, pseudo)
            weight = torch.where(guessed, (1.0 - ramp(progress, GUESSED)) * torch.ones_like(weight), weight)
        agreement = F.cross_entropy(scores, target, reduction="none") * weight
        return {"consistency": agreement * scale, "confident": confident * scale}

    @torch.no_grad()
    def evaluate(self, model: Classifier, pixels: Tensor, labels: Tensor | None, noise: Noise) -> dict[str, Tensor]:
        """Return cross-entropy and error of each image as it is, ``[B]``; an unlabelled one counts as zero."""
        assert labels is not None  # a developer's invariant
        scores = model(pixels)
        known = (labels >= 0).float()
        loss = F.cross_entropy(scores, labels.clamp(min=0), reduction="none") * known
        return {"loss": loss, "error": (scores.argmax(1) != labels).float() * known}

    def parameter_groups(self, model: Classifier, settings: Any) -> list[dict[str, Any]]:
        """Return the head, and each layer of the encoder with a lower rate and a later start the further down it is.

        What ``partial`` keeps frozen has no group. New weights have nothing to preserve: there is one rate for all.
        """
        how, rate = self.how, settings.learning_rate
        head: list[nn.Parameter] = list(model.head.parameters())
        if how.reconstruction:
            head += [*model.autoencoder.bottleneck.parameters(), *model.autoencoder.decoder.parameters()]
        blocks = model.blocks()[::-1]
        if how.mode == "partial":
            blocks = blocks[: max(1, len(blocks) // 2)]
        groups = [{"params": head, "lr": rate, "starts": 0.0}]
        for depth, parameters in enumerate(blocks, start=1):
            decay = 1.0 if how.scratch else how.layer_decay**depth
            starts = 0.0 if how.scratch else how.unfreezing * depth / len(blocks)
            groups.append({"params": parameters, "lr": rate * decay, "starts": starts})
        trained = {id(parameter) for group in groups for parameter in group["params"]}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in trained)
        return groups


def _scale(chosen: Tensor) -> Tensor:
    """Return factors ``[B]`` by which a mean over the whole batch becomes the mean over its chosen images."""
    all_chosen = whole(chosen)
    return chosen * (len(all_chosen) / all_chosen.sum().clamp(min=1))
