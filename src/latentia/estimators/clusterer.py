"""Clusters of images without labels, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from latentia.estimators._pretrained import OnPretrained
from latentia.estimators._rows import ImageRows
from latentia.tasks.cluster import cluster
from latentia.tasks.embed import embed


class AutoencoderClusterer(ImageRows, ClusterMixin, OnPretrained):  # type: ignore[misc]
    """Groups of images by the codes of an autoencoder; see ``latentia cluster`` for the methods.

    Parameters
    ----------
    n_clusters : int or None, default=None
        How many; ``None`` finds the number without labels.
    pretrained : None, str, path, Run or fitted autoencoder, default=None
        The autoencoder. ``None`` trains one on ``X`` first.
    method : {"auto", "communities", "k-means", "mixture", "hdbscan"}, default="auto"
        How they are found; ``auto`` is communities of the neighbour graph.
    on : {"auto", "codes", "graph", "umap"}, default="auto"
        What is clustered.
    repeats : int, default=0
        Re-runs on random subsets, for ``clusters_.stability``.
    image_shape : tuple of int or None, default=None
        ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` of the images that the rows of ``X`` unroll; without it rows are one-row
        images.
    pretraining : dict or None, default=None
        Parameters of the :class:`ConvAutoencoder` that is trained where ``pretrained`` is ``None``.
    device : str, default="auto"
        ``auto``, ``cpu``, ``cuda`` …
    random_state : int or None, default=0
        The seed of weights, order and every random choice; ``None`` draws one.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    labels_ : ndarray of int64, ``[N]``
        The cluster of each image, 0 to K - 1, largest first; -1 for an image in none (hdbscan).
    n_clusters_ : int
        K.
    clusters_ : latentia.tasks.clusters.Clusters
        Membership, distance, evidence for K and stability; it can be printed and saved.
    model_ : latentia.model.Autoencoder
        The autoencoder.
    n_features_in_ : int
        The length of the second side of ``X``.
    """

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        pretrained: Any = None,
        method: str = "auto",
        on: str = "auto",
        repeats: int = 0,
        image_shape: tuple[int, ...] | None = None,
        pretraining: dict[str, Any] | None = None,
        device: str = "auto",
        random_state: int | None = 0,
        verbose: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.pretrained = pretrained
        self.method = method
        self.on = on
        self.repeats = repeats
        self.image_shape = image_shape
        self.pretraining = pretraining
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster rows ``[N, features]`` or images ``[N, H, W]``, ``[N, H, W, C]``, ``[N, C, H, W]``; ``y`` is not used."""
        images = self._images(self._validated(X, reset=True, least=2))
        seed = self._seed()
        self.model_ = self._autoencoder(images, seed)
        self.clusters_ = cluster(
            self.model_, images, self.n_clusters, method=self.method, on=self.on, seed=seed, repeats=self.repeats
        )
        self.labels_ = self.clusters_.labels
        self.n_clusters_ = self.clusters_.count
        return self

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """Return the clusters of new images, int64 ``[N]``: their 15 nearest codes vote."""
        check_is_fitted(self)
        return self.clusters_.predict_codes(embed(self.model_, self._seen(X), pool=True))


__all__ = ["AutoencoderClusterer"]
