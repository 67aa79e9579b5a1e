"""``baselines``: should one train at all? Kept in the run's folder, and as a picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentia.api.studies import dressed
from latentia.core.atomic import storage_errors
from latentia.runs import Run, open_run
from latentia.tasks.baselines import MOST, Baselines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = "baselines.png"


class DrawnBaselines(Baselines):
    """A trained model beside its baselines, which draws itself."""

    def figure(self) -> Figure:
        """Return every task, its ways with their intervals, as a matplotlib figure."""
        from latentia.report.baselines_figure import baselines_figure

        return baselines_figure(self)

    def keep(self, folder: Path) -> list[Path]:
        """Write ``baselines.json``, ``baselines.csv`` and ``figures/baselines.png`` into ``folder`` and return them.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        from latentia.report.style import save

        place = folder / "figures"
        with storage_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        return [*self.save(folder), save(self.figure(), place / PICTURE)]


def baselines(
    run: Run | str | os.PathLike[str],
    data: Any = None,
    split: str | None = None,
    *,
    most: int = MOST,
    seed: int = 0,
    keep: bool = True,
) -> DrawnBaselines:
    """Return the model of ``run`` beside PCA, NMF, raw pixels and classical methods, on the same images and tasks.

    Args:
        run: an autoencoder's run.
        data: images that judge; by default the run's own validation images.
        split: the part that judges; by default ``validation`` of its own images, ``test`` where these are named as ``data``, and
            ``all`` of others.
        most: images that judge at most.
        seed: of every random choice.
        keep: write the result, its table and its picture into the run's folder; ``latentia report`` then shows it.

    Raises:
        UserError: a classifier's run, no images to judge by, or some that the run was trained on.
    """
    opened = run if isinstance(run, Run) else open_run(run)
    found = dressed(DrawnBaselines, opened.baselines(data, split, most=most, seed=seed, keep=False))
    if keep:
        found.keep(opened.path)
    return found
