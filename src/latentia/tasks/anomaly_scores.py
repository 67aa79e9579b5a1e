"""How normal an image is, by what an autoencoder makes of it; every score is higher for more normal images.

``reconstruction``: log-likelihood of the image given its reconstruction, a Gaussian whose variance is that of the training
residuals, nats a pixel value. ``neighbours``: the same given what is decoded from the mean of the 5 nearest training codes, so
that a network that can draw anything is held to what training images are like (in the spirit of Gong et al. 2019, whose
memory is trained). ``density``: minus the log of the mean distance to the 5 nearest training codes (Ramaswamy et al. 2000),
pooled where codes are spatial: the density of codes there, up to its scale. ``masked``: the log-likelihood of cells that were
hidden behind the training images' mean, each hidden once in four passes: it catches what a network copies through.

``combined``: the log errors of ``reconstruction`` and ``neighbours``, each less what is usual for an image of as much detail, in
units of its spread over training images; their mean. Without this an image of little detail looks normal for nothing but that
(Serrà et al. 2020 correct likelihoods by complexity in this way). Detail is the log of the mean squared difference between
neighbouring pixels, and what is usual is linear in it, fitted to the training images.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.apply import over, stream
from latentia.tasks.embed import embed
from latentia.tasks.looks import detail_of
from latentia.tasks.reconstruct import squared_error
from latentia.training.storage import load_tensors, save_tensors

SINGLE = ("reconstruction", "neighbours", "density", "masked")
SCORES = (*SINGLE, "combined")
NEIGHBOURS = 5
PASSES = 4
CELLS = 7  # cells along the longer side
MOST = 10_000  # training images that are looked at
MOST_VALUES = 1 << 22  # numbers in the whole codes that are kept to decode from
LEAST = 1e-6  # of an error or of detail, before its log is taken


@dataclasses.dataclass(frozen=True)
class Normal:
    """What is normal, learned from training images.

    Attributes:
        mean: float32 ``[C, H, W]``, the images' mean in [0, 1].
        usual: float32 ``[H, W]``, the mean squared error of each pixel, over channels.
        codes: float32 ``[M, D]``, pooled where they are spatial.
        anchors: float32 ``[A, *code_shape]``, whole codes of some of the images, to decode from.
        laws: float64 ``[2, 4]``, of the log error of reconstruction and of neighbours: where it begins, how it rises with
            detail, its spread about that, and the mean error itself.
        most_detail: float64 ``[1]``, the greatest detail of an image.
        count: how many images it was learned from.
    """

    mean: npt.NDArray[np.float32]
    usual: npt.NDArray[np.float32]
    codes: npt.NDArray[np.float32]
    anchors: npt.NDArray[np.float32]
    laws: npt.NDArray[np.float64]
    most_detail: npt.NDArray[np.float64]
    count: int

    @property
    def variance(self) -> float:
        """The variance of the training residuals."""
        return max(float(self.usual.mean()), LEAST)

    def save(self, path: Path, owner: str) -> None:
        """Keep it as safetensors, for the model of digest ``owner``."""
        arrays = ("mean", "usual", "codes", "anchors", "laws", "most_detail")
        tensors = {name: torch.from_numpy(np.ascontiguousarray(getattr(self, name))) for name in arrays}
        save_tensors(path, tensors, {"model": owner, "count": self.count})

    @classmethod
    def kept(cls, path: Path, owner: str) -> Self | None:
        """Return what :meth:`save` kept, or ``None`` where there is nothing, or of another model."""
        if not path.is_file():
            return None
        try:
            tensors, about = load_tensors(path)
            if about.get("model") != owner:
                return None
            return cls(**{name: value.numpy().copy() for name, value in tensors.items()}, count=int(about["count"]))
        except (UserError, TypeError, KeyError):  # damaged or of another version: it can always be made again
            return None


def learn_normal(model: Autoencoder, images: ImageSet) -> Normal:
    """Return what is normal by ``images``, those that the model was trained on; at most 10,000 are used, evenly spaced.

    Raises:
        UserError: fewer than two images, codes that are not finite, or model and images do not fit each other.
    """
    if len(images) < 2:
        raise UserError(f"{images.source} has {len(images)} image(s), but what is normal takes two or more to learn")
    chosen = images.select(np.linspace(0, len(images) - 1, min(len(images), MOST)).astype(np.int64))
    mean, usual = _means(model, chosen)
    kept = max(2, min(len(chosen), MOST_VALUES // model.latent_dim))
    places = np.unique(np.linspace(0, len(chosen) - 1, kept).astype(np.int64))
    anchors = embed(model, chosen.select(places)).reshape(-1, *model.code_shape)
    own = np.full(len(chosen), -1, dtype=np.int64)
    own[places] = np.arange(len(places))
    codes = codes_of(model, chosen)
    errors, detail = _errors(model, chosen, anchors, own)
    laws = np.stack([_law(values, detail) for values in errors])
    return Normal(mean, usual, codes, anchors, laws, detail.max(keepdims=True), len(chosen))


def score(model: Autoencoder, images: ImageSet, name: str, normal: Normal) -> npt.NDArray[np.float64]:
    """Return the score ``name`` of every image, float64 ``[N]``.

    Args:
        model: an autoencoder.
        images: images that fit it.
        name: one of :data:`SCORES`.
        normal: what is normal.
    """
    if name == "density":
        return density(codes_of(model, images), normal)
    if name == "masked":
        return _log_likelihood(over(model, images, lambda batch: _masked(model, batch.pixels, normal)), normal.variance)
    if name == "reconstruction":
        return _log_likelihood(
            over(model, images, lambda batch: squared_error(model(batch.pixels), batch.pixels)), normal.variance
        )
    errors, detail = _errors(model, images, normal.anchors)
    if name == "neighbours":
        return _log_likelihood(errors[1], max(float(normal.laws[1, 3]), LEAST))
    detail = np.minimum(detail, normal.most_detail)  # what is busier than any training image is excused no further
    parts = [
        (_log(values) - begin - rise * detail) / spread
        for values, (begin, rise, spread, _) in zip(errors, normal.laws, strict=True)
    ]
    return -np.mean(parts, axis=0)


def density(codes: npt.NDArray[Any], normal: Normal) -> npt.NDArray[np.float64]:
    """Return the score ``density`` of images whose pooled codes ``[N, D]`` are known: float64 ``[N]``."""
    from sklearn.neighbors import NearestNeighbors

    known = normal.codes
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known))).fit(known.astype(np.float64))
    distances, _ = nearest.kneighbors(codes.astype(np.float64))
    return -np.log(np.maximum(distances.mean(axis=1, dtype=np.float64), 1e-12))


def codes_of(model: Autoencoder, images: ImageSet) -> npt.NDArray[np.float32]:
    """Return codes ``[N, D]``, pooled where they are spatial.

    Raises:
        UserError: a code is not finite.
    """
    codes = embed(model, images, pool=True)
    _check_finite(codes, images.names)
    return codes


def _check_finite(codes: npt.NDArray[Any], names: Sequence[str]) -> None:
    finite = np.isfinite(codes).all(axis=1)
    if not finite.all():
        bad = names[int(np.argmin(finite))]
        raise UserError(f"the code of {bad!r} is not finite, so nothing can be detected: train the model again")


def _means(model: Autoencoder, images: ImageSet) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the mean image ``[C, H, W]`` and the mean squared error of each pixel ``[H, W]``."""
    sums: list[Any] = [0.0, 0.0]
    for parts in stream(model, images, lambda batch: torch.stack(_both(model, batch.pixels))):
        sums = [total + part for total, part in zip(sums, parts.astype(np.float64), strict=True)]
    mean, error = (np.asarray(total / len(images), dtype=np.float32) for total in sums)
    return mean, error.mean(axis=0)


