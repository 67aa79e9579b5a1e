"""What the model makes of one more image: its code, its place among the others, what it restores, and how odd it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latentia.app.pictures import error_map
from latentia.app.subject import Subject, map_code
from latentia.core.noise import Noise
from latentia.data.imageset import ImageSet
from latentia.objective import Objective
from latentia.parts import CORRUPTIONS
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import batches, format_for, to_pixels
from latentia.tasks.map_codes import place_beside

NEAREST = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """One image and what came of it; pixels are ``[C, H, W]`` of the model's format.

    Attributes:
        image, reconstruction: the image as the model sees it, and what it makes of it.
        corrupted, restored: the image spoilt as in training (by light noise where training spoils nothing), and what the model
            makes of that.
        corruption: what spoilt it, in words.
        error: float32 ``[H, W]``, where image and reconstruction differ.
        score: the per-pixel squared error.
        share: the share of the images whose score is lower.
        nearest: the images with the nearest codes, nearest first.
        distances: float32, how far they are.
        usual: the median distance of an image to its nearest neighbour, for comparison.
        place: float ``[2]``, where it belongs on the map.
        code: float32 ``[D]``, what the map is made of.
    """

    image: npt.NDArray[Any]
    reconstruction: npt.NDArray[Any]
    corrupted: npt.NDArray[Any]
    restored: npt.NDArray[Any]
    corruption: str
    error: npt.NDArray[np.float32]
    score: float
    share: float
    nearest: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]
    usual: float
    place: npt.NDArray[np.float32]
    code: npt.NDArray[np.float32]


def attempt(subject: Subject, image: ImageSet, positions: npt.NDArray[np.float32], usual: float) -> Trial:
    """Return what the model makes of an image of its own format.

    Args:
        subject: the run and the images it is compared with.
        image: one image.
        positions: float32 ``[N, 2]``, the map.
        usual: the median distance to a nearest neighbour.
    """
    model, pixel_format = subject.autoencoder, format_for(subject.autoencoder, image)
    corruption, words = _corruption(subject)
    with evaluating(model), evaluating(subject.model):
        batch = next(iter(batches(model, image)))
        output = model(batch.pixels)
        noisy, _ = corruption(batch.pixels, Noise(0, batch.ids, "picture", "corruption"))
        restored = model(noisy)
        code = map_code(subject.model, batch.pixels).cpu().numpy().reshape(-1)
    distances = np.sqrt(np.maximum(np.square(subject.codes - code).sum(axis=1), 0.0))
    nearest = np.argsort(distances, kind="stable")[:NEAREST]
    score = float((output - batch.pixels).double().square().mean())
    back = to_pixels(output, pixel_format)[0]
    return Trial(
        image=np.asarray(image.pixels[0]),
        reconstruction=back,
        corrupted=to_pixels(noisy, pixel_format)[0],
        restored=to_pixels(restored, pixel_format)[0],
        corruption=words,
        error=error_map(np.asarray(image.pixels[0]), back, pixel_format),
        score=score,
        share=float((subject.scores < score).mean()),
        nearest=nearest,
        distances=distances[nearest].astype(np.float32),
        usual=usual,
        place=place_beside(subject.codes, positions, code[None])[0],
        code=code,
    )


def usual_distance(codes: npt.NDArray[np.float32], most: int = 500) -> float:
    """Return the median distance of a code to its nearest neighbour, over at most 500 codes."""
    rows = np.linspace(0, len(codes) - 1, min(len(codes), most)).astype(np.int64)
    if len(codes) < 2:
        return float("nan")
    norms = np.square(codes.astype(np.float64)).sum(axis=1)
    least = []
    for start in range(0, len(rows), 64):
        some = rows[start : start + 64]
        squared = norms[some][:, None] - 2 * codes[some].astype(np.float64) @ codes.T.astype(np.float64) + norms
        squared[np.arange(len(some)), some] = np.inf
        least.append(squared.min(axis=1))
    return float(np.median(np.sqrt(np.maximum(np.concatenate(least), 0.0))))


def chances_of(model: Any, temperature: float, pixels: npt.NDArray[Any], subject: Subject) -> npt.NDArray[np.float64]:
    """Return the calibrated probability of each class ``[K]`` for one image ``[C, H, W]``."""
    unit = torch.from_numpy(subject.autoencoder.format.to_unit(pixels))[None]
    with evaluating(model):
        logits = model(unit.to(next(model.parameters()).device)).double() / temperature
    return np.asarray(logits.softmax(1)[0].cpu().numpy())


def _corruption(subject: Subject) -> tuple[Any, str]:
    described = subject.run.description.get("objective")
    if described is not None:
        corruption = Objective.from_json(described).corruption
        if corruption.name != "none":
            return corruption, f"spoilt as in training ({corruption})"
    return CORRUPTIONS.make("gaussian", sigma=0.2), "with noise of 20 % of the range"
