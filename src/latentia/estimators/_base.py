"""What the autoencoders share: fit, codes and back, scores, new images, and training that goes on."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from latentia.core.errors import UserError
from latentia.data.batches import Batches
from latentia.data.imageset import ImageSet
from latentia.data.splits import carve
from latentia.estimators._replay import Replay
from latentia.estimators._rows import ImageRows
from latentia.presets import Design, design
from latentia.tasks.embed import embed
from latentia.tasks.generate import generate, has_prior
from latentia.tasks.mixture import FittedMixture, fit_mixture
from latentia.tasks.reconstruct import reconstruct
from latentia.training.checkpoint import Progress
from latentia.training.device import resolve_device
from latentia.training.initial import initial_model
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer

MOST_CODES = 10_000  # training images whose codes are kept for ``sample``
MOST_VALUES = 1 << 22  # and so many numbers of them in all


class BaseAutoencoder(ImageRows, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What the autoencoders share; each names a preset.

    Parameters
    ----------
    latent_dim : int or None, default=None
        Numbers in a code (channels where it is spatial); ``None`` is the preset's own choice.
    preset : str or None, default=None
        Another of the named autoencoders (``latentia train --help`` lists them), such as ``"beta-vae"`` or ``"vae:beta=4"``.
    image_shape : tuple of int or None, default=None
        ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` of the images that the rows of ``X`` unroll; without it rows are one-row
        images.
    epochs, batch_size, learning_rate : see :class:`latentia.training.settings.TrainSettings`.
    validation_fraction : float, default=0.0
        The share of ``X`` set aside in ``fit`` to choose the best epoch by; 0 keeps the last epoch.
    replay : int, default=0
        So many earlier images, drawn evenly from all seen, are kept and mixed into each ``partial_fit``, at most as many as
        the new ones: without them a network forgets what no longer comes.
    options : dict or None, default=None
        Parts and their fields by the names of the command line, such as ``{"encoder": "residual"}``.
    device : str, default="auto"
        Where it is trained: ``auto``, ``cpu``, ``cuda`` …
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
        The length of the second side of ``X``.
    """

    _preset: ClassVar[str] = "cae"
    _optimizer_state: dict[str, Any] | None
    _step: int

    def __init_subclass__(cls, **more: Any) -> None:
        """Add the parameters, which all have in common, to the docstring."""
        super().__init_subclass__(**more)
        _, _, common = (BaseAutoencoder.__doc__ or "").partition("\n")
        cls.__doc__ = (cls.__doc__ or "").rstrip() + "\n" + common

    def __init__(
        self,
        latent_dim: int | None = None,
        *,
        preset: str | None = None,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 0,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        validation_fraction: float = 0.0,
        replay: int = 0,
        options: dict[str, Any] | None = None,
        device: str = "auto",
        random_state: int | None = 0,
        verbose: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.preset = preset
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.replay = replay
        self.options = options
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows ``[N, features]`` or images ``[N, H, W]``, ``[N, H, W, C]``, ``[N, C, H, W]``; ``y`` is not used."""
        images = self._images(self._validated(X, reset=True))
        held = None
        if self.validation_fraction:
            parts = carve(images, {"validation": self.validation_fraction}, seed=0)
            images, held = parts["train"], parts["validation"]
        self._begin(images)
        settings = self._settings(epochs=self.epochs).for_images(len(images))
        trainer = self._trainer(images, held, settings)
        self.history_ = trainer.fit()
        self._end(trainer, images)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train on for one epoch over ``X``, at the full learning rate; ``y`` is not used.

        The first call begins a new network, unless ``fit`` did; its images set the range of float pixels.
        """
        begins = not hasattr(self, "model_")
        images = self._images(self._validated(X, reset=begins))
        if begins:
            self._begin(images)
            self.history_ = []
        images = dataclasses.replace(images, ids=images.ids + self._replay.seen)  # new images, new noise
        mixed = self._replay.mixed_into(images)
        epoch = len(self.history_)
        trainer = self._trainer(mixed, None, self._settings(epochs=epoch + 1, schedule="constant", warmup=0.0))
        trainer.progress = Progress(epoch=epoch, step=self._step)
        if self._optimizer_state is not None:
            trainer.optimizer.load_state_dict(self._optimizer_state)
        self.history_ = [*self.history_, *trainer.fit()]
        self._optimizer_state = trainer.optimizer.state_dict()
        self._end(trainer, images)
        return self

    def transform(self, X: Any) -> npt.NDArray[Any]:
        """Return the codes of ``X``, ``[N, D]``, deterministic; a spatial code is flattened."""
        images = self._seen(X)
        return embed(self.model_, images).astype(self._dtype(X), copy=False)

    def inverse_transform(self, X: Any) -> npt.NDArray[Any]:
        """Return what is decoded from codes ``X [N, D]``, in the layout, dtype and range of the images seen in ``fit``."""
        check_is_fitted(self)
        codes = np.asarray(X, dtype=np.float32)
        shape = self.model_.code_shape
        if codes.ndim != 2 or codes.shape[1] != self.model_.latent_dim:
            raise UserError(f"codes have the shape [N, {self.model_.latent_dim}], not {codes.shape}")
        with torch.inference_mode():
            unit = self.model_.decode(torch.from_numpy(codes).view(-1, *shape)).numpy()
        return self._as_given(self.model_.format.from_unit(unit))

    def reconstruct(self, X: Any) -> npt.NDArray[Any]:
        """Return the reconstructions of ``X``, in its layout, dtype and range."""
        images = self._seen(X)
        return self._as_given(reconstruct(self.model_, images).images.pixels)

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return minus the mean squared error of each image, pixels in [0, 1], float64 ``[N]``: higher is more normal."""
        images = self._seen(X)
        return -reconstruct(self.model_, images).errors

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of :meth:`score_samples`; higher is better."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, random_state: int | None = None) -> npt.NDArray[Any]:
        """Return ``n_samples`` new images, in the layout, dtype and range of the images seen in ``fit``.

        Codes are drawn from the prior where the preset has one, else from a mixture of normals fitted to the codes of up to
        10,000 training images (Ghosh et al. 2020). ``random_state`` is the estimator's own where it is ``None``.
        """
        check_is_fitted(self)
        seed = self._seed if random_state is None else int(random_state)
        drawn = generate(self.model_, n_samples, seed=seed, mixture=self._mixture(), objective=self._design.objective)
        return self._as_given(drawn.images.pixels)

    def _begin(self, images: ImageSet) -> None:
        self._seed = int(np.random.default_rng().integers(2**32)) if self.random_state is None else self.random_state
        self._design = self._chosen()
        self.model_ = initial_model(self._design.architecture, images, self._seed)
        self._replay = Replay(int(self.replay), self._seed)
        self._optimizer_state, self._step = None, 0

    def _chosen(self) -> Design:
        """Return the design that the parameters ask for."""
        return design(self.preset or self._preset, {**(self.options or {}), "latent_dim": self.latent_dim})

    def _settings(self, **more: Any) -> TrainSettings:
        return TrainSettings(
            optimizer=self._design.optimizer,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=int(self._seed),
            device=self.device,
            **more,
        )

    def _trainer(self, images: ImageSet, held: ImageSet | None, settings: TrainSettings) -> Trainer:
        device = resolve_device(settings.device)
        return Trainer(
            self.model_,
            self._design.objective,
            Batches(images, self.model_.format, settings.batch_size, device, seed=settings.seed),
            Batches(held, self.model_.format, 256, device) if held is not None and len(held) else None,
            settings,
            device,
            quiet=not self.verbose,
        )

    def _end(self, trainer: Trainer, images: ImageSet) -> None:
        self.model_ = self.model_.cpu().eval()
        self._step = trainer.progress.step
        self._replay.take(images)
        self._fitted_mixture: FittedMixture | None = None
        self._codes: npt.NDArray[np.float32] | None = None
        if not has_prior(self.model_, self._design.objective):
            count = max(2, min(len(images), MOST_CODES, MOST_VALUES // self.model_.latent_dim))
            chosen = np.unique(np.linspace(0, len(images) - 1, count).astype(np.int64))
            self._codes = embed(self.model_, images.select(chosen))

    def _mixture(self) -> FittedMixture | None:
        if self._codes is not None and self._fitted_mixture is None:
            self._fitted_mixture = fit_mixture(self._codes)
        return self._fitted_mixture

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.latent_dim)

    @staticmethod
    def _dtype(X: Any) -> type[np.floating[Any]]:
        return np.float64 if getattr(X, "dtype", None) == np.float64 else np.float32

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
