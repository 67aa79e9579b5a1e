"""Do more labels still pay? Told without any label set aside: by how stable the answers are from round to round.

Two classifiers of successive rounds are compared on images that neither learned the labels of; where their agreement beyond
chance (Cohen's kappa) is 0.99 or more, further labels change hardly anything (Bloodgood & Vijay-Shanker 2009, who stop when that
holds on average over three rounds). Beside it stands the accuracy of a linear probe on the autoencoder's frozen codes,
cross-validated among the labels so far, and what the probe gained from the second half of them. That is no estimate for all
images: images picked for being typical are easier than most, those picked for being unsure are harder.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.tasks.predict import LABELS, learned_labels, wilson
from latentia.tasks.shallow import shallow_answers
from latentia.training.run_folder import RunFolder

SETTLED = 0.99  # kappa from which answers are stable
FOLDS, HALVINGS = 5, 3
FEWEST = 10  # labels that are cross-validated


@dataclasses.dataclass(frozen=True)
class Stability(Printed):
    """How the answers of two rounds agree.

    Attributes:
        before: what the earlier round is called.
        labels: labels of the earlier and of the later round.
        images: how many were compared.
        agreement: the share that both name alike.
        kappa: the agreement beyond chance (Cohen 1960).
        news: classes that the later round knows and the earlier did not.
    """

    before: str
    labels: tuple[int, int]
    images: int
    agreement: float
    kappa: float
    news: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether more labels would change hardly anything."""
        return self.kappa >= SETTLED and not self.news

    def __str__(self) -> str:
        more = self.labels[1] - self.labels[0]
        text = (
            f"the last {more:,} label{'s' * (more != 1)} changed {1 - self.agreement:.2%} of the answers on "
            f"{self.images:,} images without a label (kappa {self.kappa:.3f} with {self.before}, which had {self.labels[0]:,})"
        )
        return f"{text}; new since then: {', '.join(self.news)}" if self.news else text


@dataclasses.dataclass(frozen=True)
class CrossValidated(Printed):
    """A linear probe on frozen codes, among the labels so far.

    Attributes:
        count: labels that were held out in turn.
        accuracy: over them, with the others learned from.
        low, high: its 95 % interval (Wilson 1927).
        half: the accuracy where half of the labels is learned from, over three halvings.
        gain: what the others brought, with its 95 % interval over labelled images, ``gain_low`` to ``gain_high``.
    """

    count: int
    accuracy: float
    low: float
    high: float
    half: float
    gain: float
    gain_low: float
    gain_high: float

    def __str__(self) -> str:
        more = f"{100 * self.gain:+.1f} points ({100 * self.gain_low:+.1f} to {100 * self.gain_high:+.1f})"
        interval = f"({self.low:.1%} to {self.high:.1%})"
        return (
            f"cross-validated on the {self.count:,} labels so far of classes that have two or more, a linear probe on frozen "
            "codes is right on "
            f"{self.accuracy:.1%} {interval}, with half of them on {self.half:.1%}: {more}; these images were picked, so this "
            "is no estimate for all"
        )


@dataclasses.dataclass(frozen=True)
class Paying(Printed):
    """Whether more labels pay.

    Attributes:
        stability: against the round before; ``None`` in the first.
        probe: among the labels so far; ``None`` where they are too few.
    """

    stability: Stability | None
    probe: CrossValidated | None

    @property
    def verdict(self) -> str:
        """What to do."""
        rising = self.probe is not None and self.probe.gain_low > 0
        if self.stability is None:
            if rising:
                return "more labels still pay: the second half of those so far made the probe better"
            return "whether more labels pay can be told when classifiers of two rounds can be compared"
        if not self.stability.settled:
            return f"more labels still pay: answers still change (kappa below {SETTLED})"
        if rising:
            return "answers hardly change any more, though the probe still gains: one more round will tell"
        return "more labels like these hardly pay any more: answers are stable; stop when the next round says so, too"

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "stability": None if self.stability is None else dataclasses.asdict(self.stability),
            "probe": None if self.probe is None else dataclasses.asdict(self.probe),
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        lines = [str(each) for each in (self.stability, self.probe) if each is not None]
        return "\n".join([*lines, self.verdict])


