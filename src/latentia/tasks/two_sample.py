"""Do two samples come from one distribution? Tests with known false alarms, and effect sizes that do not grow with the count.

``mmd_test``: maximum mean discrepancy (Gretton et al. 2012, equation 5), with the mean of Gaussian kernels of several bandwidths
about the median distance of both samples together, since a change may be local or all over; its p-value is by permutation, and so
exact at any size. ``ks_test``: Kolmogorov-Smirnov.
``superiority``: how often a value of one sample exceeds one of the other, which is also the area under the ROC curve; its
interval is Newcombe's (2006, method 5), which has a width where everything is told apart, too.
``told_apart``: a classifier that learns to tell the samples apart, judged out of fold (Lopez-Paz & Oquab 2017). Its interval is
for what such a classifier comes to on other samples of this size. From other samples it learns otherwise, and the folds share
rows, so the standard error is widened as Nadeau & Bengio (2003, section 3) do for the mean over folds: the variance by
1 + K n_test / n_train, which is 2.25 of five folds.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.floating]
PERMUTATIONS = 999
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # in median distances
TOGETHER = 256  # permutations in one product of matrices
FOLDS = 5
WIDER = math.sqrt(1 + FOLDS / (FOLDS - 1))  # of the standard error, since folds learn from samples, too
EXACT = 250_000  # pairs up to which the exact Kolmogorov-Smirnov distribution is computed
NORMAL_975 = 1.959963984540054


@dataclasses.dataclass(frozen=True)
class Share:
    """A share of pairs: 0.5 where two samples are alike, 0 or 1 where they do not overlap.

    Attributes:
        value: the share.
        low, high: its 95 % interval.
    """

    value: float
    low: float
    high: float

    @property
    def distance(self) -> float:
        """How far it is from 0.5."""
        return abs(self.value - 0.5)


def mmd_test(first: Values, second: Values, *, permutations: int = PERMUTATIONS, seed: int = 0) -> tuple[float, float]:
    """Return the squared maximum mean discrepancy of rows ``[N, D]`` and ``[M, D]``, and its permutation p-value.

    The p-value is the share of relabelled samples that are at least as far apart, the observed one counted in.
    """
    rows = np.concatenate([first, second]).astype(np.float32)
    kernel = _gaussian(rows)
    count, total = len(first), len(rows)
    random = np.random.default_rng(seed % 2**63)
    labels = np.zeros((permutations + 1, total), dtype=np.float32)
    labels[0, :count] = 1
    for row in labels[1:]:
        row[random.permutation(total)[:count]] = 1
    weights = labels / count - (1 - labels) / (total - count)
    found = np.concatenate(
        [
            np.einsum("ij,ij->i", part @ kernel, part, dtype=np.float64)
            for part in np.array_split(weights, -(-len(weights) // TOGETHER))
        ]
    )
    # sums of float32 numbers: what differs in the last digits is equal
    return max(float(found[0]), 0.0), float((found >= found[0] * (1 - 1e-6) - 1e-9).mean())


def _gaussian(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the kernel of every pair, ``[N, N]``."""
    rows = rows - rows.mean(0)
    norms = np.square(rows).sum(1)
    apart = np.maximum(norms[:, None] + norms[None] - 2 * rows @ rows.T, 0)
    some = apart[:: max(1, len(rows) // 1000), :: max(1, len(rows) // 1000)]
    middle = float(np.median(some[~np.eye(len(some), dtype=bool)]))
    if middle <= 0:  # more than half of the rows are equal
        middle = float(apart.mean()) or 1.0
    kernel = np.zeros_like(apart)
    for bandwidth in BANDWIDTHS:
        kernel += np.exp(-apart / (2 * bandwidth**2 * middle))
    return kernel / len(BANDWIDTHS)


def ks_test(first: Values, second: Values) -> tuple[float, float]:
    """Return the largest distance between the distribution functions of two samples of numbers, and its p-value."""
    from scipy.stats import ks_2samp

    found = ks_2samp(first, second, method="exact" if len(first) * len(second) <= EXACT else "asymp")
    return float(found.statistic), float(found.pvalue)


def told_apart(first: Values, second: Values, *, seed: int = 0) -> tuple[Share, npt.NDArray[np.float64]]:
    """Return how well a classifier tells the rows ``[N, D]`` of ``first`` from those of ``second``, on rows it has not seen.

    A support vector machine with radial basis functions learns from four fifths and is asked about the last, five times.

    Returns:
        The share of pairs that it puts in order, with the interval of what it is on such samples, and its verdicts on ``first``
        and then ``second``, float64 ``[N + M]``, higher where a row looks like one of ``first``.
    """
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import SVC

    rows = np.concatenate([first, second]).astype(np.float64)
    rows = (rows - rows.mean(0)) / (rows.std() + 1e-12)
    ours = np.r_[np.ones(len(first), dtype=np.int64), np.zeros(len(second), dtype=np.int64)]
    said = np.empty(len(rows))
    for inside, outside in StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32).split(rows, ours):
        machine = SVC(class_weight="balanced").fit(rows[inside], ours[inside])
        said[outside] = machine.decision_function(rows[outside])
    return superiority(said[ours == 1], said[ours == 0], wider=WIDER), said


def superiority(first: Values, second: Values, *, wider: float = 1.0) -> Share:
    """Return how often a value of ``first`` is greater than one of ``second``, ties counted half (Mann & Whitney 1947).

    ``wider`` multiplies the standard error, where the values are less certain than independent ones.
    """
    order = np.sort(second)
    below, up_to = np.searchsorted(order, first, side="left"), np.searchsorted(order, first, side="right")
    value = float((below + up_to).mean() / (2 * len(order)))
    return Share(value, *_interval(value, len(first), len(second), wider))


def _interval(value: float, first: int, second: int, wider: float) -> tuple[float, float]:
    """Return the shares from which ``value`` is 1.96 of their own standard errors away."""
    from scipy.optimize import brentq

    other = (first + second) / 2 - 1

    def error(share: float) -> float:
        spread = 1 + other * ((1 - share) / (2 - share) + share / (1 + share))
        return wider * math.sqrt(share * (1 - share) * spread / (first * second))

    below, above = min(value, 1 - 1e-12), max(value, 1e-12)  # at 0 and 1 the error is 0, which is a root of no use
    low = 0.0 if value <= 0 else float(brentq(lambda share: value - share - NORMAL_975 * error(share), 0.0, below))
    high = 1.0 if value >= 1 else float(brentq(lambda share: share - value - NORMAL_975 * error(share), above, 1.0))
    return low, high
