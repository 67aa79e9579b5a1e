"""``drift``: have images changed against those that a run knows? Written down, and as pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentia.api.studies import dressed
from latentia.core.atomic import storage_errors
from latentia.runs import Run, open_run
from latentia.tasks.drift import MOST, Drift

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class DrawnDrift(Drift):
    """What has changed, which draws itself."""

    def figure(self) -> Figure:
        """Return how far apart the images are, their scores, and what moved in the code, as a matplotlib figure."""
        from latentia.report.drift_figure import drift_figure

        return drift_figure(self)

    def sheet(self) -> Figure:
        """Return the images that changed most beside new images and reference images at random."""
        from latentia.report.drift_figure import changed_most

        return changed_most(self)

    def keep(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``drift.json``, ``images.csv``, ``drift.png`` and ``changed.png`` into ``folder`` and return them.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        from latentia.report.style import save

        place = Path(folder)
        with storage_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        pictures = [save(self.figure(), place / "drift.png"), save(self.sheet(), place / "changed.png")]
        return [*self.save(place), *pictures]


def drift(
    run: Run | str | os.PathLike[str],
    data: Any,
    reference: Any = None,
    *,
    level: float = 0.05,
    most: int = MOST,
    seed: int = 0,
) -> DrawnDrift:
    """Return whether ``data`` has changed against the images that ``run`` knows.

    Args:
        run: an autoencoder's run.
        data: the new images, whatever :func:`latentia.load` takes.
        reference: what to compare with; the run's validation images by default.
        level: the probability of the verdict "changed" where nothing has changed.
        most: images of each set that are compared; of more, so many at random.
        seed: of the choice, the permutations and the folds.

    Raises:
        UserError: too few images, images that do not fit the run, or nothing to compare with.
    """
    opened = run if isinstance(run, Run) else open_run(run)
    return dressed(DrawnDrift, opened.drift(data, reference, level=level, most=most, seed=seed))
