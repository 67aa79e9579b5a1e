"""A thin face over the rooms below: ``train``, ``finetune``, ``crossvalidate``, ``select``, and the pictures with them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from latentia.classifier import Head
from latentia.core.errors import UserError, unknown
from latentia.data.imageset import ImageSet, encode_labels
from latentia.data.labels import draw_labels, read_labels
from latentia.data.load import SPLIT_SEED, EmptySplit, all_but_test, load, training_parts
from latentia.finetuning import FineTuning
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.parts import AUGMENTATIONS
from latentia.presets import design
from latentia.report.classifier_figures import draw_classifier
from latentia.report.run_figures import draw_run
from latentia.runs import Run, loadable, open_run
from latentia.studies import crossvalidation, selection
from latentia.studies.comparison import RunComparison, are_crossvalidations, compare_runs
from latentia.studies.result import METRIC, Comparison, CrossValidation
from latentia.studies.result import compare as compare_folds
from latentia.studies.result import open_crossvalidation as open_result
from latentia.studies.selection import Selection
from latentia.tasks.corrupted import corrupt_and_restore
from latentia.tasks.finetune import resume_finetune, start_finetune
from latentia.tasks.generate import generate, has_prior
from latentia.tasks.inspect import feature_maps, first_filters
from latentia.tasks.reconstruct import reconstruct
from latentia.training.asked import DATA_OPTIONS, separate
from latentia.training.run import DataChoice, resume_run, start_run
from latentia.training.run_folder import RunFolder
from latentia.training.settings import FineTuneSettings
from latentia.training.storage import load_classifier, load_tensors
from latentia.training.transfer import transfer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")


def train(
    data: Any = None,
    preset: str = "cae",
    *,
    validation: Any = None,
    runs: str | os.PathLike[str] = "runs",
    init_from: Run | str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    split_seed: int = SPLIT_SEED,
    figures: bool = True,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Run:
    """Train an autoencoder and return its run.

    Args:
        data: whatever :func:`latentia.load` takes. Of a name or a path the training and validation splits are used; of an
            array or an ImageSet a tenth is set aside for validation.
        preset: the named autoencoder, such as ``"cae"``, ``"dae"`` or ``"vae:beta=4"``.
        validation: images to validate on, instead of those set aside.
        runs: the folder in which the run's own folder is made.
        init_from: a run whose matching layers the new model starts from.
        resume: an unfinished run to go on with; everything but ``data`` (needed where it was in memory) comes from it.
        split_seed: the seed of the validation split.
        figures: draw the pictures into the run folder.
        quiet: print nothing.
        say: told what a person should know; prints to stderr by default.
        options: options by the names of the command line, such as ``{"corruption.p": 0.3}``.
        **more: the same by keyword: fields of :class:`TrainSettings` (``epochs``, ``learning_rate``, ``seed``,
            ``device`` …), of the data (``size``, ``policy``, ``data_dir``), parts (``encoder="residual"``) and their
            fields (``latent_dim=32``, ``corruption__p=0.3``).

    Raises:
        UserError: data, preset or an option is wrong. TrainingDiverged, Interrupted, StorageError: see there.
    """
    tell = say or (_silent if quiet else _to_stderr)
    if resume is not None and RunFolder.open(resume).describe().get("kind") == "classifier":
        return finetune(resume=resume, data=data, figures=figures, quiet=quiet, say=tell)
    if resume is not None:
        folder, model = resume_run(resume, data, validation=validation, quiet=quiet, say=tell)
        return _finished(folder, model, data, validation, figures)
    if data is None:
        raise UserError("there is nothing to train on: name a data set, a folder of images, a file or an array")
    asked = separate(options, more)
    chosen = design(preset, asked.design)
    location = os.fspath(data) if isinstance(data, str | os.PathLike) else None
    choice = DataChoice(location, asked.data, split_seed)
    train_images, held = training_parts(
        data, split_seed=split_seed, validation=validation, quiet=quiet, **loadable(asked.data)
    )
    prepare = None
    if init_from is not None:
        source = init_from.path if isinstance(init_from, Run) else Path(init_from)
        prepare = functools.partial(_bring_layers, source, tell)
    folder, model = start_run(
        train_images,
        held,
        chosen,
        asked.settings,
        runs,
        choice=choice,
        prepare=prepare,
        quiet=quiet,
        say=tell,
    )
    return _finished(folder, model, train_images, held, figures)


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
    tell = say or (_silent if quiet else _to_stderr)
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


def draw_figures(folder: RunFolder, model: Autoencoder, images: ImageSet) -> list[Path]:
    """Draw the pictures of a run from ``images`` it did not train on (or its training images where there are no others)."""
    shown = images.select(np.arange(min(len(images), 2000)))
    objective = Objective.from_json(folder.describe()["objective"])
    return draw_run(
        folder.path,
        folder.describe(),
        folder.metrics(),
        result=reconstruct(model, shown),
        filters=first_filters(model),
        maps=feature_maps(model, shown),
        restoration=corrupt_and_restore(model, objective, shown.select(np.arange(min(len(shown), 10)))),
        samples=generate(model, objective=objective).images if has_prior(model, objective) else None,
    )


class CrossValidationResult(CrossValidation):
    """A finished cross-validation that draws itself."""

    def figure(self, name: str = "loss-bands") -> Figure:
        """Return one picture as a matplotlib figure: ``loss-bands``, ``fold-figures`` or ``worst-out-of-fold``.

        Raises:
            UserError: there is no such picture.
        """
        from latentia.report.crossval_figures import CROSSVALIDATION_FIGURES

        if name not in CROSSVALIDATION_FIGURES:
            raise unknown("picture", name, CROSSVALIDATION_FIGURES)
        return CROSSVALIDATION_FIGURES[name](self)

    def draw(self) -> list[Path]:
        """Draw all pictures into the result's folder, as PNG; return the files."""
        from latentia.report.crossval_figures import draw_crossvalidation

        return draw_crossvalidation(self)


