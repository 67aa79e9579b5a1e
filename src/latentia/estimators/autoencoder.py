"""The scikit-learn face: autoencoders with ``fit``, ``transform``, ``inverse_transform``, ``score`` and ``score_samples``."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from latentia.core.errors import UserError
from latentia.data.batches import Batches
from latentia.data.splits import carve
from latentia.estimators._rows import ImageRows
from latentia.presets import design
from latentia.tasks.embed import embed
from latentia.tasks.reconstruct import reconstruct
from latentia.training.device import resolve_device
from latentia.training.initial import initial_model
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer


class _Autoencoder(ImageRows, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What the autoencoders share; each names a preset.

    Parameters
    ----------
    latent_dim : int, default=16
        Numbers in a code.
    image_shape : tuple of int or None, default=None
        ``(H, W)`` or ``(C, H, W)`` of the images that the rows of ``X`` unroll. Without it rows are one-row images.
    epochs, batch_size, learning_rate : see :class:`latentia.training.settings.TrainSettings`.
    validation_fraction : float, default=0.0
        The share of ``X`` set aside to choose the best epoch by; 0 keeps the last epoch.
    options : dict or None, default=None
        Parts and their fields by the names of the command line, such as ``{"encoder": "residual"}``.
    device : str, default="auto"
        ``auto``, ``cpu``, ``cuda`` …
    random_state : int or None, default=0
        The seed of weights, order and noise; ``None`` draws one.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    model_ : latentia.model.Autoencoder
        The trained module.
    history_ : list of dict
        One record for each epoch.
    n_features_in_ : int
        Values in one image.
    """

    _preset: ClassVar[str] = "cae"

    def __init__(
        self,
        latent_dim: int = 16,
        *,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 0,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        validation_fraction: float = 0.0,
        options: dict[str, Any] | None = None,
        device: str = "auto",
        random_state: int | None = 0,
        verbose: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.options = options
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows ``[N, features]`` or images ``[N, H, W]``, ``[N, H, W, C]``, ``[N, C, H, W]``; ``y`` is not used."""
        array = self._validated(X, reset=True)
        images = self._images(array)
        seed = int(np.random.default_rng().integers(2**32)) if self.random_state is None else int(self.random_state)
        settings = TrainSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=seed,
            device=self.device,
        )
        chosen = design(self._preset, {**(self.options or {}), "latent_dim": self.latent_dim})
        settings = settings.for_images(len(images))
        device = resolve_device(settings.device)
        self._pixel_format = images.format
        parts = carve(images, {"validation": self.validation_fraction}, seed=0)
        model = initial_model(chosen.architecture, parts["train"], settings.seed)
        held = parts["validation"] if len(parts["validation"]) else None
        trainer = Trainer(
            model,
            chosen.objective,
            Batches(parts["train"], model.format, settings.batch_size, device, seed=settings.seed),
            Batches(held, model.format, 256, device) if held is not None else None,
            settings,
            device,
            quiet=not self.verbose,
        )
        self.history_ = trainer.fit()
        self.model_ = model.cpu().eval()
        return self

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """Return the codes of ``X``, ``[N, latent_dim]``, deterministic."""
        images = self._seen(X)
        return embed(self.model_, images).astype(self._dtype(X), copy=False)

    def inverse_transform(self, X: Any) -> npt.NDArray[Any]:
        """Return what is decoded from codes ``X [N, latent_dim]``, in the shape and range of the images seen in ``fit``."""
        import torch

        check_is_fitted(self)
        codes = np.asarray(X, dtype=np.float32)
        shape = self.model_.code_shape
        if codes.ndim != 2 or codes.shape[1] != self.model_.latent_dim:
            raise UserError(f"codes have the shape [N, {self.model_.latent_dim}], not {codes.shape}")
        with torch.inference_mode():
            unit = self.model_.decode(torch.from_numpy(codes).view(-1, *shape)).numpy()
        return self._as_given(self._pixel_format.from_unit(unit))

    def reconstruct(self, X: Any) -> npt.NDArray[Any]:
        """Return the reconstructions of ``X``, in its shape and range."""
        return self._as_given(reconstruct(self.model_, self._seen(X)).images.pixels)

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return minus the mean squared error of each image, float64 ``[N]``: higher is more normal."""
        return -reconstruct(self.model_, self._seen(X)).errors

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of :meth:`score_samples`; higher is better."""
        return float(self.score_samples(X).mean())

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.latent_dim)

    def _as_given(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if len(self._given_shape) == 3 and pixels.shape[1:] != self._given_shape:
            pixels = np.moveaxis(pixels, 1, -1)
        return pixels.reshape(len(pixels), *self._given_shape)

    @staticmethod
    def _dtype(X: Any) -> type[np.floating[Any]]:
        return np.float64 if getattr(X, "dtype", None) == np.float64 else np.float32

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class ConvAutoencoder(_Autoencoder):
    """A convolutional autoencoder (the ``cae`` preset) as a scikit-learn transformer."""


__all__ = ["ConvAutoencoder"]
