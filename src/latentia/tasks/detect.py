"""Anomaly detection: how normal each image is, where it is not, and which to flag so that a promise holds."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import write_bytes
from latentia.core.errors import UserError, unknown
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.anomaly_scores import SCORES, Normal, score
from latentia.tasks.apply import over
from latentia.tasks.conformal import check_level, cross_guarantee, discoveries, false_alarm_range, p_values

HOT = 10.0  # times the usual error: the top of the scale of heat maps
FLOOR = 0.1  # of the mean error: where the training images are always the same, the usual error is next to nothing


@dataclasses.dataclass(frozen=True)
class Detection(Printed):
    """What was found.

    Attributes:
        images: the images.
        score: the name of the score.
        scores: float64 ``[N]``, higher is more normal.
        p: float64 ``[N]``, conformal p-values; ``None`` without calibration images.
        flagged: bool ``[N]``; none where no level was asked for.
        calibration: how many calibration images there were.
        false_alarms, fdr: the level that was asked for, 0 where it was not.
        learned: bool ``[N]``, images that the model was trained on or chosen by: their p-values promise nothing.
        among: bool ``[N]``, images that are calibration images themselves, ranked among the others.
        by: where the calibration images come from.
        folds: how many models scored the calibration images out of fold, 0 where one model scored them all.
    """

    images: ImageSet
    score: str
    scores: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64] | None
    flagged: npt.NDArray[np.bool_]
    calibration: int
    false_alarms: float
    fdr: float
    learned: npt.NDArray[np.bool_]
    among: npt.NDArray[np.bool_]
    by: str = ""
    folds: int = 0

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """-1 for flagged images, +1 for the others, as in scikit-learn."""
        return np.where(self.flagged, -1, 1)

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """The images' places, the oddest first."""
        return np.argsort(self.scores, kind="stable")

    @property
    def promises(self) -> tuple[str, ...]:
        """What the flags promise, a sentence each; none where no level was asked for."""
        level, told = self.false_alarms, []
        new = int((~self.among & ~self.learned).sum())
        if level and self.folds and new:
            most = cross_guarantee(level, self.calibration, self.folds)
            told.append(
                f"of images like those of the cross-validation at most {_percent(most)} are flagged, so much is guaranteed "
                f"(CV+); about {_percent(level)} is to be expected"
            )
        elif level and new:
            low, high = false_alarm_range(level, self.calibration, new)
            told.append(
                f"of images like the calibration images at most {_percent(level)} are flagged, on average over calibration sets; "
                f"were all {new:,} like them, {round(low * new):,} to {round(high * new):,} would be flagged (95 % interval)"
            )
        if self.fdr:
            told.append(f"of the flagged at most {_percent(self.fdr)} are like the calibration images, on average")
        if level and self.among.any():
            told.append(
                f"{int(self.among.sum()):,} of the images are calibration images, ranked among themselves: the oddest "
                f"{_percent(level)} of these are flagged, however odd they are"
            )
        return tuple(told)

    def write_csv(self, path: Path) -> None:
        """Write name, score, p-value, whether it is flagged and whether it was learned from, the oddest first."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "score", "p", "flagged", "learned"])
        for index in self.order.tolist():
            p = "" if self.p is None else f"{self.p[index]:.6g}"
            row = [self.images.names[index], f"{self.scores[index]:.6g}", p]
            writer.writerow([*row, int(self.flagged[index]), int(self.learned[index])])
        write_bytes(path, text.getvalue().encode())

    def __str__(self) -> str:
        count = len(self.scores)
        lines = [f"{self.images.source}, {count:,} images, score {self.score} (higher is more normal)"]
        if self.p is None:
            lines.append("  no threshold: --false-alarms or --fdr asks for one")
        else:
            lines.append(
                f"  {int(self.flagged.sum()):,} flagged, by {self.calibration:,} calibration images ({self.by})"
            )
        lines += [f"  {promise}" for promise in self.promises]
        if self.learned.any():
            lines.append(
                f"  {int(self.learned.sum()):,} of the images were trained on or chosen by: they look more normal than they "
                "are, and nothing is promised for them"
            )
        shown = ", ".join(f"{self.images.names[index]} ({self.scores[index]:.3g})" for index in self.order[:5])
        return "\n".join([*lines, f"  oddest: {shown}"])


def detect(
    model: Autoencoder,
    images: ImageSet,
    normal: Normal,
    *,
    name: str = "combined",
    calibration: ImageSet | None = None,
    by: str = "",
    false_alarms: float = 0.0,
    fdr: float = 0.0,
    learned: npt.NDArray[np.bool_] | None = None,
) -> Detection:
    """Score every image, and flag those that a level asks for.

    Args:
        model: an autoencoder.
        images: images that fit it.
        normal: what is normal, learned from the training images.
        name: one of ``reconstruction``, ``neighbours``, ``density``, ``masked``, ``combined``.
        calibration: normal images that the model has neither learned from nor was chosen by.
        by: where these come from, in words; their source by default.
        false_alarms: flag images whose p-value is at most this.
        fdr: flag so that at most this share of the flagged is normal, on average (Benjamini-Hochberg).
        learned: bool ``[N]``, images that were trained on or chosen by.

    Raises:
        UserError: an unknown score, no or too few calibration images for the level, or both levels at once.
    """
    check_asked(images, name, false_alarms, fdr)
    level, what = (false_alarms, "false alarms") if false_alarms else (fdr, "false discoveries")
    if level:
        check_level(level, 0 if calibration is None else len(calibration), what)
    p, flagged, among = None, np.zeros(len(images), dtype=bool), np.zeros(len(images), dtype=bool)
    if calibration is None:
        scores = score(model, images, name, normal)
    else:
        scores, known, among = _scores(images, calibration, lambda some: score(model, some, name, normal))
        p = p_values(scores, known, among)
        if false_alarms:
            flagged = p <= false_alarms
        elif fdr:
            flagged = discoveries(p, fdr)
    count, source = (0, "") if calibration is None else (len(calibration), calibration.source)
    own = np.zeros(len(images), dtype=bool) if learned is None else learned
    return Detection(images, name, scores, p, flagged, count, false_alarms, fdr, own, among, by or source)


def _scores(
    images: ImageSet, calibration: ImageSet, score_of: Callable[[ImageSet], npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the scores of the images and of the calibration images, and which of the former are among the latter.

    These keep the score that they have there: computed again among other images it may differ in the last digit, and then an
    image would be odder than itself.
    """
    known, among = score_of(calibration), images.among(calibration)
    places = {name: place for place, name in enumerate(calibration.names)}
    scores = np.empty(len(images)) if among.all() else score_of(images)
    scores[among] = known[[places[images.names[index]] for index in np.flatnonzero(among).tolist()]]
    return scores, known, among


