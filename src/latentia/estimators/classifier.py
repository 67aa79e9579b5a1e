"""The classifier as a scikit-learn estimator: pre-trained or not, with unlabelled rows marked -1."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from latentia.core.errors import UserError
from latentia.data.labels import Labels
from latentia.estimators._pretrained import OnPretrained
from latentia.estimators._rows import ImageRows
from latentia.finetuning import FineTuning
from latentia.tasks.finetune import finetune_in_memory
from latentia.tasks.predict import predict
from latentia.training.settings import FineTuneSettings


class AutoencoderClassifier(ImageRows, ClassifierMixin, OnPretrained):  # type: ignore[misc]
    """A classifier on a pre-trained autoencoder's encoder, for few labels and many unlabelled images.

    Parameters
    ----------
    pretrained : None, str, path, Run or fitted ConvAutoencoder, default=None
        The autoencoder. ``None`` trains one on ``X`` first, labelled rows and unlabelled ones alike.
    mode : {"full", "partial", "probe"}, default="full"
        What is trained: everything, the encoder's last half, or the linear head alone.
    image_shape : tuple of int or None, default=None
        ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` of the images that the rows of ``X`` unroll; without it rows are one-row
        images.
    epochs, batch_size, learning_rate : see :class:`latentia.training.settings.FineTuneSettings`.
    augmentation : str or None, default=None
        What images may undergo and stay what they are. ``None`` is ``"chain"`` for images and ``"none"`` for rows without
        an ``image_shape``, whose neighbouring values need not be neighbours.
    options : dict or None, default=None
        Further fields of :class:`latentia.finetuning.FineTuning`, such as ``{"consistency": 0}``.
    pretraining : dict or None, default=None
        Parameters of the :class:`ConvAutoencoder` that is trained where ``pretrained`` is ``None``.
    device : str, default="auto"
        ``auto``, ``cpu``, ``cuda`` …
    random_state : int or None, default=0
        The seed of weights, order and noise; ``None`` draws one.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    classes_ : ndarray
        The classes.
    model_ : latentia.classifier.Classifier
        The trained module.
    temperature_ : float
        What logits are divided by, so that probabilities mean what they say.
    history_ : list of dict
        One record for each epoch.
    n_features_in_ : int
        The length of the second side of ``X``.
    """

    def __init__(
        self,
        pretrained: Any = None,
        *,
        mode: str = "full",
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 0,
        batch_size: int = 320,
        learning_rate: float = 2e-3,
        augmentation: str | None = None,
        options: dict[str, Any] | None = None,
        pretraining: dict[str, Any] | None = None,
        device: str = "auto",
        random_state: int | None = 0,
        verbose: bool = False,
    ) -> None:
        self.pretrained = pretrained
        self.mode = mode
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augmentation = augmentation
        self.options = options
        self.pretraining = pretraining
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from rows ``[N, features]`` or images, and ``y [N]``: integers, -1 for unlabelled, or other class labels.

        Where every label is -1 or 1 and nothing else is there, -1 is a class like any other.
        """
        if y is None:
            raise ValueError("AutoencoderClassifier requires y to be passed, but the target y is None")
        array = self._validated(X, reset=True)
        given = column_or_1d(y, warn=True)
        check_consistent_length(array, given)
        if np.issubdtype(given.dtype, np.floating):
            assert_all_finite(given, input_name="y")
        labelled = self._labelled(given)
        check_classification_targets(given[labelled])
        self.classes_ = np.unique(given[labelled])
        if len(self.classes_) < 2:
            found = "labels of 1 class" if len(self.classes_) else "no labels"
            raise UserError(f"y has {found}, but a classifier needs two or more classes")
        numbers = np.full(len(given), -1, dtype=np.int64)
        numbers[labelled] = np.searchsorted(self.classes_, given[labelled])
        labels = Labels(numbers, tuple(str(number) for number in range(len(self.classes_))))
        seed = self._seed()
        images = self._images(array)
        source = self._autoencoder(images, seed)
        pictures = self.image_shape is not None or array.ndim > 2
        augmentation = self.augmentation or ("chain" if pictures else "none")
        how = FineTuning.from_fields(
            {"mode": self.mode, "augmentation": augmentation, **(self.options or {})}, owner="AutoencoderClassifier"
        )
        settings = FineTuneSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=seed,
            device=self.device,
        )
        self.model_, self.temperature_, self.history_ = finetune_in_memory(
            source, images, labels, how, settings, quiet=not self.verbose
        )
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the calibrated probability of each class, float64 ``[N, K]``."""
        check_is_fitted(self)
        return predict(self.model_, self._seen(X), self.temperature_).probabilities

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likeliest class of each image, ``[N]``."""
        chances = self.predict_proba(X)
        return np.asarray(self.classes_[chances.argmax(1)])

    @staticmethod
    def _labelled(y: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        if y.dtype == object:  # texts beside the number -1, as scikit-learn's semi-supervised classifiers take them
            return np.array([isinstance(label, str) or label != -1 for label in y], dtype=bool)
        if not np.issubdtype(y.dtype, np.number):
            return np.ones(len(y), dtype=bool)
        two = set(np.unique(y).tolist()) == {-1, 1}  # the other old way to write two classes
        return np.ones(len(y), dtype=bool) if two else np.asarray(y != -1)


__all__ = ["AutoencoderClassifier"]
