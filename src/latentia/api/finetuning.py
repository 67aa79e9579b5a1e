"""``finetune``: from an autoencoder's run and a few labels to a classifier's run with its pictures."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from latentia.api.saying import silent, to_stderr
from latentia.classifier import Head
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet, encode_labels
from latentia.data.labels import draw_labels, read_labels
from latentia.data.load import EmptySplit, all_but_test, load
from latentia.finetuning import FineTuning
from latentia.parts import AUGMENTATIONS
from latentia.report.classifier_figures import draw_classifier
from latentia.runs import Run, loadable
from latentia.tasks.finetune import resume_finetune, start_finetune
from latentia.training.asked import DATA_OPTIONS
from latentia.training.run import DataChoice
from latentia.training.run_folder import RunFolder
from latentia.training.settings import FineTuneSettings
from latentia.training.storage import load_classifier

if TYPE_CHECKING:
    pass

P = ParamSpec("P")
T = TypeVar("T")


def finetune(
    run: Run | str | os.PathLike[str] | None = None,
    data: Any = None,
    *,
    labels: int | npt.ArrayLike | None = None,
    label_file: str | os.PathLike[str] | None = None,
    label_seed: int = 0,
    mode: str = "full",
    split: str | None = None,
    head: Head | None = None,
    runs: str | os.PathLike[str] = "runs",
    resume: str | os.PathLike[str] | None = None,
    figures: bool = True,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Run:
    """Make a classifier of an autoencoder with a few labels, and return its run.

    Labels come from one place: ``labels``, ``label_file``, or else all that ``data`` has. No other label is read until the
    classifier stands, with its temperature; the pictures then judge it on validation images.

    Args:
        run: the autoencoder's run.
        data: whatever :func:`latentia.load` takes; the run's own data by default.
        labels: a number of labels to draw, class-balanced, from those of ``data``; or a label for each image (numbers, -1
            unlabelled, or texts).
        label_file: a CSV file with the columns ``name`` and ``label``.
        label_seed: the seed of the draw.
        mode: ``probe`` (frozen features, linear head), ``partial`` (the encoder's last half) or ``full``.
        split: the part of ``data`` to learn from; by default ``train``, and all but an official test part with a
            ``label_file``, which may name any image.
        head: what stands on the features; see :class:`latentia.classifier.Head`.
        runs: the folder in which the run's own folder is made.
        resume: an unfinished classifier's run to go on with; everything but ``data`` (needed where it was in memory) comes
            from it.
        figures: draw the pictures into the run folder.
        quiet: print nothing.
        say: told what a person should know; prints to stderr by default.
        options: options by the names of the command line.
        **more: the same by keyword: fields of :class:`latentia.supervised.FineTuning` and
            :class:`latentia.training.settings.FineTuneSettings`, ``size``, ``policy`` and ``data_dir``.

    Raises:
        UserError: run, data, labels or an option is wrong. TrainingDiverged, Interrupted, StorageError: see there.
    """
    tell = say or (silent if quiet else to_stderr)
    if resume is not None:
        unfinished = Run(RunFolder.open(resume))
        if unfinished.kind != "classifier":
            raise UserError(f"{resume} is no classifier's run: go on with latentia train --resume {resume}")
        folder, classifier = resume_finetune(resume, _finetune_images(unfinished, data), quiet=quiet, say=tell)
        return _finished_classifier(Run(folder, classifier), figures)
    if run is None:
        raise UserError("there is nothing to fine-tune: name the run of an autoencoder")
    source = run if isinstance(run, Run) else Run(RunFolder.open(run))
    autoencoder = source.model  # a run that is a classifier already is told here
    if isinstance(labels, int) and label_file is not None:
        raise UserError("labels are drawn by number or read from a file: give --labels or --label-file, not both")
    given = {key.replace("-", "_"): value for key, value in {**dict(options or {}), **more, "mode": mode}.items()}
    given = {key: value for key, value in given.items() if value is not None}
    nested = {key.partition(".")[2]: given.pop(key) for key in list(given) if key.startswith("augmentation.")}
    if nested:
        given["augmentation"] = str(AUGMENTATIONS.make(given.get("augmentation", "chain"), **nested))
    data_options = {key: given.pop(key) for key in DATA_OPTIONS if key in given}
    fields = {field.name for field in dataclasses.fields(FineTuneSettings)}
    settings = FineTuneSettings.from_fields(
        {key: given.pop(key) for key in list(given) if key in fields}, owner="finetune"
    )
    how = FineTuning.from_fields(given, owner="finetune")
    described = source.description["data"]
    location = data if data is not None else described["location"]
    if location is None:
        raise UserError(f"{source.path} was trained on images in memory: say which images to learn from")
    in_memory = not isinstance(location, str | os.PathLike)
    if not in_memory:
        kept = {key: value for key, value in described["options"].items() if key != "split"}
        data_options = {**kept, **data_options, "split": split or ("all" if label_file is not None else "train")}
    choice = DataChoice(None if in_memory else os.fspath(location), data_options, described["split_seed"])
    images = _choose_images(source, location, choice)
    if label_file is not None:
        chosen = read_labels(label_file, images)
    elif labels is None or isinstance(labels, int):
        chosen = draw_labels(images, labels, label_seed)
    else:
        numbers, classes = encode_labels(labels, (), len(images), images.source)
        chosen = draw_labels(dataclasses.replace(images, labels=numbers, classes=classes))
    folder, classifier = start_finetune(
        autoencoder,
        images,
        chosen,
        how,
        settings,
        runs,
        choice=choice,
        origin=str(source.path),
        head=head,
        quiet=quiet,
        say=tell,
    )
    return _finished_classifier(Run(folder, classifier), figures, images if in_memory else None)


def _choose_images(source: Run, location: Any, choice: DataChoice) -> ImageSet:
    """Return the images to learn from, brought to the size of ``source``'s model."""
    if choice.location is None:
        return load(location)
    options = loadable(choice.options)
    split = options.pop("split")
    if "size" not in options and Path(choice.location).is_dir():
        options["size"] = (source.format.height, source.format.width)
    if split == "all":  # that an official test part is never learned from is no choice
        return all_but_test(choice.location, **options)
    return load(choice.location, split, split_seed=choice.split_seed, **options)


def _finetune_images(unfinished: Run, data: Any) -> ImageSet:
    described = unfinished.description["data"]
    if data is None and described["location"] is None:
        raise UserError(f"{unfinished.path} was trained on images in memory: hand the same images over to resume it")
    choice = DataChoice(described["location"], described["options"], described["split_seed"])
    # the model's file may not be written yet; what the run began with always is
    beginning = Run(RunFolder(unfinished.path), load_classifier(unfinished.path / "last"))
    return _choose_images(beginning, data, choice)


def _finished_classifier(run: Run, figures: bool, images: ImageSet | None = None) -> Run:
    if figures:
        described = run.description["data"]
        if images is None and described["location"] is not None:
            # what was not learned from, where there is any: the classifier stands, so other labels may be looked at
            validate = described["options"].get("split") == "train"
            with contextlib.suppress(EmptySplit):
                images = run.images(described["location"], "validation" if validate else "all")
        shown = None if images is None else run.prediction(_some(images))
        draw_classifier(run.path / "figures", f"classifier on {described['source']}", run.history, shown)
    return run


def _some(images: ImageSet, most: int = 10_000) -> ImageSet:
    return images.select(np.linspace(0, len(images) - 1, min(len(images), most)).astype(np.int64))