class SelectionResult(Selection):
    """A selection that draws itself."""

    def figure(self) -> Figure:
        """Return the evidence as a matplotlib figure."""
        from latentia.report.selection_figure import evidence

        return evidence(self)

    def draw(self) -> list[Path]:
        """Draw the evidence into the selection's folder, as PNG; return the files."""
        from latentia.report.selection_figure import draw_selection

        return draw_selection(self)


def _drawing(function: Callable[P, CrossValidation]) -> Callable[P, CrossValidationResult]:
    """Return ``function`` with a result that draws itself: what trains many stands below what draws."""

    @functools.wraps(function)
    def dressed(*given: P.args, **options: P.kwargs) -> CrossValidationResult:
        return CrossValidationResult(function(*given, **options).path)

    return dressed


crossvalidate = _drawing(crossvalidation.crossvalidate)
open_crossvalidation = _drawing(open_result)


@functools.wraps(selection.select)
def select(*given: Any, **options: Any) -> SelectionResult:
    """Return what :func:`latentia.studies.selection.select` does, with a result that draws itself."""
    return _dressed(SelectionResult, selection.select(*given, **options))


class FoldComparison(Comparison):
    """Two cross-validations fold by fold, which draw themselves."""

    def figure(self) -> Figure:
        """Return the folds of both and their differences as a matplotlib figure."""
        from latentia.report.comparison_figure import folds_side_by_side

        return folds_side_by_side(self)


class RunsSideBySide(RunComparison):
    """Several runs, which draw themselves."""

    def figure(self) -> Figure:
        """Return the runs' curves as a matplotlib figure."""
        from latentia.report.comparison_figure import runs_side_by_side

        return runs_side_by_side(self)


def compare(
    paths: Sequence[str | os.PathLike[str]], *, metric: str = METRIC, test: bool = False
) -> FoldComparison | RunsSideBySide:
    """Return two cross-validations compared fold by fold, or two or more training runs side by side.

    Args:
        paths: their folders.
        metric: what cross-validations are compared by.
        test: judge training runs on the test images of their data, too.

    Raises:
        UserError: folders of different kinds, too few or too many, or cross-validations of other images or folds.
    """
    if not are_crossvalidations(paths):
        found = compare_runs(paths)
        tested = tuple(
            {"reconstruction_mse": result.reconstruction_mse, **result.figures}
            for result in (open_run(path).evaluate(split="test") for path in (paths if test else ()))
        )
        return RunsSideBySide(found.runs, tested)
    if test:
        raise UserError("cross-validations are judged out of fold, not on test images: leave --test out")
    if len(paths) != 2:
        raise UserError(
            f"{len(paths)} cross-validation(s) are named, but a paired test takes two (select compares several settings)"
        )
    return _dressed(FoldComparison, compare_folds(CrossValidation(paths[0]), CrossValidation(paths[1]), metric))


def _dressed(kind: type[T], value: Any) -> T:
    """Return a dataclass as its sub-class ``kind``, which draws itself."""
    return kind(**{field.name: getattr(value, field.name) for field in dataclasses.fields(value)})


def _finished(folder: RunFolder, model: Autoencoder, data: Any, validation: Any, figures: bool) -> Run:
    if figures:
        if not isinstance(data, ImageSet):
            described = folder.describe()["data"]
            choice = DataChoice(described["location"], described["options"], described["split_seed"])
            data, validation = choice.load(data, validation)
        draw_figures(folder, model, validation if isinstance(validation, ImageSet) else data)
    return Run(folder, model)


def _bring_layers(source: Path, tell: Callable[[str], None], model: Autoencoder) -> dict[str, Any]:
    if RunFolder.open(source).describe().get("kind") == "classifier":
        raise UserError(
            f"{source} is a classifier already: start from the run of an autoencoder, such as the one it came from"
        )
    weights, _ = load_tensors(source / "model.safetensors")
    moved = transfer(model, weights, str(source))
    tell(f"from {source}: {moved}")
    return {"from": str(source), **moved.to_json()}


def _silent(text: str) -> None:
    pass


def _to_stderr(text: str) -> None:
    import sys

    print(text, file=sys.stderr)
