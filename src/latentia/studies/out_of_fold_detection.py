"""The odd ones out by a cross-validation: every image of it judged by a model that has not seen it, new images by all of them.

The out-of-fold scores stand in for calibration images, so no image has to be set aside: cross-conformal p-values (Vovk 2015),
whose guarantee is twice the level (Barber et al. 2021; see :mod:`latentia.tasks.conformal`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.studies.pool import part
from latentia.studies.result import CrossValidation, FoldResult
from latentia.tasks.anomaly_scores import Normal, learn_normal, score
from latentia.tasks.conformal import check_level, cross_p_values
from latentia.tasks.detect import Detection, check_asked, heat_maps
from latentia.tasks.reconstruct import reconstruct
from latentia.training.storage import load_model, load_tensors, model_digest, save_tensors

NORMAL = "out-of-fold-normal.safetensors"  # beside each fold's model: what is normal by the images it was trained on


class OutOfFoldDetector:
    """The detector that a finished cross-validation makes: one model and one idea of what is normal for each fold.

    Where an image was held out more than once (repeats), the first fold that held it out judges it.

    Args:
        result: the cross-validation.
    """

    def __init__(self, result: CrossValidation) -> None:
        self.result = result
        self._models: dict[int, Autoencoder] = {}
        self.folds = [fold for fold in result.folds if (result.fold_of == fold.number).any()]

    def detect(
        self, images: ImageSet, *, name: str = "combined", false_alarms: float = 0.0, fdr: float = 0.0
    ) -> Detection:
        """Score every image, and flag those that ``false_alarms`` asks for; see :func:`latentia.tasks.detect.detect`.

        Images of the cross-validation are judged by the model that has not seen them, and ranked among one another; others
        by all folds' models: their score is the mean over these.

        Raises:
            UserError: an unknown score, too few images for the level, or ``fdr``, for which out-of-fold scores are not enough.
        """
        check_asked(images, name, false_alarms, fdr)
        if fdr:
            raise UserError(
                "--fdr needs p-values that out-of-fold scores do not give (they share no one model): ask for --false-alarms, or "
                "detect with a run that was trained with --calibration"
            )
        known = self.scores(name)
        held = [known[self.result.fold_of == fold.number] for fold in self.folds]
        count = sum(map(len, held))
        if false_alarms:
            check_level(false_alarms, count, remedy="cross-validate at least {needed} images")
        places = images.places_in(self.result.images)
        own = np.where(places >= 0, known[places], np.nan)
        own_fold = np.where(places >= 0, self.result.fold_of[places], -1)
        new = np.flatnonzero(own_fold < 0)
        by_fold = np.zeros((len(self.folds), len(images)))
        if len(new):
            chosen = images.select(new)
            for row, fold in enumerate(self.folds):
                by_fold[row, new] = score(self.model(fold), chosen, name, self.normal(fold))
        scores = np.where(own_fold < 0, by_fold.mean(axis=0), own)
        p = cross_p_values(by_fold, held, np.where(own_fold < 0, np.nan, own))
        flagged = p <= false_alarms if false_alarms else np.zeros(len(images), dtype=bool)
        return Detection(
            images=images,
            score=name,
            scores=scores,
            p=p,
            flagged=flagged,
            calibration=count,
            false_alarms=false_alarms,
            fdr=0.0,
            learned=np.zeros(len(images), dtype=bool),
            among=own_fold >= 0,
            by=f"out-of-fold scores of {len(self.folds)} folds",
            folds=len(self.folds),
        )

    def scores(self, name: str = "combined") -> npt.NDArray[np.float64]:
        """Return each image's score by the model that has not seen it, float64 ``[N]``; NaN where no fold held it out.

        They are kept in the result's folder.
        """
        path = self.result.path / f"out-of-fold-{name}.safetensors"
        models = [model_digest(fold.path) for fold in self.folds]
        kept = _kept(path, models)
        if kept is not None:
            return kept
        scores = np.full(len(self.result.images), np.nan)
        for fold in self.folds:
            rows = np.flatnonzero(self.result.fold_of == fold.number)
            held = part(self.result.images, rows, split="test")
            scores[rows] = score(self.model(fold), held, name, self.normal(fold))
        save_tensors(path, {"scores": torch.from_numpy(scores)}, {"models": models})
        return scores

    def heat_maps(self, images: ImageSet) -> npt.NDArray[np.float32]:
        """Return how many times the usual error each pixel has, float32 ``[N, H, W]``; see :meth:`reconstruct`."""
        return self._each(images, lambda fold, some: heat_maps(self.model(fold), some, self.normal(fold)))

    def reconstruct(self, images: ImageSet) -> ImageSet:
        """Return the images as a model rebuilds them that has not seen them: new images by the first fold's."""
        found = self._each(images, lambda fold, some: reconstruct(self.model(fold), some).images.pixels)
        return images.with_pixels(found)

    def model(self, fold: FoldResult) -> Autoencoder:
        """Return a fold's model."""
        if fold.number not in self._models:
            self._models[fold.number] = load_model(fold.path)
        return self._models[fold.number]

    def normal(self, fold: FoldResult) -> Normal:
        """Return what is normal by the images that a fold's model was trained on, kept beside the model."""
        path, owner = fold.path / NORMAL, model_digest(fold.path)
        kept = Normal.kept(path, owner)
        if kept is None:
            kept = learn_normal(self.model(fold), part(self.result.images, fold.fold.train, mapped=True))
            kept.save(path, owner)
        return kept

    def _each(self, images: ImageSet, function: Callable[[FoldResult, ImageSet], npt.NDArray[Any]]) -> Any:
        places = images.places_in(self.result.images)
        owner = np.where(places >= 0, self.result.fold_of[places], -1)
        owner = np.where(owner >= 0, owner, self.folds[0].number)
        found: npt.NDArray[Any] | None = None
        for fold in self.folds:
            rows = np.flatnonzero(owner == fold.number)
            if len(rows):
                values = function(fold, images.select(rows))
                found = np.empty((len(images), *values.shape[1:]), dtype=values.dtype) if found is None else found
                found[rows] = values
        return found


def _kept(path: Path, models: list[str]) -> npt.NDArray[np.float64] | None:
    if not path.is_file():
        return None
    try:
        tensors, about = load_tensors(path)
    except UserError:  # damaged: it can always be made again
        return None
    return tensors["scores"].numpy() if about.get("models") == models else None


__all__ = ["OutOfFoldDetector"]
