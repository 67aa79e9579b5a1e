"""Several fine-tunings of one kind as one: other labels and seeds, the same network and images (see decision 13)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from latentia.classifier import Classifier, Head
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.labels import Labels
from latentia.finetuning import FineTuning
from latentia.model import Autoencoder
from latentia.tasks.apply import check_fit
from latentia.tasks.finetune import classifier_from, make_trainer, with_epochs
from latentia.training.device import at_work, resolve_device
from latentia.training.progress import ProgressBar
from latentia.training.settings import FineTuneSettings
from latentia.training.signals import StopSignals
from latentia.training.stack import check_stackable, train_together
from latentia.training.trainer import Trainer

FEW = 4  # unlabelled images, with which it is found out whether networks can be stacked


def finetune_stacked(
    source: Autoencoder,
    images: ImageSet,
    draws: Sequence[tuple[Labels, FineTuneSettings]],
    how: FineTuning,
    *,
    head: Head | None = None,
) -> list[Classifier]:
    """Return a classifier for each of ``draws``, trained together; up to rounding, what each would be by itself.

    Args:
        source: the pre-trained autoencoder; it is left as it was.
        images: the images to learn from.
        draws: the labels of each and how it is trained; settings differ in their seeds alone.
        how: mode, augmentation and the weights of the loss; frozen features (``probe``) are not trained, so not stacked.
        head: what stands on the features.

    Raises:
        UserError: networks of this kind cannot be stacked. Interrupted, TrainingDiverged: see the trainer.
    """
    check_fit(source, images)
    check_finetuning(source, images, draws[0], how, head)
    trainers = [_trainer(source, images, labels, settings, how, head) for labels, settings in draws]
    with at_work(trainers[0].device), StopSignals() as signals, ProgressBar(1, 1, 0, quiet=True) as bar:
        ends = train_together(trainers, [trainer.course(signals, bar) for trainer in trainers])
    for end in ends:
        if end is not None:
            raise end
    return [trainer.module.cpu().eval() for trainer in trainers]  # type: ignore[misc]


def check_finetuning(
    source: Autoencoder,
    images: ImageSet,
    draw: tuple[Labels, FineTuneSettings],
    how: FineTuning,
    head: Head | None = None,
) -> None:
    """Raise a :class:`UserError` where fine-tunings of this kind cannot be stacked, before anything is trained."""
    labels, settings = draw
    if settings.compile:
        raise UserError("stacked networks cannot be compiled: leave --stack or --compile out")
    known, free = np.flatnonzero(labels.numbers >= 0), np.flatnonzero(labels.numbers < 0)
    _, firsts = np.unique(labels.numbers[known], return_index=True)
    rows = np.concatenate([known[firsts], free[:FEW]])  # one image of each class, and some without a label
    some, few = images.select(rows), dataclasses.replace(labels, numbers=labels.numbers[rows])
    plain = dataclasses.replace(how, spreading=False)
    exact = dataclasses.replace(settings, epochs=1, batch_size=len(rows), ema=0.0, device="cpu", precision="float32")
    tried = [dataclasses.replace(exact, seed=seed) for seed in range(2)]
    try:
        check_stackable([_trainer(source, some, few, each, plain, head) for each in tried])
    except UserError as error:
        raise UserError(f"fine-tunings of this network cannot be stacked: {error}; leave --stack out") from error


def _trainer(
    source: Autoencoder,
    images: ImageSet,
    labels: Labels,
    settings: FineTuneSettings,
    how: FineTuning,
    head: Head | None,
) -> Trainer:
    shown = labels.applied(images)
    model = classifier_from(source, labels.classes, how, head, settings.seed)
    device = resolve_device(settings.device)
    return make_trainer(model, shown, labels, how, with_epochs(settings, shown, how), device, quiet=True)
