"""What a run is worth beside what needs no training, and what new images are beside those that it knows.

A part of :class:`latentia.runs.Run`, in a file of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.load import same_place
from latentia.examined import Examined
from latentia.tasks.anomaly_scores import learn_normal
from latentia.tasks.baselines import Baselines, baselines
from latentia.tasks.drift import LEAST, Drift, check_enough, drift
from latentia.tasks.subsets import some
from latentia.tasks.trial_bench import Bench
from latentia.training.run import DataChoice
from latentia.training.storage import model_digest


class Beside(Examined):
    """The baselines and the test for drift of a run."""

    def baselines(
        self, data: Any = None, split: str | None = None, *, most: int = 2000, seed: int = 0, keep: bool = True
    ) -> Baselines:
        """Return the model beside PCA, NMF, raw pixels and classical methods; see :mod:`latentia.tasks.baselines`.

        Args:
            data: images that judge; by default the run's own validation images. Where its images were in memory, these very
                images: the run finds its own parts again.
            split: the part that judges; by default ``validation`` of its own images, ``test`` where these are named as ``data``,
                and ``all`` of others.
            most: images that judge at most, evenly spaced.
            seed: of every random choice.
            keep: write ``baselines.json`` and ``baselines.csv`` into the run's folder.

        Raises:
            UserError: a classifier's run, no images to judge by, or some that the run was trained on.
        """
        self._need_autoencoder("baselines are set beside autoencoders")
        train, judged = self._learned_and_judged(data, split)
        bench = Bench(
            self.model, self.objective, train, some(judged, most), float(self.description.get("seconds", 0.0)), seed
        )
        found = baselines(
            bench,
            name=self.title,
            judged=f"{judged.split + ' ' if judged.split != 'all' else ''}images of {judged.source}",
            learned=f"{len(train):,} training images",
            model=model_digest(self.path),
        )
        if keep:
            found.save(self.path)
        return found

    def _learned_and_judged(self, data: Any, split: str | None) -> tuple[ImageSet, ImageSet]:
        described = self.description["data"]
        location = described["location"]
        if location is None:
            if data is None:
                raise UserError(
                    f"{self.path} was trained on images in memory: hand these over, to learn from and judge by"
                )
            train, held = DataChoice.of(described).load(data)
            kept = described.get("validation")
            if kept is None or held is None:
                raise UserError(f"{self.path} has no validation images: there is nothing to judge by")
            if held.fingerprint != kept["fingerprint"]:
                raise UserError(
                    f"{self.path} was trained on other images than these, or validated by others, so it is not known which it "
                    "has not seen: hand over those that it was trained on"
                )
            return train, held
        parts = self._learned_parts()
        if data is None and split in (None, "validation"):
            if len(parts) < 2:
                raise UserError(f"{self.path} has no validation images: name DATA to judge by")
            return parts[0], parts[1]
        own = data is None or same_place(data, location)
        judged = self.images(location if data is None else data, split or ("test" if own else "all"))
        if judged.among(parts[0]).any():
            raise UserError(
                f"{judged.source} has images that {self.path} was trained on, which would favour it: judge by others, such as "
                "those of --split test"
            )
        return parts[0], judged

    def drift(self, data: Any, reference: Any = None, *, level: float = 0.05, most: int = 2000, seed: int = 0) -> Drift:
        """Return whether ``data`` has changed against the images that the run knows; see :func:`latentia.tasks.drift.drift`.

        It is compared with ``reference``, by default the images that were set aside for calibration when the run was trained
        (20 or more), else its validation images: the model draws its training images better than others, and these would
        make everything look changed. Images that it was trained on or chosen by are left out of ``data``; training images,
        and those of ``data``, out of ``reference``.

        Raises:
            UserError: also for a classifier's run, and where the run's images were in memory and no ``reference`` is named.
        """
        self._need_autoencoder("drift compares images by an autoencoder")
        images, parts = self.images(data), self._learned_parts()
        known, against = self._reference(reference, parts)
        new = _without(images, parts)
        if len(images) and not len(new):
            raise UserError(
                f"all {len(images):,} images of {images.source} are among those that {self.path} was trained on or chosen by: "
                "name others, such as those of --split test"
            )
        known = _without(known, [new])
        check_enough(len(known), against)
        if parts or self._kept_normal() is not None:
            normal = self.learn_normal()
        else:  # what is normal must not be learned from the very images that are compared
            order = np.random.default_rng(seed % 2**63).permutation(len(known))
            learned, known = known.select(order[::2]), known.select(np.sort(order[1::2]))
            normal, against = learn_normal(self.model, learned), f"{against} (others stood in for the training images)"
        return drift(
            self.model,
            new,
            known,
            normal,
            against=against,
            level=level,
            most=most,
            seed=seed,
            left_out=len(images) - len(new),
        )

    def _reference(self, reference: Any, parts: list[ImageSet]) -> tuple[ImageSet, str]:
        """Return what new images are compared with, and what it is called."""
        described = self.description["data"]
        if reference is not None:
            given = self.images(reference)
            known = _without(given, parts[:1])
            if not len(known):
                raise UserError(f"{self.path} was trained on all images of {given.source}: name another --reference")
            return known, f"images of {known.source}"
        if not parts:
            raise UserError(f"{self.path} was trained on images in memory: name a reference that it has not seen")
        if (described.get("calibration") or {}).get("count", 0) >= LEAST:
            return self.calibration_images(), f"calibration images of {described['source']}"
        if len(parts) < 2:
            raise UserError(f"{self.path} has no validation images to compare with: name a --reference")
        return parts[1], f"validation images of {described['source']}"


def _without(images: ImageSet, parts: list[ImageSet]) -> ImageSet:
    """Return those of ``images`` that are in none of ``parts``."""
    for part in parts:
        known = images.among(part)
        images = images.select(np.flatnonzero(~known)) if known.any() else images
    return images
