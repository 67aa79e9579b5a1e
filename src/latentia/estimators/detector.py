"""The odd ones out, with a threshold that keeps its promise, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import OutlierMixin

from latentia.core.errors import UserError, unknown
from latentia.data.imageset import ImageSet
from latentia.data.load import set_aside
from latentia.estimators._exact import exact
from latentia.estimators._pretrained import OnPretrained
from latentia.estimators._rows import ImageRows
from latentia.tasks.anomaly_scores import SCORES, learn_normal, score
from latentia.tasks.conformal import check_level, p_values, threshold
from latentia.tasks.detect import heat_maps

USUAL = 0.05  # the level where none is asked for and the calibration images allow it


class AutoencoderDetector(ImageRows, OutlierMixin, OnPretrained):  # type: ignore[misc]
    """An outlier detector by what an autoencoder makes of images; see ``latentia detect`` for the scores.

    ``fit`` learns from normal images. A share of them is set aside: the autoencoder does not see them, and the threshold is
    the conformal one that they give, so that of new images like them at most ``false_alarms`` are flagged, on average over
    calibration sets, whatever the score (Vovk et al. 2005; Bates et al. 2023).

    Parameters
    ----------
    false_alarms : float or None, default=None
        The share of normal images that may be flagged. ``None`` is 0.05, or the least that so few calibration images can
        give: 1 / (n + 1) for n of them. A share that they cannot give is refused.
    pretrained : None, str, path, Run or fitted autoencoder, default=None
        The autoencoder. ``None`` trains one on ``X`` first, without the calibration images. One that was trained before must
        not have seen images of ``X``, or the promise does not hold.
    method : {"combined", "reconstruction", "neighbours", "density", "masked"}, default="combined"
        The score.
    calibration : float, default=0.2
        The share of ``X`` that is set aside for the threshold.
    image_shape : tuple of int or None, default=None
        ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` of the images that the rows of ``X`` unroll; without it rows are one-row
        images.
    pretraining : dict or None, default=None
        Parameters of the :class:`ConvAutoencoder` that is trained where ``pretrained`` is ``None``.
    device : str, default="auto"
        ``auto``, ``cpu``, ``cuda`` …
    random_state : int or None, default=0
        The seed of weights, order, noise and of which images are set aside; ``None`` draws one.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    offset_ : float
        The threshold: images whose score is below it are flagged.
    false_alarms_ : float
        The share of normal images that may be flagged, where it was not given.
    calibration_scores_ : ndarray of float64, ``[n]``
        The scores of the calibration images.
    normal_ : latentia.tasks.anomaly_scores.Normal
        What is normal, by the images that were not set aside.
    model_ : latentia.model.Autoencoder
        The autoencoder.
    n_features_in_ : int
        The length of the second side of ``X``.
    """

    def __init__(
        self,
        false_alarms: float | None = None,
        *,
        pretrained: Any = None,
        method: str = "combined",
        calibration: float = 0.2,
        image_shape: tuple[int, ...] | None = None,
        pretraining: dict[str, Any] | None = None,
        device: str = "auto",
        random_state: int | None = 0,
        verbose: bool = False,
    ) -> None:
        self.false_alarms = false_alarms
        self.pretrained = pretrained
        self.method = method
        self.calibration = calibration
        self.image_shape = image_shape
        self.pretraining = pretraining
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is normal from rows ``[N, features]`` or images ``[N, H, W]``, ``[N, H, W, C]``, ``[N, C, H, W]``.

        ``y`` is not used.
        """
        images = self._images(self._validated(X, reset=True, least=3))
        if self.method not in SCORES:
            raise unknown("method", self.method, SCORES)
        seed = self._seed()
        train, apart = set_aside(images, self.calibration, split_seed=seed)
        if apart is None:
            raise UserError("calibration is 0, but the threshold is set by images set aside: give a share such as 0.2")
        remedy = f"set more than the share {self.calibration:g} of X aside, or give more images"
        self.false_alarms_ = max(USUAL, 1 / (len(apart) + 1)) if self.false_alarms is None else self.false_alarms
        check_level(self.false_alarms_, len(apart), remedy=remedy)  # before the training, which takes its time
        self.model_ = self._autoencoder(train, seed)
        self.normal_ = learn_normal(self.model_, train)
        self.calibration_scores_ = np.sort(self._scores(apart))
        self.offset_ = threshold(self.calibration_scores_, self.false_alarms_)
        return self

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return how normal each image is, float64 ``[N]``: higher is more normal."""
        return self._scores(self._seen(X))

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return :meth:`score_samples` less ``offset_``: what is below 0 is flagged."""
        return self.score_samples(X) - self.offset_

    def p_values(self, X: Any) -> npt.NDArray[np.float64]:
        """Return conformal p-values of new images, float64 ``[N]``: the share of calibration images at least as odd.

        The image itself is counted in. Those that ``fit`` was given are not new: those that it learned from look more normal
        than they are, and one that it set aside is compared with itself, too, which makes it look a little more normal.
        """
        return p_values(self.score_samples(X), self.calibration_scores_)

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """Return -1 for images that are flagged and 1 for the others, int64 ``[N]``."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def heat_maps(self, X: Any) -> npt.NDArray[np.float32]:
        """Return how many times the usual error each pixel has, float32 ``[N, H, W]``."""
        images = self._seen(X)
        return heat_maps(self.model_, images, self.normal_)

    def _scores(self, images: ImageSet) -> npt.NDArray[np.float64]:
        return score(exact(self.model_), images, self.method, self.normal_)


__all__ = ["AutoencoderDetector"]
