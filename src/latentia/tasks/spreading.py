"""Label spreading: labels walk along a graph of neighbours in latent space (Zhou et al. 2004, through scikit-learn)."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from latentia.data.imageset import ImageSet
from latentia.data.labels import Labels
from latentia.model import Autoencoder
from latentia.tasks.embed import embed

MOST = 10_000  # images in the graph: it is dense enough then, and neighbours of more would take minutes to find
NEIGHBOURS, ALPHA = 10, 0.9
DIMENSIONS = 50  # principal components of the codes: neighbours are found faster, and hardly others
SURE = 0.8  # share of a class in what arrived at an image


def spread_labels(
    model: Autoencoder | None, images: ImageSet, labels: Labels, *, sure: float = SURE, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Return a guessed class for unlabelled images whose neighbours agree, int64 ``[N]``, -1 for all others.

    Neighbours are near in the codes of ``model``, or in their pixels where it is ``None``. At most 10,000 images, the
    labelled ones among them, make the graph; the rest have no guess.
    """
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.semi_supervised import LabelSpreading

    known, free = np.flatnonzero(labels.numbers >= 0), np.flatnonzero(labels.numbers < 0)
    room = max(MOST - len(known), 0)
    random = np.random.default_rng(seed)
    chosen = np.concatenate([known, np.sort(random.permutation(free)[:room])])
    guesses = np.full(len(images), -1, dtype=np.int64)
    if len(chosen) - len(known) < 1 or len(chosen) <= NEIGHBOURS:
        return guesses
    shown = images.select(chosen)
    codes = shown.format.to_unit(shown.pixels).reshape(len(shown), -1) if model is None else embed(model, shown)
    if codes.shape[1] > DIMENSIONS:
        codes = PCA(min(DIMENSIONS, len(codes)), svd_solver="randomized", random_state=0).fit_transform(codes)
    graph = LabelSpreading(kernel="knn", n_neighbors=NEIGHBOURS, alpha=ALPHA, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # an image that no label reaches divides by zero; it has no guess
        graph.fit(codes, labels.numbers[chosen])
    arrived = np.nan_to_num(graph.label_distributions_)
    agreed = (arrived.max(1) >= sure) & (labels.numbers[chosen] < 0)
    guesses[chosen[agreed]] = graph.classes_[arrived[agreed].argmax(1)]
    return guesses
