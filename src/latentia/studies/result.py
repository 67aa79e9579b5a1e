"""What a cross-validation came to: an honest verdict on every image, figures with intervals, and paired comparison."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.atomic import write_json
from latentia.core.errors import UserError, unknown
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.studies.folder import FINAL, JUDGED, flat, fold_path, is_finished, open_result, read_folds
from latentia.studies.folds import Fold
from latentia.studies.pool import load_array, read_pool, save_array
from latentia.studies.statistics import Estimate, estimate, factor, paired_p_value
from latentia.training.run_folder import RunFolder
from latentia.training.storage import FORMAT, load_tensors, save_tensors

METRIC = "reconstruction_mse"
NARROW = 3  # the repeats whose effect on the interval is told


@dataclasses.dataclass(frozen=True)
class FoldResult:
    """One fold.

    Attributes:
        number: from 0, over all repeats.
        fold: its images, as positions in the pool.
        path: its run folder.
        figures: means over its held-out images: ``reconstruction_mse`` from clean inputs (pixels in [0, 1]) and the
            objective's own terms.
        history: one record for each epoch; ``validation`` there is the part of the training folds that chose the epoch.
        best_epoch, seconds: of its training.
    """

    number: int
    fold: Fold
    path: Path
    figures: dict[str, float]
    history: list[dict[str, Any]]
    best_epoch: int
    seconds: float


class CrossValidation(Printed):
    """A finished cross-validation in its folder.

    Attributes:
        path: the result's folder; ``fold-0``, ``fold-1`` … in it are run folders, and so is ``final`` where there is one.
        description: what ``run.json`` says.
        folds: the folds, in order.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        folder = open_result(Path(path))
        self.path, self.description = folder.path, folder.describe()
        splits = read_folds(self.path)
        open_folds = [number for number in range(len(splits)) if not is_finished(self.path, number)]
        if open_folds:
            raise UserError(
                f"{self.path} is unfinished: {len(open_folds)} of {len(splits)} folds are still to be trained "
                "(the same command goes on with them)"
            )
        self.folds = [self._fold(number, fold) for number, fold in enumerate(splits)]
        if not (self.path / "out-of-fold.safetensors").is_file():
            self._assemble()

    @functools.cached_property
    def images(self) -> ImageSet:
        """The pool, its pixels memory-mapped."""
        return read_pool(self.path)

    @property
    def errors(self) -> npt.NDArray[np.float64]:
        """Each image's error under the models that have not seen it, float64 ``[N]``.

        Per-pixel MSE from clean inputs, pixels in [0, 1]; the mean over repeats; NaN for images that no fold held out.
        """
        return self._tensors["errors"].numpy()

    @property
    def codes(self) -> npt.NDArray[np.float32]:
        """Each image's code by the model of its fold (first repeat), float32 ``[N, D]``: not comparable between folds."""
        return self._tensors["codes"].numpy()

    @property
    def fold_of(self) -> npt.NDArray[np.int64]:
        """The fold whose model gave each image's code and reconstruction, int64 ``[N]``; -1 where none did."""
        return self._tensors["fold"].numpy()

    @functools.cached_property
    def reconstructions(self) -> ImageSet:
        """Each image as the model of its fold (first repeat) rebuilds it; black where no fold held it out."""
        return self.images.with_pixels(load_array(self.path / "out-of-fold-reconstructions.npy"))

    @functools.cached_property
    def metrics(self) -> dict[str, Estimate]:
        """Each figure over the folds, with its corrected interval."""
        names = [name for name in self.folds[0].figures if all(name in fold.figures for fold in self.folds)]
        return {name: estimate([fold.figures[name] for fold in self.folds], self.overlap) for name in names}

    @property
    def overlap(self) -> float:
        """Images judged for each one trained on, ``n_test / n_train``; those that choose the epoch count as trained on."""
        sizes = [(len(fold.fold.test), len(fold.fold.train) + len(fold.fold.validation)) for fold in self.folds]
        return float(np.mean([test / train for test, train in sizes]))

    @property
    def final(self) -> Path | None:
        """The run folder of the model refitted on everything, where there is one."""
        return fold_path(self.path, FINAL) if is_finished(self.path, FINAL) else None

    def worst(self, n: int = 20) -> npt.NDArray[np.int64]:
        """Return the positions of the ``n`` images of greatest out-of-fold error, the worst first."""
        known = np.flatnonzero(np.isfinite(self.errors))
        return np.asarray(known[np.argsort(-self.errors[known], kind="stable")][:n])

    def to_json(self) -> dict[str, Any]:
        """Return the figures: what ``result.json`` holds."""
        return {
            "format": FORMAT,
            "preset": self.description["preset"],
            "folds": len(self.folds),
            "overlap": self.overlap,
            "metrics": {name: dataclasses.asdict(value) for name, value in self.metrics.items()},
            "duplicates": self.description["duplicates"],
        }

    def __str__(self) -> str:
        from latentia.studies.table import table

        return table(self)

    def __repr__(self) -> str:
        return f"<CrossValidation {self.path}: {self.description['preset']}, {len(self.folds)} folds>"

    @functools.cached_property
    def _tensors(self) -> dict[str, torch.Tensor]:
        return load_tensors(self.path / "out-of-fold.safetensors")[0]

    def _fold(self, number: int, fold: Fold) -> FoldResult:
        folder = RunFolder(fold_path(self.path, number))
        described = folder.describe()
        _, metadata = load_tensors(folder.path / JUDGED)
        return FoldResult(
            number,
            fold,
            folder.path,
            metadata["figures"],
            folder.metrics(),
            described["best_epoch"],
            described["seconds"],
        )

    def _assemble(self) -> None:
        """Bring the folds' verdicts into the images' own order."""
        count = len(self.images)
        sums, seen, owner = np.zeros(count), np.zeros(count), np.full(count, -1, dtype=np.int64)
        pixels = np.zeros(self.images.pixels.shape, dtype=self.images.pixels.dtype)
        codes: npt.NDArray[np.float32] | None = None
        for result in self.folds:
            tensors, _ = load_tensors(result.path / JUDGED)
            test = result.fold.test
            sums[test] += tensors["errors"].numpy()
            seen[test] += 1
            first = owner[test] < 0
            chosen = test[first]
            owner[chosen] = result.number
            pixels[chosen] = load_array(result.path / "out-of-fold-reconstructions.npy")[first]
            found = tensors["codes"].numpy()
            codes = np.full((count, found.shape[1]), np.nan, dtype=np.float32) if codes is None else codes
            codes[chosen] = found[first]
        errors = np.where(seen > 0, sums / np.maximum(seen, 1), np.nan)
        assert codes is not None  # a developer's invariant: there are folds
        save_array(self.path / "out-of-fold-reconstructions.npy", pixels)
        write_json(self.path / "result.json", self.to_json())
        arrays = {"errors": errors, "codes": codes, "fold": owner}
        save_tensors(
            self.path / "out-of-fold.safetensors", {key: torch.from_numpy(value) for key, value in arrays.items()}
        )


