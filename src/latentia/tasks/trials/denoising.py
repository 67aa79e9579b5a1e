"""Denoising: images corrupted as in training, restored by the model, by classical methods, and by a linear map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latentia.core.noise import Noise, derive
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import BATCH, batches
from latentia.tasks.classical import WAYS, best_strength, biharmonic
from latentia.tasks.linear_map import fit_linear_map
from latentia.tasks.quality import has_skimage, psnr, ssim
from latentia.tasks.simple_codes import timed
from latentia.tasks.subsets import some
from latentia.tasks.trial import Measured, Trial, trial
from latentia.tasks.trial_bench import MODEL, POINT, Bench, LeftOut

PLACE = 10
VALUES, LEAST, MOST = 300_000, 24, 200  # pixels of the images that are restored, and how many images these are
LEARNED_FROM = 3000  # training images that the linear map learns from
DECIBELS = 0.2  # what hardly anyone would notice
TOLD = "biharmonic, told where"
MISSING = (
    "total variation, non-local means, biharmonic filling and SSIM need scikit-image: pip install 'latentia[classical]'"
)

Images = npt.NDArray[np.float32]  # [N, C, H, W]


def trials(bench: Bench) -> Iterator[Trial]:
    """Yield PSNR, and SSIM where scikit-image is installed."""
    corruption = bench.objective.corruption
    if corruption.name == "none":
        raise LeftOut("this run was not trained to restore anything")
    count = int(np.clip(VALUES // bench.judged.format.pixels, LEAST, MOST))
    clean, noisy, changed = _spoilt(bench, some(bench.judged, count))
    seen, spoilt, _ = _spoilt(bench, some(bench.train, LEARNED_FROM))
    answers: list[tuple[str, Images, float, float]] = []

    def add(name: str, fit_seconds: float, answer: Callable[..., Images], *given: Any) -> None:
        made, seconds = timed(answer, *given)
        answers.append((name, np.clip(made, 0, 1), fit_seconds, seconds))

    add(MODEL, bench.seconds, _through, bench.model, noisy)
    for way, (answer, _) in WAYS.items():
        if way == "median" or has_skimage():
            strength, seconds = timed(best_strength, way, spoilt, seen)
            add(way, seconds, answer, noisy, strength)
    notes = [] if has_skimage() else [MISSING]
    if 0 < changed.mean() < 0.95 and has_skimage():
        add(TOLD, 0.0, biharmonic, np.clip(noisy, 0, 1), changed)
        notes.append(f"{TOLD} knows which pixels were spoilt; the others do not, so it is no rival")
    restore, seconds = timed(fit_linear_map, spoilt, seen)
    add("linear map", seconds, restore, noisy)
    add("as given", 0.0, np.asarray, noisy)
    notes.append(
        f"corrupted as in training ({corruption}); strengths, and the linear map from noisy to clean images (ridge "
        "regression), were found on training images"
    )
    scores: list[tuple[str, float, Any]] = [("PSNR, dB", DECIBELS, psnr)]
    if has_skimage() and min(clean.shape[2:]) >= 3:
        scores.append(("SSIM", POINT, ssim))
    for figure, margin, judge in scores:
        ways = [
            Measured(way, judge(clean, images).astype(np.float64), fit_seconds, apply_seconds, told=way == TOLD)
            for way, images, fit_seconds, apply_seconds in answers
        ]
        seed = derive(bench.seed, "denoising")
        yield trial("denoising", figure, ways, higher=True, margin=margin, notes=notes, seed=seed)
        notes = []


def _spoilt(bench: Bench, images: ImageSet) -> tuple[Images, Images, npt.NDArray[np.bool_]]:
    """Return images clean and corrupted as in training, and where they were changed."""
    parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for batch in batches(bench.model, images):
        noise = Noise(bench.seed, batch.ids, "baselines", "corruption")
        for part, values in zip(parts, (batch.pixels, *bench.objective.corruption(batch.pixels, noise)), strict=True):
            part.append(values.cpu().numpy())
    clean, noisy, changed = map(np.concatenate, parts)
    return clean, noisy, changed


def _through(model: Autoencoder, images: Images) -> Images:
    device = next(model.parameters()).device
    starts = range(0, len(images), BATCH)
    with evaluating(model):
        parts = [model(torch.from_numpy(images[start : start + BATCH]).to(device)) for start in starts]
    return np.concatenate([part.float().cpu().numpy() for part in parts])
