"""A density fitted to the codes of a deterministic autoencoder, to sample from (Ghosh et al. 2020, section 4: "ex-post")."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.training.storage import load_tensors, save_tensors

FULL = 256  # up to so many units covariances are full; beyond, estimating them takes more codes than most sets have


@dataclasses.dataclass(frozen=True)
class FittedMixture:
    """A mixture of K normals over flattened codes of D units.

    Attributes:
        weights: float32 ``[K]``, summing to 1.
        means: float32 ``[K, D]``.
        factors: float32 ``[K, D, D]``, the covariances' lower Cholesky factors; or ``[K, D]``, standard deviations.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def sample(self, noise: Noise) -> Tensor:
        """Return one code for each id of ``noise``: ``[B, D]``, on its device."""
        device = noise.ids.device
        weights, means, factors = (value.to(device) for value in (self.weights, self.means, self.factors))
        edges = weights.cumsum(0)
        chosen = torch.searchsorted(edges, noise.uniform()).clamp_max(len(weights) - 1)
        eps = noise.normal(means.shape[1])
        if factors.ndim == 2:
            return means[chosen] + factors[chosen] * eps
        drawn = means[chosen]
        for component in range(len(weights)):  # component by component: factors[chosen] would be B x D x D
            rows = chosen == component
            drawn[rows] += eps[rows] @ factors[component].T
        return drawn

    def save(self, path: Path) -> None:
        """Write the mixture to a safetensors file."""
        save_tensors(path, {"weights": self.weights, "means": self.means, "factors": self.factors})

    @classmethod
    def load(cls, path: Path) -> FittedMixture:
        """Return the mixture that :meth:`save` wrote.

        Raises:
            UserError: the file is missing, damaged, or holds no mixture.
        """
        tensors, _ = load_tensors(path)
        if set(tensors) != {"weights", "means", "factors"}:
            raise UserError(f"{path} holds no mixture of codes: it has the tensors {', '.join(sorted(tensors))}")
        return cls(**tensors)


def fit_mixture(codes: npt.ArrayLike, components: int = 10, seed: int = 0) -> FittedMixture:
    """Fit a mixture of normals to training codes by expectation maximisation (scikit-learn).

    Args:
        codes: ``[N, D]`` or spatial ``[N, C, h, w]``; they are flattened.
        components: K; fewer where there are fewer codes.
        seed: of the start.

    Raises:
        UserError: fewer than two codes, or a number of components below 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    flat = np.asarray(codes, dtype=np.float64)
    flat = flat.reshape(len(flat), -1)
    if len(flat) < 2:
        raise UserError(f"a mixture is fitted to two or more codes, but there are {len(flat)}: give training images")
    if components < 1:
        raise UserError(f"components is {components}, but it must be at least 1")
    kind = "full" if flat.shape[1] <= FULL else "diag"
    regular = 1e-6 + 1e-4 * float(flat.var(axis=0).mean())  # keeps covariances invertible where units are constant
    model = GaussianMixture(
        min(components, len(flat)), covariance_type=kind, reg_covar=regular, max_iter=200, tol=1e-3, random_state=seed
    )
    with warnings.catch_warnings():
        # a fit that stops at its last iteration is a density, too
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(flat)
    covariances = model.covariances_
    factors = np.linalg.cholesky(covariances) if kind == "full" else np.sqrt(covariances)
    arrays = [np.asarray(value, dtype=np.float32) for value in (model.weights_, model.means_, factors)]
    return FittedMixture(*(torch.from_numpy(array) for array in arrays))