@dataclasses.dataclass(frozen=True)
class Comparison(Printed):
    """Two results on the same folds.

    Attributes:
        names: of the two.
        metric: the figure compared.
        difference: of the first's figure less the second's, over folds.
        p_value: two-sided, of the corrected paired t-test; NaN of a single fold.
        values: the figure of each, fold by fold.
        settings: what they differ in, by dotted names.
    """

    names: tuple[str, str]
    metric: str
    difference: Estimate
    p_value: float
    values: tuple[tuple[float, ...], tuple[float, ...]]
    settings: dict[str, tuple[Any, Any]]

    @property
    def verdict(self) -> str:
        """What the test says, at five per cent."""
        if not self.p_value < 0.05:
            return "no difference that these folds can tell"
        return f"{self.names[self.difference.mean > 0]} is lower"

    def to_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {**dataclasses.asdict(self), "verdict": self.verdict}

    def __str__(self) -> str:
        first, second = self.names
        found = self.difference
        lines = [f"{key}: {one} in {first}, {other} in {second}" for key, (one, other) in self.settings.items()]
        means = [float(np.mean(values)) for values in self.values]
        lines.append(
            f"{self.metric}: {first} {means[0]:.5g}, {second} {means[1]:.5g}; difference {found.mean:+.3g}, 95 % interval "
            f"{found.low:+.3g} to {found.high:+.3g}, p = {self.p_value:.3g} (corrected paired t-test over "
            f"{len(found.values)} folds): {self.verdict}"
        )
        return "\n".join(lines)


def open_crossvalidation(path: str | os.PathLike[str]) -> CrossValidation:
    """Return the cross-validation in the folder ``path``.

    Raises:
        UserError: it is none, or unfinished.
    """
    return CrossValidation(path)


def compare(first: CrossValidation, second: CrossValidation, metric: str = METRIC) -> Comparison:
    """Return the paired comparison of two results on the same images and folds (Nadeau & Bengio 2003).

    Raises:
        UserError: they are of other images or folds, or have no such figure.
    """
    for what in ("data", "splits"):
        if first.description["study"][what] != second.description["study"][what]:
            raise UserError(
                f"{first.path} and {second.path} are not of the same {'images' if what == 'data' else 'folds'}, "
                "so their folds cannot be paired"
            )
    for result in (first, second):
        if metric not in result.metrics:
            raise unknown("figure", metric, result.metrics)
    differences = [
        one - other for one, other in zip(first.metrics[metric].values, second.metrics[metric].values, strict=True)
    ]
    return Comparison(
        (_name(first), _name(second)),
        metric,
        estimate(differences, first.overlap),
        paired_p_value(differences, first.overlap),
        (first.metrics[metric].values, second.metrics[metric].values),
        _differing(first, second),
    )


def _differing(first: CrossValidation, second: CrossValidation) -> dict[str, tuple[Any, Any]]:
    one, other = flat(first.description["study"]), flat(second.description["study"])
    keys = dict.fromkeys([*one, *other])
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def width_advice(result: CrossValidation) -> str:
    """Return how wide the interval is, and what repeats would make of it."""
    found, count = result.metrics[METRIC], len(result.folds)
    if math.isnan(found.error):
        return "one fold gives no interval: use 2 folds or more"
    now = factor(count, result.overlap)
    text = (
        f"the interval of {METRIC} is ± {found.half_width:.2g}, {100 * found.half_width / max(found.mean, 1e-30):.1f} % of the "
        f"mean: with {count} trainings on overlapping images it is {now:.2g} standard deviations to each side"
    )
    if count >= 10:
        return text
    return f"{text}; --repeats {NARROW} would make that about {factor(NARROW * count, result.overlap):.2g}"


def _name(result: CrossValidation) -> str:
    return result.path.name
