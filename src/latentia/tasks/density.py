"""Test log-likelihood by importance sampling (Burda et al. 2016, section 5), with the ELBO, rate, distortion and active units."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.core.bars import tqdm
from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.core.notebook import Printed
from latentia.data.batches import Batch
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import batches

BLOCK = 50  # samples that share one address of noise, so that results do not depend on ``chunk``
ACTIVE = 0.01  # Burda et al. 2016, section 5.2: a unit is active when Var_x(E_q[z]) exceeds this


@dataclasses.dataclass(frozen=True)
class Density(Printed):
    """What a model says of the probability of images, in nats.

    Attributes:
        source, split, count: the images.
        samples: K, the codes drawn for each image.
        log_likelihood: float64 ``[N]``, log 1/K sum_k p(x, z_k) / q(z_k | x): a lower bound in expectation, near log p(x)
            where ``effective_samples`` is large.
        standard_error: float64 ``[N]``, of each estimate, from the spread of its weights (delta method).
        effective_samples: float64 ``[N]``, (sum w)^2 / sum w^2 (Kong 1992): near 1, one sample decides.
        elbo: float64 ``[N]``, the mean of the same samples' log weights: ``-rate - distortion``.
        rate: float64 ``[N]``, KL(q(z | x) || p(z)), estimated from the samples.
        distortion: float64 ``[N]``, E_q[-log p(x | z)].
        curve: ``(k, mean bound with k samples)``: the samples of one image are cut into groups of k, whose bounds are
            averaged. Where each k divides the next, it can only rise.
        unit_variance: float64 ``[units]``, Var_x(E_q[z]) of each unit.
    """

    source: str
    split: str
    count: int
    samples: int
    log_likelihood: npt.NDArray[np.float64]
    standard_error: npt.NDArray[np.float64]
    effective_samples: npt.NDArray[np.float64]
    elbo: npt.NDArray[np.float64]
    rate: npt.NDArray[np.float64]
    distortion: npt.NDArray[np.float64]
    curve: tuple[tuple[int, float], ...]
    unit_variance: npt.NDArray[np.float64]

    @property
    def active_units(self) -> int:
        """How many units vary with the image."""
        return int((self.unit_variance > ACTIVE).sum())

    def to_json(self) -> dict[str, Any]:
        """Return the means over the images, the curve and the active units."""
        return {
            "source": self.source,
            "split": self.split,
            "count": self.count,
            "samples": self.samples,
            "log_likelihood": float(self.log_likelihood.mean()),
            "standard_error": _standard_error(self.log_likelihood),
            "effective_samples": float(np.median(self.effective_samples)),
            "elbo": float(self.elbo.mean()),
            "rate": float(self.rate.mean()),
            "distortion": float(self.distortion.mean()),
            "curve": [list(point) for point in self.curve],
            "active_units": self.active_units,
            "units": len(self.unit_variance),
        }

    def __str__(self) -> str:
        values = self.to_json()
        curve = ", ".join(f"K={samples} {value:.2f}" for samples, value in self.curve)
        return "\n".join(
            [
                f"{self.source}, {self.split} split, {self.count} images, {self.samples} samples of the code for each",
                f"  log-likelihood  {values['log_likelihood']:.2f} nats +- {values['standard_error']:.2f} "
                f"(median of effective samples: {values['effective_samples']:.0f})",
                f"  ELBO            {values['elbo']:.2f} nats: rate {values['rate']:.2f}, "
                f"distortion {values['distortion']:.2f}",
                f"  bound by K      {curve}",
                f"  active units    {self.active_units} of {len(self.unit_variance)}",
            ]
        )


def log_likelihood(
    model: Autoencoder, images: ImageSet, *, samples: int = 5000, chunk: int = 2000, seed: int = 0
) -> Density:
    """Estimate log p(x) of every image.

    Args:
        model: an autoencoder whose bottleneck has a posterior; any prior.
        images: images as the model was trained on; a likelihood that draws its pixels draws them once.
        samples: K, rounded up to a multiple of 50 where it is larger than 50.
        chunk: the most codes that are decoded at once: memory, not the result, depends on it.
        seed: addresses the samples.

    Raises:
        UserError: the model has no posterior, model and images do not fit, or a number is below 1.
    """
    if not model.architecture.bottleneck.stochastic:
        raise UserError(
            f"the log-likelihood needs a posterior, but the bottleneck {model.architecture.bottleneck.name!r} has none: "
            "train a preset such as vae"
        )
    if samples < 1 or chunk < 1:
        raise UserError(f"samples is {samples} and chunk {chunk}, but both must be at least 1")
    blocks, block = -(-samples // BLOCK), min(samples, BLOCK)
    points = _points(blocks * block)
    rows, means = [], []
    with evaluating(model):
        together = max(1, chunk // block)
        stream = batches(model, images, together)
        total = -(-len(images) // together)
        for batch in tqdm(stream, total=total, unit=" batches", delay=2.0, disable=None, leave=False):
            log_weights, distortion, mean = _weights(model, batch, blocks, block, seed)
            rows.append(_summary(log_weights, distortion, points))
            means.append(mean.double().cpu().numpy())
    found = np.concatenate(rows, axis=1)
    return Density(
        source=images.source,
        split=images.split,
        count=len(images),
        samples=blocks * block,
        log_likelihood=found[0],
        standard_error=found[1],
        effective_samples=found[2],
        elbo=found[3],
        rate=-found[3] - found[4],
        distortion=found[4],
        curve=tuple((k, float(row.mean())) for k, row in zip(points, found[5:], strict=True)),
        unit_variance=np.concatenate(means).var(axis=0),
    )


def _points(samples: int) -> list[int]:
    return sorted({10**power for power in range(9) if 10**power < samples} | {samples})


def _weights(model: Autoencoder, batch: Batch, blocks: int, block: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return log weights and log p(x | z), ``[K, B]`` each, and the posterior's mean ``[B, units]``."""
    noise = Noise(seed, batch.ids, "density")
    pixels = model.likelihood.observe(batch.pixels, noise.fork("observation"))
    size = (pixels.shape[-2], pixels.shape[-1])
    posterior = model.encode(pixels).posterior
    if posterior is None:
        raise TypeError("a stochastic bottleneck returned no posterior")  # a developer's mistake
    log_weights, log_likelihoods = [], []
    for place in range(blocks):
        z = posterior.rsample(noise.fork(place), block)
        log_likelihood = model.likelihood.per_image(model.decode_parameters(z, size), pixels)
        log_ratio = model.prior.log_prob(z, model) - posterior.log_prob(z).flatten(2).sum(2)
        log_weights.append((log_likelihood + log_ratio).cpu().double())
        log_likelihoods.append(log_likelihood.cpu().double())
    return torch.cat(log_weights), torch.cat(log_likelihoods), posterior.mean.flatten(1)


def _summary(log_weights: Tensor, log_likelihood: Tensor, points: list[int]) -> npt.NDArray[np.float64]:
    """Return estimate, standard error, effective samples, ELBO, distortion, and the bound at each point: ``[rows, B]``."""
    count = len(log_weights)
    normalised = log_weights.softmax(0)
    effective = 1.0 / normalised.square().sum(0)
    rows = [
        torch.logsumexp(log_weights, 0) - math.log(count),
        (1.0 / effective - 1.0 / count).clamp_min(0.0).sqrt(),
        effective,
        log_weights.mean(0),
        -log_likelihood.mean(0),
    ]
    for k in points:
        groups = log_weights[: count // k * k].view(count // k, k, -1)
        rows.append((torch.logsumexp(groups, 1) - math.log(k)).mean(0))
    return torch.stack(rows).numpy()


def _standard_error(values: npt.NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.inf
