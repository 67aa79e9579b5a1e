"""Drift: have images changed against those that a model knows? By codes and by scores, with evidence (Rabanser et al. 2019).

Seven things are compared: the codes as a whole (kernel MMD, Gretton et al. 2012), three anomaly scores, and how images look
without a model, their brightness, contrast and detail (Kolmogorov-Smirnov). The smallest of seven p-values is small too often;
they are adjusted (Holm 1979), so that where nothing has changed the verdict "changed" comes with at most the asked probability.
Beside each p-value stands how far apart the images are, which a large number of images does not inflate.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import write_bytes, write_json
from latentia.core.errors import UserError
from latentia.core.noise import derive
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.anomaly_scores import Normal, codes_of, density, score
from latentia.tasks.apply import check_fit
from latentia.tasks.conformal import holm
from latentia.tasks.looks import LOOKS, looks_of
from latentia.tasks.subsets import some_at_random
from latentia.tasks.two_sample import PERMUTATIONS, Share, Values, ks_test, mmd_test, superiority, told_apart

LEAST = 20  # images in each set, below which a change cannot be told from chance
MOST = 2000  # images of each set that are compared
CODES, DENSITY, COMBINED = "codes", "density", "combined"
COMPARED = ("reconstruction", DENSITY, COMBINED)  # scores: an error, a distance of codes, and what detection goes by

Pair = tuple[Values, Values]  # of the new images, and of the reference images


@dataclasses.dataclass(frozen=True)
class Tested:
    """One thing that was compared.

    Attributes:
        name: ``codes``, or the name of a score or a look.
        statistic: squared MMD of the codes; the largest distance between distribution functions of a score or look.
        p: that images of one kind are as far apart.
        adjusted: the same, adjusted for the number of things that are compared.
        apart: of pairs of a new and a reference image, the share that a classifier puts in order by their codes; or in which
            the new image is the less normal one, or the brighter one, of more contrast, of more detail.
    """

    name: str
    statistic: float
    p: float
    adjusted: float
    apart: Share


@dataclasses.dataclass(frozen=True)
class Moved:
    """One number of the code.

    Attributes:
        unit: its place in the code; the channel of a spatial code.
        shift: the mean of the new images less that of the reference images, in standard deviations of the latter.
        statistic: the largest distance between distribution functions.
        adjusted: the p-value of that, adjusted for the size of the code.
    """

    unit: int
    shift: float
    statistic: float
    adjusted: float


@dataclasses.dataclass(frozen=True, eq=False)
class Drift(Printed):
    """What has changed.

    Attributes:
        images: the new images that were compared.
        reference: the images that they were compared with.
        against: what these are, in words.
        level: the asked probability of the verdict "changed" where nothing has changed.
        tests: the codes, each score and each look.
        moved: every number of the code, the one that moved most first.
        scores: each score of new and of reference images; higher is more normal.
        looks: brightness, contrast and detail of new and of reference images.
        told: how new an image looks by its code, to a classifier that has not seen it, of new and of reference images.
        spatial: whether codes were averaged over positions, so that their numbers are channels.
        left_out: new images that were not compared since the model was trained on or chosen by them.
        notes: sentences that a person should see.
    """

    images: ImageSet
    reference: ImageSet
    against: str
    level: float
    tests: tuple[Tested, ...]
    moved: tuple[Moved, ...]
    scores: Mapping[str, Pair]
    looks: Mapping[str, Pair]
    told: Pair
    spatial: bool = False
    left_out: int = 0
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything has changed, at the asked level."""
        return any(test.adjusted <= self.level for test in self.tests)

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """The new images' places, those that changed most first: by how far they are from the reference."""
        return np.argsort(-self.distances, kind="stable")

    @property
    def distances(self) -> npt.NDArray[np.float64]:
        """How far each new image is from the reference, float64 ``[N]``: by its code, its score, or a look that has changed.

        Whichever is most, in deviations (median absolute, scaled) of the reference images from their median.
        """
        new, old = self.scores[COMBINED]
        found = [_deviations(-new, -old), _deviations(*self.told)]
        for test in self.tests:
            if test.name in self.looks and test.adjusted <= self.level:
                away = _deviations(*self.looks[test.name])
                found.append(away if test.apart.value >= 0.5 else -away)
        return np.asarray(np.max(found, axis=0))

    def to_json(self) -> dict[str, Any]:
        """Return everything but the single images."""
        from latentia.tasks.drift_words import meaning, verdict

        return {
            "changed": self.changed,
            "verdict": verdict(self),
            "meaning": meaning(self),
            "level": self.level,
            "source": self.images.source,
            "count": len(self.images),
            "against": self.against,
            "reference_count": len(self.reference),
            "left_out": self.left_out,
            "tests": [dataclasses.asdict(test) for test in self.tests],
            "moved": [dataclasses.asdict(moved) for moved in self.moved],
            "notes": list(self.notes),
        }

    def save(self, folder: Path) -> list[Path]:
        """Write ``drift.json`` and ``images.csv``, those that changed most first, into ``folder``; return the files.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "distance", "code_looks_new", *self.scores, *self.looks])
        distances = self.distances
        for index in self.order.tolist():
            pairs = (*self.scores.values(), *self.looks.values())
            values = [distances[index], self.told[0][index], *(new[index] for new, _ in pairs)]
            writer.writerow([self.images.names[index], *(f"{value:.6g}" for value in values)])
        write_bytes(folder / "images.csv", text.getvalue().encode())
        write_json(folder / "drift.json", self.to_json())
        return [folder / "drift.json", folder / "images.csv"]

    def __str__(self) -> str:
        from latentia.tasks.drift_words import table

        return table(self)


def drift(
    model: Autoencoder,
    images: ImageSet,
    reference: ImageSet,
    normal: Normal,
    *,
    against: str = "",
    level: float = 0.05,
    most: int = MOST,
    seed: int = 0,
    left_out: int = 0,
) -> Drift:
    """Return whether ``images`` differ from ``reference`` to ``model``, and in what.

    Args:
        model: an autoencoder.
        images: the new images.
        reference: images that the model was not trained on, of the kind that it was trained on.
        normal: what is normal, learned from the training images.
        against: what the result calls the reference.
        level: the probability of the verdict "changed" where nothing has changed.
        most: images of each set that are compared; of more, so many at random.
        seed: of the choice, the permutations and the folds.
        left_out: images that the caller has left out already, for the record.

    Raises:
        UserError: a set does not fit the model or has fewer than 20 images, codes are not finite, or ``level`` is no
            probability that so many permutations can show.
    """
    if not 0.01 <= level < 1:
        raise UserError(f"the level is {level:g}, but it must lie between 0.01 and 1")
    if most < LEAST:
        raise UserError(f"{most} images of each set are asked for, but {LEAST} are needed to tell a change from chance")
    against = against or f"images of {reference.source}"
    for each, name in ((images, images.source), (reference, against)):
        check_fit(model, each)
        check_enough(len(each), name)
    new, old = (
        some_at_random(images, most, seed, "drift", "new"),
        some_at_random(reference, most, seed, "drift", "reference"),
    )
    codes = codes_of(model, new), codes_of(model, old)
    sets = ((new, codes[0]), (old, codes[1]))
    scores = {name: (_score(model, *sets[0], name, normal), _score(model, *sets[1], name, normal)) for name in COMPARED}
    apart, said = told_apart(*codes, seed=derive(seed, "told apart"))
    seen, known = looks_of(model, new), looks_of(model, old)
    looks = {name: (seen[name], known[name]) for name in LOOKS}
    tests = compare(codes, scores, looks, seed=seed)
    tests = (dataclasses.replace(tests[0], apart=apart), *tests[1:])
    told = said[: len(new)], said[len(new) :]
    notes, spatial = _notes(model, images, reference), len(model.code_shape) == 3
    return Drift(new, old, against, level, tests, _moved(*codes), scores, looks, told, spatial, left_out, notes)


def _score(
    model: Autoencoder, images: ImageSet, codes: npt.NDArray[np.float32], name: str, normal: Normal
) -> npt.NDArray[np.float64]:
    """Return a score of images whose codes are known: density needs no more than these."""
    return density(codes, normal) if name == DENSITY else score(model, images, name, normal)


def compare(
    codes: Pair,
    scores: Mapping[str, Pair],
    looks: Mapping[str, Pair],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> tuple[Tested, ...]:
    """Return the tests on codes ``[N, D]``, scores and looks ``[N]`` of new and reference images, adjusted for their number.

    How far apart the codes are is not told here (NaN): that takes a classifier.
    """
    found = [(CODES, *mmd_test(*codes, permutations=permutations, seed=derive(seed, "mmd")))]
    found += [(name, *ks_test(*pair)) for name, pair in (*scores.items(), *looks.items())]
    unknown = Share(float("nan"), float("nan"), float("nan"))
    # less normal is a lower score
    apart = [unknown, *(superiority(-new, -old) for new, old in scores.values())]
    apart += [superiority(*pair) for pair in looks.values()]
    adjusted = holm([p for _, _, p in found])
    return tuple(Tested(*row, each, share) for row, each, share in zip(found, adjusted, apart, strict=True))


def _deviations(new: Values, old: Values) -> npt.NDArray[np.float64]:
    middle = np.median(old)
    spread = 1.4826 * float(np.median(np.abs(old - middle)))
    return np.asarray((new - middle) / max(spread, 1e-9), dtype=np.float64)


def check_enough(count: int, name: str) -> None:
    """Raise a :class:`UserError` where ``count`` images are too few."""
    if count < LEAST:
        raise UserError(
            f"{name}: {count} image{'s' * (count != 1)}, but {LEAST} are needed on each side to tell a change from chance; "
            "add images, or look at single ones by latentia detect"
        )


def _moved(new: Values, old: Values) -> tuple[Moved, ...]:
    spread = old.std(axis=0, dtype=np.float64)
    # a number that is always the same has no standard deviation to count in
    usual = np.where(spread > 1e-6 * max(float(spread.max()), 1e-12), spread, np.inf)
    shifts = (new.mean(axis=0, dtype=np.float64) - old.mean(axis=0, dtype=np.float64)) / usual
    tested = [ks_test(new[:, unit], old[:, unit]) for unit in range(new.shape[1])]
    adjusted = holm([p for _, p in tested])
    rows = [Moved(unit, float(shifts[unit]), statistic, adjusted[unit]) for unit, (statistic, _) in enumerate(tested)]
    return tuple(sorted(rows, key=lambda row: -row.statistic))


def _notes(model: Autoencoder, images: ImageSet, reference: ImageSet) -> tuple[str, ...]:
    notes = []
    if images.pixels.dtype != reference.pixels.dtype:
        notes.append(
            f"{images.source} is {images.pixels.dtype} and the reference is {reference.pixels.dtype}: each is read by its own "
            "range, so a change of brightness may hide, or be made, by that"
        )
    if len(model.code_shape) == 3:
        notes.append(
            "the code keeps positions; its channels are averaged over them, so where something moved is not seen"
        )
    return tuple(notes)
