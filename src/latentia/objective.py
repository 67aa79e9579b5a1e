"""What training minimises: corruption + likelihood + bound, with weights on named terms and penalties."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import torch
from torch import Tensor

from latentia.core.errors import UserError, nearest
from latentia.core.noise import Noise
from latentia.core.share import Share
from latentia.model import Architecture, Autoencoder
from latentia.parts import BOUNDS, CORRUPTIONS, PENALTIES
from latentia.parts.base import Bound, Corruption, Penalty, View
from latentia.parts.code import per_image


@dataclasses.dataclass(frozen=True)
class Objective:
    """The loss of an autoencoder.

    Attributes:
        corruption: what is done to the images before they are encoded; the target stays clean.
        bound: how posterior, prior and likelihood become the loss.
        penalties: further terms.
        weights: the factor of each named term, 1 where none is given.
        target: the pixels that count: ``all``, or ``changed`` for those that the corruption changed (masked training).
    """

    corruption: Corruption
    bound: Bound
    penalties: tuple[Penalty, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    target: str = "all"

    headline = "loss"  # what validation judges by

    def to_json(self) -> dict[str, Any]:
        """Return the parts, weights and target as JSON values."""
        return {
            "corruption": self.corruption.to_json(),
            "bound": self.bound.to_json(),
            "penalties": [penalty.to_json() for penalty in self.penalties],
            "weights": dict(self.weights),
            "target": self.target,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the objective that :meth:`to_json` wrote."""
        return cls(
            corruption=CORRUPTIONS.make(values["corruption"]),  # type: ignore[arg-type]
            bound=BOUNDS.make(values["bound"]),  # type: ignore[arg-type]
            penalties=tuple(PENALTIES.make(value) for value in values["penalties"]),  # type: ignore[misc]
            weights=tuple((name, float(weight)) for name, weight in values["weights"].items()),
            target=values["target"],
        )

    def term_names(self, architecture: Architecture) -> tuple[str, ...]:
        """Return the names of the terms that this objective has with this architecture."""
        kl = ("kl",) if architecture.bottleneck.stochastic else ()
        return (
            "reconstruction",
            *kl,
            *architecture.bottleneck.term_names,
            *(penalty.name for penalty in self.penalties),
        )

    def check(self, architecture: Architecture) -> None:
        """Raise a :class:`UserError` where weights, bound and architecture do not fit, before any training."""
        if self.target not in ("all", "changed"):
            raise UserError(f"the target is {self.target!r}, but it must be 'all' or 'changed'")
        known = self.term_names(architecture)
        for name, _ in self.weights:
            if name not in known:
                raise UserError(
                    f"the loss has no term {name!r} to weigh{nearest(name, known)} (its terms: {', '.join(known)})"
                )
        if self.bound.needs_posterior and not architecture.bottleneck.stochastic:
            raise UserError(
                f"the bound {self.bound.name!r} needs a posterior, but the bottleneck "
                f"{architecture.bottleneck.name!r} has none: choose --bottleneck gaussian"
            )

    def __call__(
        self, model: Autoencoder, pixels: Tensor, labels: Tensor | None, noise: Noise, progress: Share = 1.0
    ) -> dict[str, Tensor]:
        """Return the named terms of each image, ``[B]`` each: ``loss`` is what is minimised.

        Args:
            model: the autoencoder.
            pixels: clean images ``[B, C, H, W]`` in [0, 1].
            labels: not used by an autoencoder.
            noise: the batch's addressed noise.
            progress: the share of training done, 0 to 1.
        """
        pixels = model.likelihood.observe(pixels, noise.fork("observation"))
        corrupted, changed = self.corruption(pixels, noise.fork("corruption"))
        view = View(
            model=model,
            inputs=corrupted,
            target=pixels,
            mask=changed.to(pixels.dtype) if self.target == "changed" else None,
            noise=noise.fork("code"),
            progress=progress,
            weights=dict(self.weights),
        )
        terms, code = self.bound(view)
        for name, term in code.terms.items():
            terms[name] = per_image(term)
            terms["loss"] = terms["loss"] + view.weight(name) * terms[name]
        for penalty in self.penalties:
            terms[penalty.name] = penalty(view, code).expand(len(pixels))
            terms["loss"] = terms["loss"] + view.weight(penalty.name) * terms[penalty.name]
        return terms

    @torch.no_grad()
    def evaluate(self, model: Autoencoder, pixels: Tensor, labels: Tensor | None, noise: Noise) -> dict[str, Tensor]:
        """Return the terms and ``mse``: the per-pixel squared error of the deterministic reconstruction, ``[B]``.

        The reconstruction starts from the corrupted images where there is a corruption, and is compared with the clean
        ones; it lies in [0, 1].
        """
        terms = self(model, pixels, labels, noise)
        corrupted, _ = self.corruption(pixels, noise.fork("corruption"))
        restored = model(corrupted)
        terms["mse"] = (restored - pixels).square().flatten(1).mean(1)
        return terms
