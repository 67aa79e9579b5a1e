"""Reconstruction from codes of the same size: squared error per pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from latentia.core.noise import derive
from latentia.tasks.reconstruct import reconstruct
from latentia.tasks.simple_codes import Rows, timed
from latentia.tasks.trial import Measured, Trial, trial
from latentia.tasks.trial_bench import LARGEST_NMF, MODEL, Bench, LeftOut

PLACE = 0


def trials(bench: Bench) -> Iterator[Trial]:
    """Yield the errors of the model, PCA, NMF and the mean image."""
    if bench.copies:
        raise LeftOut(
            f"a code has {bench.size:,} numbers and an image {bench.judged.format.pixels:,}, so the image itself is a code "
            "without an error"
        )
    fresh = bench.fresh
    found, seconds = timed(reconstruct, bench.model, bench.judged)
    ways = [Measured(MODEL, found.errors, bench.seconds, seconds)]
    for simple in bench.simple():
        rebuilt, seconds = timed(simple.rebuild, fresh)
        ways.append(Measured(simple.name, _squared(rebuilt, fresh), simple.seconds, seconds))
    mean, seconds = timed(bench.seen.mean, 0)
    ways.append(Measured("mean image", _squared(mean, fresh), seconds, 0.0))
    notes = ["per pixel, values in [0, 1]; the mean image is one answer for all, from no numbers"]
    if bench.nmf is None:
        notes.append(f"NMF is left out everywhere: it takes minutes for more than {LARGEST_NMF} parts")
    name = f"reconstruction from {bench.size:,} numbers"
    yield trial(name, "squared error", ways, higher=False, notes=notes, seed=derive(bench.seed, "reconstruction"))


def _squared(answer: Rows, truth: Rows) -> npt.NDArray[np.float64]:
    return np.square(answer - truth, dtype=np.float64).mean(1)
