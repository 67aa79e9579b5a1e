"""``crossvalidate`` and ``select``, whose results draw themselves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from latentia.api.saying import to_stderr
from latentia.core.errors import unknown
from latentia.runs import Run
from latentia.studies import crossvalidation, selection
from latentia.studies.out_of_fold_detection import OutOfFoldDetector
from latentia.studies.result import CrossValidation
from latentia.studies.result import open_crossvalidation as open_result
from latentia.studies.selection import Selection
from latentia.tasks.detect import Detection
from latentia.training.run_folder import RunFolder

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

    @functools.cached_property
    def detector(self) -> OutOfFoldDetector:
        """The detector that its folds make: each image judged by models that have not seen it."""
        return OutOfFoldDetector(self)

    def detect(
        self, data: Any = None, *, split: str = "all", score: str = "combined", false_alarms: float = 0.0
    ) -> Detection:
        """Return how normal each image of ``data`` is, by models that have not seen it, and which to flag.

        ``data`` are new images, or those of the cross-validation, by default its own. What ``false_alarms`` promises
        is less than a run's with calibration images: at most about twice the share is guaranteed; see
        :meth:`latentia.studies.out_of_fold_detection.OutOfFoldDetector.detect`.
        """
        images = self.images if data is None else Run(RunFolder(self.folds[0].path)).images(data, split)
        return self.detector.detect(images, name=score, false_alarms=false_alarms)

    def report(self) -> Path:
        """Write ``report.html`` into the result's folder and return its path."""
        from latentia.report.page.building import FILE, write_page
        from latentia.report.page.materials.folds import FoldsMaterial

        return write_page(FoldsMaterial(self), self.path / FILE, to_stderr)


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

    def report(self) -> Path:
        """Write ``report.html`` into the selection's folder and return its path."""
        from latentia.report.page.building import FILE, write_page
        from latentia.report.page.materials.selection import SelectionMaterial

        return write_page(SelectionMaterial(self), self.path / FILE, to_stderr)


def _drawing(function: Callable[P, CrossValidation]) -> Callable[P, CrossValidationResult]:
    """Return ``function`` with a result that draws itself: what trains many stands below what draws."""

    @functools.wraps(function)
    def drawn(*given: P.args, **options: P.kwargs) -> CrossValidationResult:
        return CrossValidationResult(function(*given, **options).path)

    return drawn


crossvalidate = _drawing(crossvalidation.crossvalidate)
open_crossvalidation = _drawing(open_result)


@functools.wraps(selection.select)
def select(*given: Any, **options: Any) -> SelectionResult:
    """Return what :func:`latentia.studies.selection.select` does, with a result that draws itself."""
    return dressed(SelectionResult, selection.select(*given, **options))


def dressed(kind: type[T], value: Any) -> T:
    """Return a dataclass as its sub-class ``kind``, which draws itself."""
    return kind(**{field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
