"""The objective of fine-tuning: each term against what it should be, and who learns when."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from latentia.classifier import Head, build_classifier
from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.data.imageset import PixelFormat
from latentia.finetuning import FineTuning
from latentia.presets import design
from latentia.supervised import Supervised
from latentia.training.settings import FineTuneSettings

FORMAT = PixelFormat(1, 8, 8, "float32", 0.0, 1.0)
PIXELS = Noise(0, torch.arange(10), "pixels").uniform(1, 8, 8)
LABELS = torch.tensor([0, 2, 1, -1, -1, -1, -1, -1, -3, -2])


def classifier() -> Any:
    architecture = design("cae", {"encoder.widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0}).architecture
    return build_classifier(architecture, FORMAT, Head(hidden=6, blocks=0), ("a", "b", "c"), seed=1)


def terms(progress: float = 1.0, labels: torch.Tensor = LABELS, **how: Any) -> dict[str, torch.Tensor]:
    objective = Supervised(FineTuning(**{"augmentation": "none", **how}), unlabelled=True)
    return objective(classifier(), PIXELS, labels, Noise(0, torch.arange(10), "t"), progress)


def test_the_mean_over_a_batch_is_the_mean_over_its_labelled_images() -> None:
    found = terms()
    scores = classifier()(PIXELS)
    expected = F.cross_entropy(scores[:3], LABELS[:3])
    assert found["classification"].mean().item() == pytest.approx(expected.item(), rel=1e-5)
    assert bool((found["classification"][3:] == 0).all())
    assert found["accuracy"].mean().item() == pytest.approx((scores[:3].argmax(1) == LABELS[:3]).float().mean().item())
    assert all(term.shape == (10,) for term in found.values())


def test_consistency_is_the_cross_entropy_of_confident_pseudo_labels() -> None:
    scores = classifier()(PIXELS).detach()
    sure, pseudo = scores.softmax(1).max(1)
    threshold = float(sure[3:].median())
    found = terms(threshold=threshold, spreading=False)
    confident = (sure >= threshold) & (LABELS < 0)
    assert int(confident.sum()) == 4, "half of them: the case is worth looking at"
    expected = (F.cross_entropy(scores, pseudo, reduction="none") * confident).sum() / 7
    assert found["consistency"].mean().item() == pytest.approx(expected.item(), rel=1e-5)
    assert bool((terms(progress=0.0, threshold=threshold, spreading=False)["consistency"] == 0).all()), (
        "it rises from nothing"
    )


def test_guesses_stand_in_at_the_beginning_only() -> None:
    early, later = terms(progress=0.0, threshold=0.99), terms(progress=0.5, threshold=0.99)
    scores = classifier()(PIXELS)
    expected = F.cross_entropy(scores[8:], torch.tensor([1, 0]), reduction="sum") / 7
    assert early["consistency"].mean().item() == pytest.approx(expected.item(), rel=1e-5)
    assert bool((later["consistency"] == 0).all())


def test_the_label_of_an_unlabelled_image_cannot_leak() -> None:
    assert not bool(terms(spreading=False)["classification"][3:].any())
    other = LABELS.clone()
    other[8:] = -1
    found, same = terms(spreading=False), terms(spreading=False, labels=other)
    assert torch.equal(found["loss"], same["loss"])


def test_the_loss_is_the_weighted_sum() -> None:
    found = terms(consistency=0.5, reconstruction=3.0, threshold=0.34)
    expected = found["classification"] + 0.5 * found["consistency"] + 3.0 * found["reconstruction"]
    assert torch.allclose(found["loss"], expected)
    assert set(terms(consistency=0, reconstruction=0)) == {"loss", "classification", "accuracy"}


def rates(**how: Any) -> list[tuple[float, float]]:
    objective = Supervised(FineTuning(**how), unlabelled=True)
    groups = objective.parameter_groups(classifier(), FineTuneSettings(learning_rate=0.1))
    return [(group["lr"], group["starts"]) for group in groups]


def test_layers_learn_slower_and_later_the_deeper_they_lie() -> None:
    found = rates(layer_decay=0.5, unfreezing=0.2)
    assert found == [(0.1, 0.0), (pytest.approx(0.05), pytest.approx(0.1)), (pytest.approx(0.025), pytest.approx(0.2))]
    assert rates(scratch=True) == [(0.1, 0.0)] * 3


def test_partial_trains_the_last_half_and_no_reconstruction_leaves_the_decoder() -> None:
    model = classifier()
    objective = Supervised(FineTuning(mode="partial", reconstruction=0), unlabelled=True)
    assert len(objective.parameter_groups(model, FineTuneSettings())) == 2
    learning = {name.rpartition(".")[0] for name, value in model.named_parameters() if value.requires_grad}
    assert "autoencoder.encoder.layers.1" in learning
    assert learning == {name for name in learning if name.startswith(("head", "autoencoder.encoder.layers.1"))}
    assert not any(value.requires_grad for value in model.autoencoder.decoder.parameters())


def test_what_is_out_of_range_is_said() -> None:
    with pytest.raises(UserError, match="threshold is 1, but it must be between 0 and 1"):
        FineTuning(threshold=1)
    with pytest.raises(UserError, match="there is no augmentation called 'flp'; did you mean 'flip'"):
        FineTuning(augmentation="flp")
    with pytest.raises(UserError, match="mode is 'frozen', but it must be one of probe, partial, full"):
        FineTuning.from_fields({"mode": "frozen"}, owner="finetune")
