"""What the page of an autoencoder's run is made of."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.report.page.materials._folder import OfFolder
from latentia.studies.statistics import Estimate, estimate
from latentia.tasks.apply import format_for
from latentia.tasks.corrupted import Restoration, corrupt_and_restore
from latentia.tasks.doctor import Diagnosis, Patient, examine
from latentia.tasks.evaluate import baseline_image_errors
from latentia.tasks.generate import generate, has_prior
from latentia.tasks.inspect import feature_maps, first_filters
from latentia.tasks.map_codes import Map, map_images
from latentia.tasks.reconstruct import Reconstruction, reconstruct
from latentia.tasks.subsets import some
from latentia.training.run_folder import RunFolder

MOST = 2000  # images that are looked at
MOST_VALUES = 30_000_000  # and fewer where they are large
EXAMINED, FITTED = 500, 5000  # images that the doctor looks at, and training images that he and the baselines use
ON_MAP, ENOUGH = 600, 300  # images on a map; a validation split that is smaller than that does not make one
MAP = "tsne"


@dataclasses.dataclass(eq=False)
class RunMaterial(OfFolder):
    """An autoencoder's run, and what can be learned of it from its images.

    Attributes:
        folder: the run's folder.
        model: with its best weights, or ``None`` where there is none yet.
        train: images like those it was trained on, for the data's card and the baselines, or ``None``.
        held: images that it was not trained on, or ``None``.
        map_method: ``pca``, ``tsne``, ``umap``, or ``none`` for no map.
        map_images: the most images on the map.
    """

    folder: RunFolder
    model: Autoencoder | None
    train: ImageSet | None = None
    held: ImageSet | None = None
    map_method: str = MAP
    map_images: int = ON_MAP

    kind = "autoencoder"

    @property
    def heading(self) -> str:
        """What the page is called."""
        return f"{self.description['preset']} on {self.description['data']['source']}"

    @functools.cached_property
    def images(self) -> ImageSet | None:
        """Some of the images that it was not trained on, or of the training images where there are no others."""
        chosen = self.held if self.held is not None and len(self.held) else self.train
        if chosen is None or self.model is None:
            return None
        return few(chosen, MOST)

    @property
    def on(self) -> str:
        """Which images these are."""
        return "validation" if self.held is not None and len(self.held) else "training"

    @functools.cached_property
    def objective(self) -> Objective:
        """What the model was trained for."""
        return Objective.from_json(self.description["objective"])

    @functools.cached_property
    def reconstruction(self) -> Reconstruction | None:
        """What the model makes of ``images``."""
        return None if self.images is None or self.model is None else reconstruct(self.model, self.images)

    @functools.cached_property
    def restoration(self) -> Restoration | None:
        """Ten images corrupted as in training, and restored."""
        if self.images is None or self.model is None:
            return None
        return corrupt_and_restore(self.model, self.objective, few(self.images, 10))

    @functools.cached_property
    def samples(self) -> ImageSet | None:
        """New images from the prior, where codes follow one."""
        if self.model is None or not has_prior(self.model, self.objective):
            return None
        return generate(self.model, objective=self.objective).images

    @functools.cached_property
    def filters(self) -> npt.NDArray[np.float32] | None:
        """The first layer's weights ``[filters, C, kh, kw]``."""
        return None if self.model is None else first_filters(self.model)

    @functools.cached_property
    def feature_maps(self) -> dict[str, npt.NDArray[np.float32]] | None:
        """What the layers answer to the first of ``images``, ``{layer: [channels, h, w]}``."""
        return None if self.images is None or self.model is None else feature_maps(self.model, self.images)

    @functools.cached_property
    def map(self) -> tuple[Map, str] | None:
        """The codes in the plane, and of which images they are; ``None`` of fewer than three images."""
        held, train = self.held, self.train
        chosen, which = (held, "validation") if held is not None and len(held) >= ENOUGH else (train, "training")
        chosen, which = (chosen, which) if chosen is not None else (held, "validation")
        if chosen is None or self.model is None or len(chosen) < 3 or self.map_method == "none":
            return None
        return map_images(self.model, chosen, method=self.map_method, most=self.map_images), which

    @functools.cached_property
    def diagnosis(self) -> Diagnosis | None:
        """What the doctor finds with a sample of the images; ``latentia doctor`` takes more of them."""
        if self.images is None or self.model is None:
            return None
        patient = Patient(
            self.model,
            self.objective,
            few(self.images, EXAMINED),
            None if self.train is None else few(self.train, FITTED),
            self.history,
            self.on == "validation",
        )
        return examine(patient, self.heading)

    @functools.cached_property
    def errors(self) -> dict[str, Estimate]:
        """The per-pixel squared error on ``images``, of this model and of what is simpler, with intervals over images."""
        found = self.reconstruction
        if found is None or self.model is None:
            return {}
        errors = {"this model": found.errors}
        if self.train is not None and self.on == "validation":
            errors |= baseline_image_errors(
                few(self.train, FITTED),
                found.originals,
                format_for(self.model, found.originals),
                self.model.latent_dim,
            )
        return {name: estimate(values.tolist(), 0.0) for name, values in errors.items()}


def few(images: ImageSet, most: int) -> ImageSet:
    """Return at most ``most`` images, evenly spaced, and fewer where they are large."""
    return some(images, max(10, min(most, MOST_VALUES // max(images.format.pixels, 1))))
