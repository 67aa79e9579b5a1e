"""``crossvalidate``, ``select`` and ``compare``, whose results draw themselves."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from latentia.core.errors import UserError, unknown
from latentia.runs import open_run
from latentia.studies import crossvalidation, selection
from latentia.studies.comparison import RunComparison, are_crossvalidations, compare_runs
from latentia.studies.result import METRIC, Comparison, CrossValidation
from latentia.studies.result import compare as compare_folds
from latentia.studies.result import open_crossvalidation as open_result
from latentia.studies.selection import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")


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
