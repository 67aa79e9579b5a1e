"""A thin face over the rooms below: ``train``, ``crossvalidate``, ``select``, and the pictures that come with them."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from latentia.core.errors import UserError, unknown
from latentia.data.imageset import ImageSet
from latentia.data.load import SPLIT_SEED, training_parts
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.presets import design
from latentia.report.run_figures import draw_run
from latentia.runs import Run, loadable, open_run
from latentia.studies import crossvalidation, selection
from latentia.studies.comparison import RunComparison, are_crossvalidations, compare_runs
from latentia.studies.result import METRIC, Comparison, CrossValidation
from latentia.studies.result import compare as compare_folds
from latentia.studies.result import open_crossvalidation as open_result
from latentia.studies.selection import Selection
from latentia.tasks.corrupted import corrupt_and_restore
from latentia.tasks.generate import generate, has_prior
from latentia.tasks.inspect import feature_maps, first_filters
from latentia.tasks.reconstruct import reconstruct
from latentia.training.asked import separate
from latentia.training.run import DataChoice, resume_run, start_run
from latentia.training.run_folder import RunFolder
from latentia.training.storage import load_tensors
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
    RunFolder.open(source)
    weights, _ = load_tensors(source / "model.safetensors")
    moved = transfer(model, weights, str(source))
    tell(f"from {source}: {moved}")
    return {"from": str(source), **moved.to_json()}


def _silent(text: str) -> None:
    pass


def _to_stderr(text: str) -> None:
    import sys

    print(text, file=sys.stderr)
