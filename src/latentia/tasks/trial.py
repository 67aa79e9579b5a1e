"""One task done in several ways on the same images: each way with its interval, and the difference to the first with its own.

Intervals are over images, by the bootstrap (Efron 1979, percentiles): the same resampled images for every way, so that a
difference is judged image by image. They say nothing of how much one training differs from another.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from latentia.tasks.predict import wilson

RESAMPLES = 2000
OF_SETS = 300  # resamples of a figure that is no mean over images
LEAST = 20  # images below which no verdict is given: of 10 a percentile interval covers 90 % and not 95
NAN = float("nan")


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What one way came to on every image.

    Attributes:
        name: of the way.
        values: float64 ``[N]``; the figure is their mean.
        fit_seconds: what had to be learned first: training, fitting, choosing a setting.
        apply_seconds: doing it to the judged images.
        figure: the figure of the images at some places, where it is no mean of ``values``.
        told: it knows what the others do not, so that it is shown but is no rival.
    """

    name: str
    values: npt.NDArray[np.float64]
    fit_seconds: float
    apply_seconds: float
    figure: Callable[[npt.NDArray[np.int64]], float] | None = None
    told: bool = False


@dataclasses.dataclass(frozen=True)
class Way:
    """One way's figure, and what the first way, the trained model, is beside it.

    Attributes:
        name: of the way.
        value, low, high: the figure and its 95 % interval; no interval (NaN) of fewer than 20 images.
        gain, gain_low, gain_high: the model's figure less this one; NaN of the model itself.
        fit_seconds, apply_seconds, told: see :class:`Measured`.
    """

    name: str
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    fit_seconds: float
    apply_seconds: float
    told: bool = False

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``dataclasses.asdict`` and JSON made of one; ``null`` is NaN."""
        given: dict[str, Any] = {key: NAN if value is None else value for key, value in values.items()}
        return cls(**given)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One task.

    Attributes:
        name: such as ``reconstruction``.
        figure: what is measured, such as ``squared error``.
        higher: whether more is better.
        margin: a difference that hardly anyone would notice.
        count: images that judge.
        ways: the model first.
        notes: sentences that belong under the table.
    """

    name: str
    figure: str
    higher: bool
    margin: float
    count: int
    ways: tuple[Way, ...]
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> Way:
        """The trained model."""
        return self.ways[0]

    @property
    def rival(self) -> Way:
        """The best of the others that knows no more than the model."""
        others = [way for way in self.ways[1:] if not way.told]
        return (max if self.higher else min)(others, key=lambda way: way.value)

    @property
    def outcome(self) -> str:
        """``bought``, ``worse``, ``as well``, ``not told`` or ``too few``: the model beside the best of the others."""
        sign = 1 if self.higher else -1
        low, high = sorted((sign * self.rival.gain_low, sign * self.rival.gain_high))
        if math.isnan(low):
            return "too few"
        if -self.margin <= low and high <= self.margin:
            return "as well"
        if low > 0:
            return "bought"
        return "worse" if high < 0 else "not told"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``dataclasses.asdict`` and JSON made of one."""
        ways = tuple(Way.from_json(row) for row in values["ways"])
        return cls(**{**values, "ways": ways, "notes": tuple(values["notes"])})


def trial(
    name: str,
    figure: str,
    measured: Sequence[Measured],
    *,
    higher: bool,
    margin: float | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Trial:
    """Return the ways of one task with their intervals, the first being the model.

    Args:
        name, figure: of the task, and what is measured.
        measured: each way on the same images in the same order.
        higher: whether more is better.
        margin: a difference that hardly anyone would notice; a twentieth of the best other figure by default.
        notes: sentences that belong under the table.
        seed: of the resampled images.
    """
    count = len(measured[0].values)
    values = [_figure(each, None) for each in measured]
    drawn = _resampled(measured, count, seed) if count >= LEAST else np.full((len(measured), 1), NAN)
    ways = []
    for place, each in enumerate(measured):
        single = each.figure is None
        low, high = _interval(drawn[place], each.values if single else None, 0.0)
        gain, gain_low, gain_high = NAN, NAN, NAN
        if place:
            gain = values[0] - values[place]
            apart = measured[0].values - each.values if single else None
            gain_low, gain_high = _interval(drawn[0] - drawn[place], apart, -1.0)
        beside = (float(gain), gain_low, gain_high)
        ways.append(Way(each.name, values[place], low, high, *beside, each.fit_seconds, each.apply_seconds, each.told))
    found = Trial(name, figure, higher, margin or 0.0, count, tuple(ways), tuple(notes))
    return found if margin is not None else dataclasses.replace(found, margin=0.05 * abs(found.rival.value))


def _interval(
    drawn: npt.NDArray[np.float64], values: npt.NDArray[np.float64] | None, least: float
) -> tuple[float, float]:
    """Return the middle 95 % of ``drawn``.

    Where every image was right (or wrong, or right by both ways) resampling knows no doubt, though some of so many images may
    still not be (Wilson 1927); ``least`` is the smallest share, or difference
    of shares, and ``values`` are those of each image, ``None`` where the figure is no mean of them.
    """
    low, high = (float(end) for end in np.quantile(drawn, [0.025, 0.975]))
    if low == high and values is not None and np.isin(values, (-1.0, 0.0, 1.0)).all():
        doubt = wilson(0, len(values))[1]
        return max(least, low - doubt), min(1.0, high + doubt)
    return low, high


def _figure(measured: Measured, places: npt.NDArray[np.int64] | None) -> float:
    if measured.figure is None:
        return float(measured.values.mean() if places is None else measured.values[places].mean())
    return measured.figure(np.arange(len(measured.values)) if places is None else places)


def _resampled(measured: Sequence[Measured], count: int, seed: int) -> npt.NDArray[np.float64]:
    """Return the figure of each way on each set of resampled images, float64 ``[ways, resamples]``."""
    random = np.random.default_rng(seed)
    if any(each.figure is not None for each in measured):
        sets = [random.integers(0, count, count) for _ in range(OF_SETS)]
        found = np.array([[_figure(each, places) for places in sets] for each in measured])
        # images that are drawn twice agree with themselves, which moves such a figure; it is moved back
        return found + (np.array([_figure(each, None) for each in measured]) - found.mean(1))[:, None]
    values = np.stack([each.values for each in measured])
    found = np.empty((len(values), RESAMPLES))
    for start in range(0, RESAMPLES, 100):  # how often each image was drawn
        times = random.multinomial(count, np.full(count, 1 / count), size=100)
        found[:, start : start + 100] = values @ times.T / count
    return found
