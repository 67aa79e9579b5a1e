"""Folds: which images each training sees, chooses its best epoch by, and is judged on."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.core.noise import derive
from latentia.data.duplicates import join_groups
from latentia.data.imageset import ImageSet
from latentia.data.splits import VALIDATION, carve

Positions = npt.NDArray[np.int64]


class Splitter(Protocol):
    """What scikit-learn's splitters have in common."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        """Yield ``(train, test)`` positions."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """Positions in the pool, ascending.

    Attributes:
        repeat: which repetition of the whole split it belongs to.
        train: images the weights are fitted to.
        validation: a small part of the training folds, by which the best epoch is chosen; may be empty.
        test: the held-out fold, seen by nothing but the verdict.
    """

    repeat: int
    train: Positions
    validation: Positions
    test: Positions


@dataclasses.dataclass(frozen=True)
class FoldSettings:
    """How the pool is split.

    Attributes:
        folds, repeats: k, and how often the pool is split anew.
        stratify: keep the labels' shares equal over the folds.
        seed: of the shuffles.
    """

    folds: int = 5
    repeats: int = 1
    stratify: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise UserError(f"there are {self.folds} folds, but cross-validation needs 2 or more")
        if self.repeats < 1:
            raise UserError(f"repeats is {self.repeats}, but it must be 1 or more")


def make_folds(
    pool: ImageSet,
    settings: FoldSettings,
    *,
    groups: npt.ArrayLike | None = None,
    together: npt.NDArray[np.int64] | None = None,
    splitter: Splitter | None = None,
) -> list[Fold]:
    """Return the folds of all repeats.

    Args:
        pool: the images.
        settings: see :class:`FoldSettings`.
        groups: one value for each image; images of one value stay in one fold (GroupKFold).
        together: near-duplicates, int64 ``[N]``; they stay in one fold too. A ``splitter`` is handed them as its groups
            where ``groups`` is not given, and does with them what it does with groups (:func:`torn` counts).
        splitter: an object with ``split(X, y, groups)``, instead of the splitters that the settings name.

    Raises:
        UserError: more folds than images, a class with fewer members than folds, or a splitter that gives no usable folds.
    """
    own = _checked_groups(groups, len(pool))
    if own is not None and together is not None and splitter is None:
        own = join_groups(own, together)
    tied = own if own is not None else together
    if splitter is not None:
        with warnings.catch_warnings():  # the splitter's own choice; most have no use for groups
            warnings.filterwarnings("ignore", "The groups parameter is ignored")
            found = list(splitter.split(np.zeros((len(pool), 1)), pool.labels, tied))
        pairs: Iterator[tuple[int, Any, Any]] = ((0, train, test) for train, test in found)
    else:
        pairs = _pairs(pool, settings, own, together)
    folds = [_fold(index, settings.seed, *pair, tied) for index, pair in enumerate(pairs)]
    if not folds:
        raise UserError(f"the splitter {splitter!r} gives no folds")
    return folds


def torn(folds: Sequence[Fold], groups: Positions) -> int:
    """Return how many images are held out by a fold whose model sees another image of their group."""
    found = np.zeros(len(groups), dtype=bool)
    for fold in folds:
        seen = np.unique(groups[np.concatenate([fold.train, fold.validation])])
        found[fold.test] |= np.isin(groups[fold.test], seen)
    return int(found.sum())


def digest(folds: Sequence[Fold]) -> str:
    """Return a hash of the folds: equal splits have equal digests."""
    found = hashlib.blake2b(digest_size=16)
    for fold in folds:
        for part in (fold.train, fold.validation, fold.test):
            found.update(len(part).to_bytes(8, "little") + part.tobytes())
    return found.hexdigest()


def _pairs(
    pool: ImageSet, settings: FoldSettings, groups: Positions | None, together: Positions | None
) -> Iterator[tuple[int, Positions, Positions]]:
    """Yield ``(repeat, train, test)`` of scikit-learn's splitters."""
    if groups is None:
        # near-duplicates follow their first image: so KFold and StratifiedKFold can split them like single images
        tied = together if together is not None else np.arange(len(pool))
        _, units, owner = np.unique(tied, return_index=True, return_inverse=True)
        what = "images" if len(units) == len(pool) else f"different images (of {len(pool)})"
    else:
        units, owner = np.arange(len(pool)), np.arange(len(pool))
        what = "groups"
    available = len(units) if groups is None else len(np.unique(groups))
    if available < settings.folds:
        raise UserError(
            f"{pool.source} has {available} {what}, but {settings.folds} folds need at least {settings.folds}: "
            "use fewer folds"
        )
    labels = _strata(pool, settings, units) if settings.stratify else None
    for repeat in range(settings.repeats):
        splitter = _splitter(settings, repeat, grouped=groups is not None)
        for _, test in splitter.split(np.zeros((len(units), 1)), labels, groups):
            chosen = np.zeros(len(units), dtype=bool)
            chosen[test] = True
            held = chosen[owner]
            yield repeat, np.flatnonzero(~held), np.flatnonzero(held)


def _splitter(settings: FoldSettings, repeat: int, *, grouped: bool) -> Any:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    state = derive(settings.seed, "folds", repeat) % 2**32
    if not grouped:
        kind = StratifiedKFold if settings.stratify else KFold
        return kind(settings.folds, shuffle=True, random_state=state)
    if settings.stratify:
        return StratifiedGroupKFold(settings.folds, shuffle=True, random_state=state)
    if settings.repeats == 1:
        return GroupKFold(settings.folds)  # without a shuffle it balances the folds' sizes
    return GroupKFold(settings.folds, shuffle=True, random_state=state)


def _strata(pool: ImageSet, settings: FoldSettings, units: Positions) -> Positions:
    """Return the label of each unit; every class must have a member for each fold."""
    if pool.labels is None:
        raise UserError(f"{pool.source} has no labels to stratify by: leave --stratify out")
    labels = np.asarray(pool.labels)[units]
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count < settings.folds:
            name = "unlabelled" if label < 0 else (pool.classes[label] if label < len(pool.classes) else str(label))
            raise UserError(
                f"the class {name!r} of {pool.source} has {count} member(s), but {settings.folds} stratified folds need "
                f"{settings.folds}: use fewer folds, or leave --stratify out"
            )
    return labels


def _checked_groups(groups: npt.ArrayLike | None, count: int) -> Positions | None:
    if groups is None:
        return None
    values = np.asarray(groups).reshape(-1)
    if len(values) != count:
        raise UserError(f"there are {len(values)} groups for {count} images: give one for each image")
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _fold(index: int, seed: int, repeat: int, train: Any, test: Any, tied: Positions | None) -> Fold:
    train, test = np.unique(np.asarray(train, dtype=np.int64)), np.unique(np.asarray(test, dtype=np.int64))
    if not len(train) or not len(test) or len(np.intersect1d(train, test)):
        raise UserError(
            f"fold {index} has {len(train)} training and {len(test)} held-out images, some of them perhaps in both: "
            "both parts need images, and none in common"
        )
    stand_in = ImageSet(  # carve looks at groups only
        pixels=np.broadcast_to(np.uint8(0), (len(train), 1, 1, 1)),
        names=[""] * len(train),
        ids=train,
        groups=None if tied is None else tied[train],
    )
    parts = carve(stand_in, {"validation": VALIDATION}, seed=derive(seed, "fold validation", index))
    return Fold(repeat, parts["train"].ids, parts["validation"].ids, test)
