"""From an autoencoder and some labels to a classifier: probe, partial and full fine-tuning, in a run folder or in memory."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentia.classifier import LINEAR, Classifier, Head, build_classifier
from latentia.core.atomic import write_bytes, write_json
from latentia.core.errors import UserError
from latentia.core.launch import ALONE, launch
from latentia.core.ranks import Ranks, joined, lead
from latentia.data.batches import Batches
from latentia.data.imageset import ImageSet
from latentia.data.labels import Labels, read_labels
from latentia.data.mixed_batches import MixedBatches
from latentia.finetuning import FineTuning
from latentia.model import Autoencoder
from latentia.supervised import Supervised
from latentia.tasks.apply import check_fit
from latentia.tasks.calibration import fit_temperature, keep_temperature, temperature_from_stability
from latentia.tasks.predict import LABELS
from latentia.tasks.probe import fit_probe
from latentia.tasks.spreading import spread_labels
from latentia.training.device import describe_device, describe_devices, resolve_device
from latentia.training.learned import keep_learned
from latentia.training.run import DataChoice, check_same_images, describe_data, describe_processes, fit_in_folder
from latentia.training.run_folder import RunFolder
from latentia.training.settings import FineTuneSettings, settings_json
from latentia.training.sharding import check_sharable, gone_on_with
from latentia.training.storage import load_classifier, model_description, save_model
from latentia.training.trainer import Trainer

Say = Callable[[str], None]
NAMED = 10  # classes up to which each is named with its labels


def start_finetune(
    source: Autoencoder,
    images: ImageSet,
    labels: Labels,
    how: FineTuning,
    settings: FineTuneSettings,
    runs: str | os.PathLike[str],
    *,
    choice: DataChoice,
    origin: str | None = None,
    head: Head | None = None,
    notes: Mapping[str, Any] | None = None,
    quiet: bool = False,
    say: Say = lambda text: None,
) -> tuple[RunFolder, Classifier]:
    """Train a classifier in a new run folder and return both.

    Args:
        source: the pre-trained autoencoder; it is left as it was.
        images: the images to learn from; of their own labels nothing is read.
        labels: the labels to learn from, one for each image, -1 where there is none.
        how: mode, augmentation and the weights of the loss.
        settings: how it is trained.
        runs: where the run's folder is made.
        choice: how the images were asked for.
        origin: the folder of the autoencoder's run, for ``run.json``.
        head: what stands on the features; by default linear for a probe, else a residual block and a dense layer.
        notes: further entries of ``run.json``.
        quiet: no progress.
        say: told what a person should know.

    Raises:
        UserError: model and images do not fit each other. Interrupted, TrainingDiverged, StorageError: see the trainer.
    """
    check_fit(source, images)
    shown = labels.applied(images)
    model = classifier_from(source, labels.classes, how, head, settings.seed)
    settings = with_epochs(settings, shown, how)
    device = resolve_device(settings.device)
    if settings.shard:
        check_sharable(None, settings)
    check_same_images(shown)
    description = {
        "kind": "classifier",
        "preset": "classifier",
        "architecture": model.autoencoder.architecture.to_json(),
        "head": model.spec.fields(),
        "classes": list(labels.classes),
        "finetuning": how.fields(),
        "settings": settings_json(settings),
        "device": describe_device(device),
        "data": {
            **describe_data(shown, None, choice),
            "labels": {"count": labels.count, "of each class": labels.counts(), "notes": list(labels.notes)},
        },
        "origin": {"from": origin, "scratch": how.scratch},
        **describe_processes(),
        **(notes or {}),
    }

    def begin() -> str:
        made = RunFolder.create(Path(runs), f"{Path(images.source).stem or 'images'}-classifier", description)
        _write_labels(made.path / LABELS, images, labels)
        write_json(made.path / "model.json", model_description(model))
        keep_learned(made.path, _labelled(images, labels))
        save_model(made.path / "last", model)  # where the run began, so that it can begin again after a kill
        return str(made.path)

    folder = RunFolder(Path(lead(begin)), writes=launch().leads)
    for line in (*images.notes, *labels.notes):
        say(line)
    say(f"{describe(labels, how, len(images))}; on {describe_devices(device)}, in {folder.path}")
    trained = _fit_in_folder(model, shown, labels, how, settings, device, folder, quiet)
    return folder, trained.cpu().eval()


def resume_finetune(
    path: str | os.PathLike[str], images: ImageSet, *, quiet: bool = False, say: Say = lambda text: None
) -> tuple[RunFolder, Classifier]:
    """Go on with an unfinished run and return what :func:`start_finetune` would have returned, to the bit.

    Raises:
        UserError: no classifier's run, another process trains in it, or the images are not the ones it began with.
    """
    folder = RunFolder(Path(path), writes=launch().leads)
    described = RunFolder.open(path).describe()
    try:
        how = FineTuning.from_fields(described["finetuning"], owner="finetuning")
        settings = gone_on_with(FineTuneSettings.from_fields(described["settings"], owner="settings"))
        classes, before = tuple(described["classes"]), described["data"]["train"]
    except KeyError as error:
        raise UserError(f"{folder.path / 'run.json'} lacks {error}: it is no fine-tuning run") from None
    changed = UserError(
        f"{folder.path} cannot be resumed: its images or labels have changed (it began with {before['count']} images, "
        f"there are {len(images)} now, and their fingerprints differ)"
    )
    try:
        labels = own_labels(folder.path / LABELS, images, classes)
    except UserError:
        raise changed from None
    shown = labels.applied(images)
    if shown.fingerprint != before["fingerprint"]:
        raise changed
    model = load_classifier(folder.path / "last").train()
    if folder.writes:
        write_json(folder.path / "model.json", model_description(model))
        keep_learned(folder.path, _labelled(images, labels))
    device = resolve_device(settings.device)
    say(f"resuming {folder.path} on {describe_devices(device)}")
    trained = _fit_in_folder(model, shown, labels, how, settings, device, folder, quiet)
    return folder, trained.cpu().eval()


def finetune_in_memory(
    source: Autoencoder,
    images: ImageSet,
    labels: Labels,
    how: FineTuning,
    settings: FineTuneSettings,
    *,
    head: Head | None = None,
    quiet: bool = True,
) -> tuple[Classifier, float, list[dict[str, Any]]]:
    """Return a classifier, its temperature and one record an epoch; nothing is written to disk."""
    check_fit(source, images)
    shown = labels.applied(images)
    model = classifier_from(source, labels.classes, how, head, settings.seed)
    settings = with_epochs(settings, shown, how)
    device = resolve_device(settings.device)
    if how.mode == "probe":
        probe = fit_probe(model.to(device), shown, labels, seed=settings.seed)
        history = [{"epoch": 1, "train": {"loss": probe.loss, "accuracy": probe.accuracy}}]
        return model.cpu().eval(), fit_temperature(probe.logits, probe.numbers), history
    trainer = make_trainer(model, shown, labels, how, settings, device, quiet)
    history = trainer.fit()
    found: Any = trainer.module
    return found.cpu().eval(), _temperature(found, shown, how, settings.seed), history


def classifier_from(
    source: Autoencoder, classes: tuple[str, ...], how: FineTuning, head: Head | None = None, seed: int = 0
) -> Classifier:
    """Return a new classifier on a copy of ``source``, or on new weights where ``how.scratch`` asks for the control."""
    chosen = head or (LINEAR if how.mode == "probe" else Head())
    model = build_classifier(source.architecture, source.format, chosen, classes, seed)
    if not how.scratch:
        model.autoencoder.load_state_dict(copy.deepcopy(source.state_dict()))
    return model


def make_trainer(
    model: Classifier,
    images: ImageSet,
    labels: Labels,
    how: FineTuning,
    settings: FineTuneSettings,
    device: torch.device,
    quiet: bool = False,
    ranks: Ranks | None = None,
) -> Trainer:
    """Return the trainer of a classifier; ``images`` carry ``labels`` and no others, ``ranks`` share them."""
    unlabelled = _learns_from_unlabelled(images, how)
    if not settings.shard:  # else no more than a layer at a time
        model.to(device)
    place = launch() if ranks is not None else ALONE
    if not unlabelled:
        known = _labelled(images, labels)
        size = min(settings.batch_size, 128)
        batches = Batches(known, model.format, size, device, seed=settings.seed, place=place)
    else:
        guesses = None
        if how.spreading and how.consistency:
            space = None if how.scratch else model.autoencoder
            guesses = torch.from_numpy(spread_labels(space, images, labels, seed=0))
        batches = MixedBatches(
            images,
            model.format,
            settings.batch_size,
            how.labelled_share,
            device,
            seed=settings.seed,
            guesses=guesses,
            place=place,
        )
    objective = Supervised(how, unlabelled=unlabelled)
    return Trainer(model, objective, batches, None, settings, device, quiet=quiet or not place.leads, ranks=ranks)


def _labelled(images: ImageSet, labels: Labels) -> ImageSet:
    return images.select(np.flatnonzero(labels.numbers >= 0))


def describe(labels: Labels, how: FineTuning, count: int) -> str:
    """Return in one line what is learned from what; a few classes are named, so that a slip of the pen is seen as one more."""
    counts = labels.counts()
    least, most = min(counts), max(counts)
    each = f"{least} each" if least == most else f"{least} to {most} each"
    if len(counts) <= NAMED and not all(name.isdecimal() for name in labels.classes):
        each = ", ".join(f"{name}: {count:,}" for name, count in zip(labels.classes, counts, strict=True))
    text = f"{how.mode}: {labels.count:,} labels of {len(labels.classes)} classes ({each})"
    if how.mode == "probe":
        return f"{text}, frozen features, no augmentation"
    rest = count - labels.count
    use = f"{rest:,} unlabelled images" if how.consistency or how.reconstruction else f"{rest:,} others not used"
    start = ", from new weights" if how.scratch else ""
    steps = getattr(how.strong, "steps", "")
    return f"{text}, {use}, augmentation {how.augmentation}{f' ({steps})' if steps else ''}{start}"


def _fit_in_folder(
    model: Classifier,
    images: ImageSet,
    labels: Labels,
    how: FineTuning,
    settings: FineTuneSettings,
    device: torch.device,
    folder: RunFolder,
    quiet: bool,
) -> Classifier:
    ranks = joined()
    if how.mode == "probe":  # closed-form work on frozen features: the leading process does it
        lead(lambda: _fit_probe(model, images, labels, settings, device, folder))
        if ranks is not None:
            ranks.spread(model)
        return model
    trainer = make_trainer(model, images, labels, how, settings, device, quiet, ranks)
    fit_in_folder(trainer, folder)
    found: Any = trainer.module
    sure = "answers that survive augmentation"
    lead(lambda: keep_temperature(folder.path, _temperature(found, images, how, settings.seed), sure))
    return found


def _fit_probe(
    model: Classifier,
    images: ImageSet,
    labels: Labels,
    settings: FineTuneSettings,
    device: torch.device,
    folder: RunFolder,
) -> None:
    probe = fit_probe(model.to(device), images, labels, seed=settings.seed)
    figures = {"loss": probe.loss, "accuracy": probe.accuracy}
    folder.rewind_metrics([{"epoch": 1, "images": labels.count, "train": figures}])
    save_model(folder.path, model.cpu())
    keep_temperature(folder.path, fit_temperature(probe.logits, probe.numbers), "out-of-fold logits")
    folder.update(status="finished", best_epoch=1, seconds=0.0, penalty=1.0 / probe.strength)


def _temperature(model: Classifier, images: ImageSet, how: FineTuning, seed: int) -> float:
    assert images.labels is not None  # a developer's invariant: they carry the labels
    free = np.flatnonzero(images.labels < 0)
    return temperature_from_stability(model, images.select(free) if len(free) else images, how.strong, seed=seed)


def _learns_from_unlabelled(images: ImageSet, how: FineTuning) -> bool:
    assert images.labels is not None  # a developer's invariant: they carry the labels
    return bool((images.labels < 0).any()) and bool(how.consistency or how.reconstruction)


def with_epochs(settings: FineTuneSettings, images: ImageSet, how: FineTuning) -> FineTuneSettings:
    """Return the settings with the number of epochs chosen for these images, where it was left open."""
    assert images.labels is not None  # a developer's invariant: they carry the labels
    known = int((images.labels >= 0).sum())
    if not _learns_from_unlabelled(images, how):
        return settings.for_steps(-(-known // min(settings.batch_size, 128)))
    first = max(round(settings.batch_size * how.labelled_share), 1)
    rest = max(settings.batch_size - first, 1)
    return settings.for_steps(max(-(-(len(images) - known) // rest), -(-known // first)))


def _write_labels(path: Path, images: ImageSet, labels: Labels) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "label"])
    for index in np.flatnonzero(labels.numbers >= 0).tolist():
        writer.writerow([images.names[index], labels.classes[labels.numbers[index]]])
    write_bytes(path, text.getvalue().encode())


def own_labels(path: Path, images: ImageSet, classes: tuple[str, ...]) -> Labels:
    """Return the labels that a run learned from, as its ``labels.csv`` has them.

    Raises:
        UserError: the images or the classes are others.
    """
    read = read_labels(path, dataclasses.replace(images, labels=None, classes=()))
    if set(read.classes) != set(classes):
        raise UserError(f"{path} holds other classes than the run began with: restore it")
    numbers = np.array([*(classes.index(name) for name in read.classes), -1], dtype=np.int64)
    return Labels(numbers[read.numbers], classes)
