"""``finetune``: from an autoencoder's run and a few labels to a classifier's run with its pictures."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from latentia.api.reporting import answers_to_unlearned, attempt, write_report
from latentia.api.saying import silent, to_stderr
from latentia.classifier import Head
from latentia.core.errors import Interrupted, UserError
from latentia.core.launch import launch
from latentia.core.ranks import join, one_first
from latentia.data.imageset import ImageSet, encode_labels
from latentia.data.labels import draw_labels, read_labels
from latentia.data.load import all_but_test, load
from latentia.report.classifier_figures import draw_classifier
from latentia.report.page.materials.classifier import ClassifierMaterial
from latentia.runs import Run, loadable, open_run
from latentia.tasks.control import WANTED, train_control
from latentia.tasks.finetune import resume_finetune, start_finetune
from latentia.training.asked import separate_finetuning
from latentia.training.run import DataChoice
from latentia.training.run_folder import RunFolder
from latentia.training.storage import load_classifier


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
    control: bool = False,
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
        control: also train the same network from scratch, with the same labels, images, losses, augmentation and number of
            steps, in a run of its own; :meth:`Run.beside_control` of the result compares both.
        figures: draw the pictures into the run folder.
        quiet: print nothing.
        say: told what a person should know; prints to stderr by default.
        options: options by the names of the command line.
        **more: the same by keyword: fields of :class:`latentia.finetuning.FineTuning` and
            :class:`latentia.training.settings.FineTuneSettings`, ``size``, ``policy`` and ``data_dir``.

    Raises:
        UserError: run, data, labels or an option is wrong. TrainingDiverged, Interrupted, StorageError: see there.
    """
    tell = (say or (silent if quiet else to_stderr)) if launch().leads else silent
    join()  # errors from here on are told once
    if resume is not None:
        unfinished = open_run(resume)
        if unfinished.kind != "classifier":
            raise UserError(
                f"{resume} is no classifier's run: go on with latentia train --resume {shlex.quote(str(resume))}"
            )
        images = one_first(lambda: _finetune_images(unfinished, data))
        folder, classifier = resume_finetune(resume, images, quiet=quiet, say=tell)
        done = _finished_classifier(Run(folder, classifier), figures, tell)
        return _with_control(done, images, figures, quiet, tell) if unfinished.description.get(WANTED) else done
    if run is None:
        raise UserError("there is nothing to fine-tune: name the run of an autoencoder")
    source = run if isinstance(run, Run) else open_run(run)
    autoencoder = source.model  # a run that is a classifier already is told here
    if isinstance(labels, int) and label_file is not None:
        raise UserError("labels are drawn by number or read from a file: give --labels or --label-file, not both")
    asked = separate_finetuning(options, {**more, "mode": mode})
    how, settings, data_options = asked.how, asked.settings, asked.data
    if control and how.scratch:
        raise UserError("--scratch trains the control itself: leave out --scratch or --control")
    described = source.description["data"]
    location = data if data is not None else described["location"]
    if location is None:
        raise UserError(f"{source.path} was trained on images in memory: say which images to learn from")
    in_memory = not isinstance(location, str | os.PathLike)
    if not in_memory:
        kept = {key: value for key, value in described["options"].items() if key != "split"}
        data_options = {**kept, **data_options, "split": split or ("all" if label_file is not None else "train")}
    choice = DataChoice(None if in_memory else os.fspath(location), data_options, described["split_seed"])
    images = one_first(lambda: choose_images(source, location, choice))
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
        notes={WANTED: True} if control else None,
        quiet=quiet,
        say=tell,
    )
    done = _finished_classifier(Run(folder, classifier), figures, tell, images if in_memory else None)
    return _with_control(done, images, figures, quiet, tell) if control else done


def _with_control(run: Run, images: ImageSet, figures: bool, quiet: bool, tell: Callable[[str], None]) -> Run:
    try:
        folder, classifier = train_control(run.path, images, quiet=quiet, say=tell)
    except Interrupted as stopped:
        raise Interrupted(
            f"training of the control was interrupted: {RunFolder(run.path).resuming}",
            stopped.exit_code - 128,
        ) from None
    in_memory = run.description["data"]["location"] is None
    _finished_classifier(Run(folder, classifier), figures, tell, images if in_memory else None)
    return run


def choose_images(source: Run, location: Any, choice: DataChoice) -> ImageSet:
    """Return the images to learn from, brought to the size and channels of ``source``'s model."""
    if choice.location is None:
        return load(location)
    options = {**loadable(choice.options), "channels": source.format.channels}
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
    choice = DataChoice.of(described)
    # the model's file may not be written yet; what the run began with always is
    beginning = Run(RunFolder(unfinished.path), load_classifier(unfinished.path / "last"))
    return choose_images(beginning, data, choice)


def _finished_classifier(run: Run, figures: bool, say: Callable[[str], None], images: ImageSet | None = None) -> Run:
    if figures and launch().leads:
        shown = attempt(lambda: answers_to_unlearned(run, images), "pictures of its answers", say)
        name = f"classifier on {run.description['data']['source']}"
        attempt(lambda: draw_classifier(run.path / "figures", name, run.history, shown), "pictures", say)
        write_report(ClassifierMaterial(RunFolder(run.path), shown), say)
    return run