def _both(model: Autoencoder, pixels: Tensor) -> list[Tensor]:
    return [pixels.sum(0), (model(pixels) - pixels).square().sum(0)]


def _errors(
    model: Autoencoder,
    images: ImageSet,
    anchors: npt.NDArray[np.float32],
    own: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the errors of the reconstruction and of the neighbours' ``[2, N]``, and the log of the detail ``[N]``.

    ``own`` says which anchor each image is itself, -1 where none: a code is not its own neighbour.
    """
    neighbours = _neighbours(anchors)
    device = next(model.parameters()).device
    start = 0

    def look(batch: Any) -> Tensor:
        nonlocal start
        pixels = batch.pixels
        size = (pixels.shape[-2], pixels.shape[-1])
        code = model.encode(pixels)
        pooled = code.vector(True).float().cpu().numpy()
        _check_finite(pooled, images.names[start : start + len(pooled)])
        nearest = neighbours(pooled, None if own is None else own[start : start + len(pooled)])
        start += len(pooled)
        around = torch.from_numpy(anchors[nearest].mean(axis=1, dtype=np.float64).astype(np.float32)).to(device)
        theirs = model.decode(around)
        if theirs.shape[-2:] != pixels.shape[-2:]:  # images of another size than the training images
            theirs = F.interpolate(theirs, size, mode="bilinear")
        return torch.stack(
            [squared_error(model.decode(code.z, size), pixels), squared_error(theirs, pixels), detail_of(pixels)], dim=1
        )

    found = over(model, images, look)
    return found[:, :2].T, _log(found[:, 2])


def _neighbours(
    anchors: npt.NDArray[np.float32],
) -> Callable[[npt.NDArray[Any], npt.NDArray[np.int64] | None], npt.NDArray[np.int64]]:
    """Return the function from pooled codes ``[B, D]`` to the places of their nearest anchors ``[B, 5]``."""
    from sklearn.neighbors import NearestNeighbors

    pooled = anchors.reshape(*anchors.shape[:2], -1).mean(axis=2, dtype=np.float64)
    nearest = NearestNeighbors().fit(pooled)

    def find(codes: npt.NDArray[Any], own: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
        wanted = min(NEIGHBOURS, len(pooled) - (own is not None))
        places = nearest.kneighbors(codes.astype(np.float64), wanted + (own is not None), return_distance=False)
        if own is None:
            return np.asarray(places)
        others = np.argsort(
            places == own[:, None], axis=1, kind="stable"
        )  # itself goes to the end, where it is cut off
        return np.take_along_axis(places, others, axis=1)[:, :wanted]

    return find


def _law(errors: npt.NDArray[np.float64], detail: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where the log error begins, how it rises with detail, its spread, and the mean error."""
    logs = _log(errors)
    varies = detail.var()
    rise = max(float(np.cov(logs, detail, bias=True)[0, 1] / varies), 0.0) if varies > 1e-9 else 0.0
    begin = float(np.mean(logs - rise * detail))
    left = logs - begin - rise * detail
    spread = 1.4826 * float(np.median(np.abs(left - np.median(left))))
    return np.array([begin, rise, max(spread, 1e-3), errors.mean()])


def _log(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.log(np.maximum(np.asarray(values, dtype=np.float64), LEAST))


def _log_likelihood(errors: npt.NDArray[Any], variance: float) -> npt.NDArray[np.float64]:
    return -0.5 * (errors.astype(np.float64) / variance + math.log(2 * math.pi * variance))


def _masked(model: Autoencoder, pixels: Tensor, normal: Normal) -> Tensor:
    height, width = pixels.shape[-2:]
    mean = torch.as_tensor(normal.mean, device=pixels.device)
    if mean.shape[-2:] != pixels.shape[-2:]:  # images of another size than the training images
        mean = mean.mean((-2, -1), keepdim=True)
    error = torch.zeros_like(pixels)
    for number in range(PASSES):
        hidden = hidden_cells(height, width, number).to(pixels.device)
        restored = model(torch.where(hidden, mean, pixels))
        error = torch.where(hidden, (restored - pixels).square(), error)
    return error.double().flatten(1).mean(1)


def hidden_cells(height: int, width: int, number: int) -> Tensor:
    """Return which pixels the pass ``number`` hides, bool ``[H, W]``: cells whose diagonal neighbours stay visible."""
    side = max(1, math.ceil(max(height, width) / CELLS))
    rows, columns = torch.arange(height)[:, None] // side, torch.arange(width)[None] // side
    return (rows % 2) * 2 + columns % 2 == number
