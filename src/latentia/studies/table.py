"""The table that a cross-validation prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from latentia.studies.statistics import Estimate

if TYPE_CHECKING:
    from latentia.studies.result import CrossValidation

MOST_ROWS = 20  # of single folds


def table(result: CrossValidation) -> str:
    """Return figures with intervals, a line for each fold, and how far the interval can be trusted."""
    from latentia.studies.result import METRIC, width_advice

    described, study = result.description, result.description["study"]
    repeats = f", {study['repeats']} times" if study["repeats"] > 1 else ""
    lines = [
        f"{described['preset']} on {described['data']['source']}: {study['folds'] or len(result.folds)} folds{repeats} of "
        f"{len(result.images):,} images, at most {study['settings']['epochs']} epochs, "
        f"code of {result.codes.shape[1]} values",
        f"  {'out of fold, mean over images':<32}{'mean':>11}{'std':>11}   95 % interval (corrected for overlap)",
    ]
    twins = {"reconstruction": "loss", "mse": METRIC}  # left out where they are the same figure under another name
    for name, figure in result.metrics.items():
        twin = result.metrics.get(twins.get(name, ""))
        if twin is not None and np.allclose(figure.values, twin.values, rtol=1e-5):
            continue
        lines.append(f"  {_label(name):<32}{figure.mean:>11.5g}{figure.std:>11.2g}   {_interval(figure)}")
    lines.append(f"  {'fold':<6}{'held out':>9}{'best epoch':>12}{'seconds':>9}   {METRIC}")
    for fold in result.folds[:MOST_ROWS]:
        lines.append(
            f"  {fold.number:<6}{len(fold.fold.test):>9,}{fold.best_epoch:>12}{fold.seconds:>9.1f}   "
            f"{fold.figures[METRIC]:.5g}"
        )
    if len(result.folds) > MOST_ROWS:
        lines.append(f"  … and {len(result.folds) - MOST_ROWS} more")
    notes = [width_advice(result), described["duplicates"]["note"]]
    if result.final is not None:
        notes.append(f"final model, refitted on all {len(result.images):,} images: {result.final}")
    return "\n".join([*lines, *(note for note in notes if note)])


def _label(name: str) -> str:
    return {"reconstruction_mse": "reconstruction_mse (clean input)", "mse": "mse (as trained)"}.get(name, name)


def _interval(figure: Estimate) -> str:
    return "none of a single fold" if figure.low != figure.low else f"{figure.low:.5g} to {figure.high:.5g}"
