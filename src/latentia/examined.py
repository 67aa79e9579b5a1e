"""What a run can be asked of itself and of images: is it sound, what is normal, which images are odd?

A part of :class:`latentia.runs.Run`, in a file of its own.
"""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.tasks.anomaly_scores import Normal, learn_normal
from latentia.tasks.anomaly_scores import score as anomaly_score
from latentia.tasks.detect import Detection, detect, heat_maps
from latentia.tasks.doctor import Diagnosis, Patient, examine, some
from latentia.training.run import DataChoice
from latentia.training.storage import model_digest


class Examined(abc.ABC):
    """The doctor and the detector of a run."""

    @property
    @abc.abstractmethod
    def path(self) -> Path:
        """The run's folder."""

    @property
    @abc.abstractmethod
    def model(self) -> Autoencoder:
        """The module with the best weights."""

    @property
    @abc.abstractmethod
    def kind(self) -> str:
        """``autoencoder`` or ``classifier``."""

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """What pictures say of the run."""

    @property
    @abc.abstractmethod
    def description(self) -> dict[str, Any]:
        """What ``run.json`` says."""

    @property
    @abc.abstractmethod
    def history(self) -> list[dict[str, Any]]:
        """One record for each epoch."""

    @property
    @abc.abstractmethod
    def objective(self) -> Objective:
        """What the model was trained for."""

    @abc.abstractmethod
    def images(self, data: Any, split: str = "all") -> ImageSet:
        """Return ``data`` as images of the model's size."""

    @abc.abstractmethod
    def training_images(self, data: Any = None) -> ImageSet:
        """Return the images the run was trained on."""

    @abc.abstractmethod
    def test_images(self, data: Any = None, split: str = "test") -> ImageSet:
        """Return the images to judge by."""

    def learn_normal(self, data: Any = None) -> Normal:
        """Return what is normal by the training images (``data`` where these were in memory), kept beside the model.

        What was kept is taken where the model is still the same and no ``data`` is named.
        """
        path, owner = self.path / "normal.safetensors", model_digest(self.path)
        kept = Normal.kept(path, owner) if data is None else None
        if kept is None:
            kept = learn_normal(self.model, self.training_images() if data is None else self.images(data))
            kept.save(path, owner)
        return kept

    def detect(
        self,
        data: Any,
        *,
        score: str = "combined",
        calibrate: Any = None,
        false_alarms: float = 0.0,
        fdr: float = 0.0,
    ) -> Detection:
        """Return how normal each image of ``data`` is, and which to flag; see :func:`latentia.tasks.detect.detect`.

        ``calibrate`` are normal images that the run has not seen; by default the test part of its own data, where there is one.

        Raises:
            UserError: also where calibration images are among those that the run was trained on or chosen by.
        """
        images, learned = self.images(data), self._learned_names()
        calibration = self._unseen() if calibrate is None else self.images(calibrate)
        same = calibration is not None and calibration.source == self.description["data"]["source"]
        if same and calibration is not None and any(name in learned for name in calibration.names):
            raise UserError(
                f"{calibration.source} has images that {self.path} was trained on or chosen by, and a threshold set by them "
                "promises nothing: calibrate with others, such as those of --split test"
            )
        if images.source != self.description["data"]["source"]:
            learned = frozenset()
        return detect(
            self.model,
            images,
            self.learn_normal(),
            name=score,
            calibration=calibration,
            false_alarms=false_alarms,
            fdr=fdr,
            learned=learned,
        )

    def doctor(self, data: Any = None, *, keep: bool = True) -> Diagnosis:
        """Return what may be wrong with the model, each finding with its number and remedy; see :mod:`latentia.tasks.doctor`.

        It is examined with ``data``, else with the run's validation images, else with its training images. ``keep`` writes
        ``doctor.json`` into the run's folder.
        """
        if self.kind == "classifier":
            raise UserError(
                f"{self.path} is a classifier's run: the doctor examines autoencoders, such as the one it came from"
            )
        described = self.description["data"]
        train = held = None
        if described["location"] is not None:
            train, held = DataChoice.of(described).load()
        elif data is None:
            raise UserError(f"{self.path} was trained on images in memory: name images to examine it with")
        images = self.images(data) if data is not None else held if held is not None and len(held) else train
        assert images is not None  # a developer's invariant: a run has training images
        patient = Patient(self.model, self.objective, some(images), train, self.history, images is not train)
        found = examine(patient, self.title)
        if keep:
            found.save(self.path / "doctor.json")
        return found

    def score_samples(self, data: Any, score: str = "combined") -> npt.NDArray[np.float64]:
        """Return how normal each image of ``data`` is, float64 ``[N]``: higher is more normal."""
        return anomaly_score(self.model, self.images(data), score, self.learn_normal())

    def heat_maps(self, data: Any) -> npt.NDArray[np.float32]:
        """Return how many times the usual error each pixel has, float32 ``[N, H, W]``."""
        return heat_maps(self.model, self.images(data), self.learn_normal())

    def _learned_names(self) -> frozenset[str]:
        described = self.description["data"]
        if described["location"] is None:
            return frozenset()
        parts = DataChoice.of(described).load()
        return frozenset(name for part in parts if part is not None for name in part.names)

    def _unseen(self) -> ImageSet | None:
        if self.description["data"]["location"] is None:
            return None
        try:
            return self.test_images()
        except UserError:  # there is no such part
            return None
