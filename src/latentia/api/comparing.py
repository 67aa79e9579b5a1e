"""``compare``: runs, or two cross-validations, side by side, with a page of their own."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentia.api.saying import silent
from latentia.api.studies import dressed
from latentia.core.errors import LatentiaError, UserError
from latentia.data.imageset import ImageSet
from latentia.report.page.building import FILE, Material, write_page
from latentia.report.page.materials.comparison import ComparisonMaterial, FoldComparisonMaterial
from latentia.report.page.materials.run import few
from latentia.runs import Run, open_run
from latentia.studies.comparison import RunComparison, are_crossvalidations, compare_runs
from latentia.studies.paired import Paired, same_images
from latentia.studies.result import METRIC, Comparison, CrossValidation
from latentia.studies.result import compare as compare_folds
from latentia.training.run import DataChoice
from latentia.training.run_folder import RunFolder, circumstances

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIRED = 2000  # images that go through every model


class FoldComparison(Comparison):
    """Two cross-validations fold by fold, which draw themselves."""

    def figure(self) -> Figure:
        """Return the folds of both and their differences as a matplotlib figure."""
        from latentia.report.comparison_figure import folds_side_by_side

        return folds_side_by_side(self)

    def report(self, path: str | os.PathLike[str], say: Callable[[str], None] = silent) -> Path:
        """Write the page of the comparison to the file ``path`` and return it."""
        return write_page(FoldComparisonMaterial(self, circumstances()), Path(path), say)

    def keep(self, runs: str | os.PathLike[str], say: Callable[[str], None] = silent) -> Path:
        """Make a folder for the comparison below ``runs``, with its page, and return it."""
        return _kept(self, runs, say, lambda folder, described: FoldComparisonMaterial(self, described, folder))


class RunsSideBySide(RunComparison):
    """Several runs, which draw themselves."""

    def figure(self) -> Figure:
        """Return the runs' curves as a matplotlib figure."""
        from latentia.report.comparison_figure import runs_side_by_side

        return runs_side_by_side(self)

    @functools.cached_property
    def paired(self) -> Paired | None:
        """The same images through each model: the validation images of the first run, as far as they are at hand.

        ``None`` where they are not, or do not fit all of the models.
        """
        with contextlib.suppress(LatentiaError):
            opened = [open_run(run.path) for run in self.runs]
            images, on = _common_images(opened[0])
            trained = {run.description["data"]["train"]["fingerprint"] for run in opened}
            unseen = on == "validation" and (self.same_images or len(trained) == 1)
            return same_images(self.names, [run.model for run in opened], few(images, PAIRED), on, unseen=unseen)
        return None

    def report(self, path: str | os.PathLike[str], say: Callable[[str], None] = silent) -> Path:
        """Write the page of the comparison to the file ``path`` and return it."""
        return write_page(ComparisonMaterial(self, self.paired, circumstances()), Path(path), say)

    def keep(self, runs: str | os.PathLike[str], say: Callable[[str], None] = silent) -> Path:
        """Make a folder for the comparison below ``runs``, with its page, and return it."""
        return _kept(
            self, runs, say, lambda folder, described: ComparisonMaterial(self, self.paired, described, folder)
        )


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
    return dressed(FoldComparison, compare_folds(CrossValidation(paths[0]), CrossValidation(paths[1]), metric))


def _kept(
    found: FoldComparison | RunsSideBySide,
    runs: str | os.PathLike[str],
    say: Callable[[str], None],
    material: Callable[[Path, dict[str, Any]], Material],
) -> Path:
    folder = RunFolder.create(Path(runs), "comparison", {"kind": "comparison"})
    write_page(material(folder.path, folder.describe()), folder.path / FILE, say)
    folder.update(status="finished", comparison=found.to_json())
    return folder.path


def _common_images(run: Run) -> tuple[ImageSet, str]:
    """Return the validation images of a run, or its training images where there are no others, and which these are."""
    described = run.description["data"]
    train, held = DataChoice.of(described).load()
    return (held, "validation") if held is not None and len(held) else (train, "training")
