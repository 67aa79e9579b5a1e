"""Are new images any good? Beside the images they should be like, with what real images reach, and a look for copies."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.classifier import Classifier
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.data.thumbnails import sheet
from latentia.tasks.apply import check_fit
from latentia.tasks.sample_scores import coverage, features_of, frechet, nearest
from latentia.tasks.subsets import some_at_random
from latentia.tasks.two_sample import superiority

LEAST = 20  # images without which no figure means anything
CHECKED = 1_000  # new images, and test images, whose nearest training image is looked for
CLOSE = 0.01  # the share of test images that are nearer to a training image than what counts as close


@dataclasses.dataclass(frozen=True)
class Likeness:
    """How like the test images a set of images is.

    Attributes:
        name: of the set.
        frechet: squared Fréchet distance of the features; 0 is best.
        precision: the share of the set that lies among the test images.
        recall: the share of the test images that lies among the set.
    """

    name: str
    frechet: float
    precision: float
    recall: float


@dataclasses.dataclass(frozen=True)
class Judgement(Printed):
    """What new images are worth.

    Attributes:
        name: what made the new images.
        extractor: the classifier whose features were compared, and what it was trained on.
        dimensions: of the features.
        source, split, count: the test images, and how many of each set were compared.
        rows: the new images, and as many training images: what no generator should be expected to beat.
        checked: new images whose nearest training image was looked for, among ``training`` of them.
        close: the share of these that are nearer to a training image than all but 1 % of test images are.
        nearer: how often a new image is nearer to the training images than a test image is (Meehan et al. 2020); 0.5 is alike.
        nearer_error: its standard error.
        samples, neighbours: the checked images, closest first, and the nearest training image of each.
        distances: float64, the per-pixel squared distance between them.
    """

    name: str
    extractor: str
    dimensions: int
    source: str
    split: str
    count: int
    rows: tuple[Likeness, ...]
    checked: int
    training: int
    close: float
    nearer: float
    nearer_error: float
    samples: ImageSet
    neighbours: ImageSet
    distances: npt.NDArray[np.float64]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that belong under the table."""
        notes = []
        if self.count < 2 * self.dimensions:
            notes.append(
                f"{self.count:,} images are few for {self.dimensions} features: compare Fréchet distances of equal counts only"
            )
        copies = int((self.distances == 0).sum())
        if copies:
            notes.append(f"{copies:,} of {self.checked:,} new images are training images to the bit")
        if self.nearer - 3 * self.nearer_error > 0.5 and self.close > 3 * CLOSE:
            notes.append(
                "new images are nearer to training images than test images are: look at the picture for copies (blurred images "
                "are near to everything, and are no copies)"
            )
        return tuple(notes)

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        named = (
            "extractor",
            "dimensions",
            "source",
            "split",
            "count",
            "checked",
            "training",
            "close",
            "nearer",
            "nearer_error",
        )
        values: dict[str, Any] = {name: getattr(self, name) for name in named}
        rows = [
            {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
            for row in map(dataclasses.asdict, self.rows)
        ]
        return {**values, "rows": rows, "notes": list(self.notes)}

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [
            f"{self.count:,} images of each set beside {self.source}, {self.split} split; features: {self.extractor} "
            f"({self.dimensions} numbers)",
            f"{'':<{width}}  Fréchet distance  precision  recall",
            *(
                f"{row.name:<{width}}  {row.frechet:16.3f}  {row.precision:9.3f}  {row.recall:6.3f}"
                for row in self.rows
            ),
            f"copies: {self.close:.1%} of {self.checked:,} new images are closer to one of {self.training:,} training images "
            f"than 99 % of test images are (1 % expected); a new image is nearer than a test image with probability "
            f"{self.nearer:.2f} +- {self.nearer_error:.2f} (0.5 expected)",
            "a Fréchet distance compares with others by the same features and count alone",
        ]
        return "\n".join([*lines, *self.notes])

    def _pictures_html(self) -> str:
        return sheet([self.samples, self.neighbours])


def judge(
    new: ImageSet,
    test: ImageSet,
    training: ImageSet,
    classifier: Classifier,
    *,
    name: str = "a generator",
    extractor: str = "classifier",
    most: int = 5_000,
    seed: int = 0,
) -> Judgement:
    """Compare ``new`` images with ``test`` images, and look for copies of ``training`` images.

    Args:
        new: generated images.
        test: images that the generator has not seen.
        training: those it was trained on; as many of them as of the others are compared, all are searched for copies.
        classifier: gives the features; it must know this kind of images.
        name: what the result calls the maker of the new images.
        extractor: what the result calls the classifier.
        most: images of each set that are compared; all sets are cut to the smallest, for the distance depends on the count.
        seed: which ones.

    Raises:
        UserError: a set does not fit the classifier or the others, or has fewer than 20 images.
    """
    for images in (new, test, training):
        check_fit(classifier, images)
        if len(images) < LEAST:
            raise UserError(
                f"{images.source} has {len(images)} images on its {images.split} split, but {LEAST} are needed to be compared"
            )
    count = min(most, len(new), len(test), len(training))
    if count < LEAST:
        raise UserError(f"{count} images of each set are asked for, but {LEAST} are needed to be compared")
    chosen = [
        some_at_random(images, count, seed, "judge", name)
        for images, name in ((new, "new"), (test, "test"), (training, "training"))
    ]
    ours, real, seen = (features_of(classifier, images) for images in chosen)
    rows = tuple(
        Likeness(name, frechet(features, real), coverage(features, real), coverage(real, features))
        for name, features in (("new images", ours), ("training images", seen))
    )
    some, others = (
        some_at_random(new, CHECKED, seed, "judge", "copies"),
        some_at_random(test, CHECKED, seed, "judge", "copies of test"),
    )
    unit = classifier.format.to_unit if classifier.format.dtype == new.format.dtype else new.format.to_unit
    distances, which = nearest(np.asarray(some.pixels), training.pixels, unit)
    expected, _ = nearest(np.asarray(others.pixels), training.pixels, unit)
    order = np.argsort(distances, kind="stable")
    nearer = superiority(expected, distances).value
    return Judgement(
        name=name,
        extractor=extractor,
        dimensions=ours.shape[1],
        source=test.source,
        split=test.split,
        count=count,
        rows=rows,
        checked=len(some),
        training=len(training),
        close=float((distances < np.quantile(expected, CLOSE)).mean()),
        nearer=nearer,
        nearer_error=_error_if_alike(len(distances), len(expected)),
        samples=some.select(order),
        neighbours=training.select(which[order]),
        distances=distances[order],
    )


def _error_if_alike(first: int, second: int) -> float:
    """Return the standard error of a share of pairs where both sets are alike (Mann & Whitney 1947)."""
    return math.sqrt((first + second + 1) / (12 * first * second))
