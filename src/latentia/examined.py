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
from latentia.tasks.doctor import MOST, Diagnosis, Patient, examine
from latentia.tasks.subsets import some
from latentia.training.learned import has_learned
from latentia.training.run import DataChoice
from latentia.training.storage import model_digest

NORMAL = "normal.safetensors"


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
        kept = self._kept_normal() if data is None else None
        if kept is None:
            kept = learn_normal(self.model, self.training_images() if data is None else self._learned_of(data))
            kept.save(self.path / NORMAL, model_digest(self.path))
        return kept

    def _kept_normal(self) -> Normal | None:
        return Normal.kept(self.path / NORMAL, model_digest(self.path))

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

        ``calibrate`` are normal images that the run has not seen; by default those that were set aside for it when it was
        trained (``calibration=0.1``), else the test part of its own data, where there is one. Images that the run was trained
        on or chosen by are left out of them, whatever they are called.

        Raises:
            UserError: also where all calibration images are such, and where there are none for the level that is asked for.
        """
        images = self.images(data)
        calibration, by = self._calibration(calibrate)
        if calibration is None and (false_alarms or fdr):
            raise UserError(self._how_to_calibrate())
        return detect(
            self.model,
            images,
            self.learn_normal(),
            name=score,
            calibration=calibration,
            by=by,
            false_alarms=false_alarms,
            fdr=fdr,
            learned=self.has_learned(images),
        )

    def has_learned(self, data: Any) -> npt.NDArray[np.bool_]:
        """Return which images of ``data`` the run was trained on or chosen by, bool ``[N]``.

        They are known by their pixels, under whatever name and from whatever place they come. Of a run on shards, and of one
        of an earlier version, that was not kept: then by name and pixels, and not at all where its images were in memory.
        """
        images = self.images(data)
        known = has_learned(self.path, images)
        if known is None:
            known = np.zeros(len(images), dtype=bool)
            for part in self._learned_parts():
                known |= images.among(part)
        return known

    def doctor(self, data: Any = None, *, keep: bool = True) -> Diagnosis:
        """Return what may be wrong with the model, each finding with its number and remedy; see :mod:`latentia.tasks.doctor`.

        It is examined with ``data``, else with the run's validation images, else with its training images. ``keep`` writes
        ``doctor.json`` into the run's folder.
        """
        self._need_autoencoder("the doctor examines autoencoders")
        described = self.description["data"]
        train = held = None
        if described["location"] is not None:
            train, held = DataChoice.of(described).load()
        elif data is None:
            raise UserError(f"{self.path} was trained on images in memory: name images to examine it with")
        images = self.images(data) if data is not None else held if held is not None and len(held) else train
        assert images is not None  # a developer's invariant: a run has training images
        patient = Patient(self.model, self.objective, some(images, MOST), train, self.history, images is not train)
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

    def _learned_of(self, data: Any) -> ImageSet:
        """Return those of ``data`` that the run was trained on where it was trained on images in memory, else all."""
        images, described = self.images(data), self.description["data"]
        if described["location"] is not None or images.fingerprint == described["train"]["fingerprint"]:
            return images
        return self.training_images(data)

    def _need_autoencoder(self, what: str) -> None:
        if self.kind == "classifier":
            raise UserError(f"{self.path} is a classifier's run: {what}, such as the one it came from")

    def _learned_parts(self) -> list[ImageSet]:
        """Return the training images and the validation images, where there are any and they are not in memory."""
        described = self.description["data"]
        if described["location"] is None:
            return []
        return [part for part in DataChoice.of(described).load() if part is not None and len(part)]

    def calibration_images(self, data: Any = None) -> ImageSet:
        """Return the images that were set aside for calibration; ``data`` are the images of a run in memory.

        Raises:
            UserError: none were set aside, or the run's data was in memory and ``data`` is not given.
        """
        described = self.description["data"]
        if not described.get("calibration"):
            raise UserError(f"{self.path} set no images aside for calibration: train with --calibration 0.1")
        if data is None and described["location"] is None:
            raise UserError(f"{self.path} was trained on images in memory: hand the same images over")
        apart = DataChoice.of(described).parts(data)[2]
        assert apart is not None  # a developer's invariant: the share is above 0
        if apart.fingerprint != described["calibration"]["fingerprint"]:
            raise UserError(
                f"the calibration images of {self.path} have changed since it was trained: it set "
                f"{described['calibration']['count']} aside, and these are {len(apart)} others"
            )
        return apart

    def _calibration(self, given: Any) -> tuple[ImageSet | None, str]:
        """Return the images to set a threshold by, without any that the run has learned from, and what they are."""
        images, by = self._own_calibration() if given is None else (self.images(given), "")
        if images is None:
            return None, ""
        known = self.has_learned(images)
        if given is not None and known.all():
            raise UserError(
                f"the run {self.path} was trained on or chosen by all images of {images.source}, and a threshold set by them "
                "promises nothing: calibrate with others, such as those of --split test"
            )
        if not known.any():
            return images, by
        rest = images.select(np.flatnonzero(~known))  # a run on --split all has no unseen test part
        return (rest, f"{by or images.source}, {int(known.sum()):,} left out") if len(rest) else (None, "")

    def _own_calibration(self) -> tuple[ImageSet | None, str]:
        described = self.description["data"]
        if described["location"] is None:
            return None, ""
        if described.get("calibration"):
            return self.calibration_images(), "set aside before training"
        try:
            return self.test_images(), f"the test part of {described['source']}"
        except UserError:  # there is no such part
            return None, ""

    def _how_to_calibrate(self) -> str:
        if self.description["data"]["location"] is None:
            return (
                f"{self.path} was trained on images in memory, which are not kept, so there are none to set a threshold by: "
                "hand normal images over that it has not seen (calibrate=…, such as run.calibration_images(images) after "
                "training with calibration=0.1)"
            )
        return (
            f"{self.path} has no images to set a threshold by, for it set none aside and its data has no test part that it has "
            "not seen: train with --calibration 0.1, or name normal images that it has not seen with --calibrate"
        )