def check_asked(images: ImageSet, name: str, false_alarms: float, fdr: float) -> None:
    """Raise a :class:`UserError` where no images are there, the score does not exist, or both levels are asked for."""
    if name not in SCORES:
        raise unknown("score", name, SCORES)
    if not len(images):
        raise UserError(f"{images.source} has no images, so there is nothing to detect")
    if false_alarms and fdr:
        raise UserError("--false-alarms and --fdr are different promises: ask for one of them")


def heat_maps(model: Autoencoder, images: ImageSet, normal: Normal) -> npt.NDArray[np.float32]:
    """Return how many times the usual error each pixel has, float32 ``[N, H, W]``.

    The squared error, mean over channels, smoothed by a Gaussian of a 28th of the longer side, over what training images have
    at the same place: the edges of normal images, which are always a little wrong, are not hot.
    """
    from scipy.ndimage import gaussian_filter

    height, width = images.pixels.shape[2:]
    sigma = max(height, width) / 28

    def smooth(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(gaussian_filter(values, (0, sigma, sigma)))

    errors = over(model, images, lambda batch: (model(batch.pixels) - batch.pixels).square().mean(1))
    usual = normal.usual
    if usual.shape != (height, width):  # images of another size than the training images
        usual = np.full((height, width), normal.usual.mean(), dtype=np.float32)
    floor = FLOOR * max(float(usual.mean()), 1e-6)
    return np.asarray(smooth(errors) / (smooth(usual[None]) + floor), dtype=np.float32)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