def stability(
    before: tuple[str, list[str], tuple[str, ...], int], now: tuple[list[str], tuple[str, ...], int]
) -> Stability | None:
    """Return how the answers of two rounds agree; ``None`` where there is no image to compare on.

    Args:
        before: what it is called, its answers by name, its classes, and how many labels it had.
        now: the same without a name; the answers are of the same images.
    """
    from sklearn.metrics import cohen_kappa_score

    called, earlier, known, fewer = before
    later, classes, more = now
    if not later:
        return None
    same = float(np.mean([one == other for one, other in zip(earlier, later, strict=True)]))
    kappa = 1.0 if same == 1.0 else float(cohen_kappa_score(earlier, later))
    news = tuple(name for name in classes if name not in known)
    return Stability(called, (fewer, more), len(later), same, kappa, news)


def cross_validated(codes: npt.NDArray[np.float32], names: list[str], seed: int = 0) -> CrossValidated | None:
    """Return how right a linear probe is among ``names``, the labels of ``codes [L, D]``; ``None`` where they are too few.

    Classes with a single label are learned from and never held out alone: such a label cannot be foretold from others.
    """
    from sklearn.model_selection import StratifiedKFold

    _, numbers = np.unique(names, return_inverse=True)
    counts = np.bincount(numbers)
    able = np.flatnonzero(counts[numbers] >= 2)
    if len(able) < FEWEST or (counts >= 2).sum() < 2:
        return None
    alone = np.flatnonzero(counts[numbers] < 2)
    folds = min(FOLDS, int(counts[counts >= 2].min()))
    whole = _right(codes, numbers, able, alone, StratifiedKFold(max(folds, 2), shuffle=True, random_state=seed), seed)
    halves = [
        _right(codes, numbers, able, alone, StratifiedKFold(2, shuffle=True, random_state=seed + turn), seed)
        for turn in range(HALVINGS)
    ]
    half = np.mean(halves, axis=0)
    accuracy = float(whole.mean())
    low, high = wilson(int(whole.sum()), len(able))
    apart = whole - half
    reach = 1.959964 * float(apart.std(ddof=1)) / math.sqrt(len(able))
    gain = float(apart.mean())
    return CrossValidated(len(able), accuracy, low, high, float(half.mean()), gain, gain - reach, gain + reach)


def find_round_before(path: Path) -> Path | None:
    """Return the classifier's run beside ``path`` with labels of the most of its images and of no others, or ``None``.

    Both come from the same autoencoder; controls and unfinished runs do not count.
    """
    described, own = RunFolder.open(path).describe(), learned_labels(path).keys()
    found: list[tuple[int, str, Path]] = []
    for place in path.resolve().parent.glob(f"*-classifier/{LABELS}"):
        if place.parent == path.resolve():
            continue
        try:
            other = RunFolder(place.parent).describe()
        except UserError:
            continue  # a damaged or foreign folder is no round
        labels = learned_labels(place.parent).keys()  # a label may have been corrected since
        fits = labels < own and other.get("status") == "finished"
        if fits and not other["origin"]["scratch"] and other["origin"]["from"] == described["origin"]["from"]:
            found.append((len(labels), other["created"], place.parent))
    return max(found)[2] if found else None


def _right(
    codes: npt.NDArray[np.float32],
    numbers: npt.NDArray[np.int64],
    able: npt.NDArray[np.int64],
    alone: npt.NDArray[np.int64],
    parts: Any,
    seed: int,
) -> npt.NDArray[np.float64]:
    right = np.zeros(len(able))
    for inside, outside in parts.split(able, numbers[able]):
        rows = np.concatenate([able[inside], alone])
        said, _ = shallow_answers("logistic", codes[rows], numbers[rows], codes[able[outside]], seed)
        right[outside] = said == numbers[able[outside]]
    return right
