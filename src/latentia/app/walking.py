"""Walking in the latent space: from a code along directions, each step decoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.app.pictures import decoded
from latentia.core.errors import UserError, unknown
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.embed import embed

KINDS = ("principal", "units")
MOST = 8  # directions that sliders are shown for
REACH = 4.0  # standard deviations to either side
SAMPLE = 20_000  # codes that directions are found from


@dataclasses.dataclass(frozen=True)
class Directions:
    """Ways through the codes.

    Attributes:
        kind: ``principal`` (the codes' leading principal directions) or ``units`` (single units, the most active first).
        vectors: float32 ``[K, D]``, unit vectors.
        spreads: float32 ``[K]``, the standard deviation of the codes along each.
        names: what each is called.
    """

    kind: str
    vectors: npt.NDArray[np.float32]
    spreads: npt.NDArray[np.float32]
    names: tuple[str, ...]


class Walker:
    """Decodes codes along directions.

    Args:
        model: an autoencoder with a vector code.
        codes: float32 ``[N, D]``, its codes of some images.

    Raises:
        UserError: a code that keeps positions, or codes that do not differ.
    """

    def __init__(self, model: Autoencoder, codes: npt.NDArray[np.float32]) -> None:
        check_walkable(model)
        self.model = model
        self.codes = codes
        some = codes[np.linspace(0, len(codes) - 1, min(len(codes), SAMPLE)).astype(np.int64)].astype(np.float64)
        self.mean = some.mean(axis=0).astype(np.float32)
        self.directions = {"principal": _principal(some), "units": _units(some)}
        if not len(self.directions["principal"].spreads):
            raise UserError("all images have one and the same code: there is nowhere to walk")
        self._norms = np.square(codes).sum(axis=1)

    def code(self, row: int | None) -> npt.NDArray[np.float32]:
        """Return the code to start from: an image's, or the mean of all."""
        return self.mean if row is None else self.codes[row]

    def places(self, kind: str, row: int | None) -> list[float]:
        """Return where the start lies along each direction, in standard deviations from the mean."""
        chosen = self._chosen(kind)
        along = chosen.vectors @ (self.code(row) - self.mean) / chosen.spreads
        return [float(value) for value in along]

    def step(self, kind: str, row: int | None, moves: Mapping[int, float]) -> npt.NDArray[np.float32]:
        """Return the code of the start moved so that it lies at ``moves`` (direction: standard deviations from the mean).

        Directions that are not named stay where the start is; moves beyond 4 standard deviations are cut there.
        """
        chosen = self._chosen(kind)
        start = self.places(kind, row)
        code = self.code(row).astype(np.float32).copy()
        for place, value in moves.items():
            if not 0 <= place < len(chosen.spreads) or not np.isfinite(value):
                raise UserError(f"there is no direction {place} to walk along")
            wanted = min(max(float(value), -REACH), REACH)
            code += np.float32((wanted - start[place]) * float(chosen.spreads[place])) * chosen.vectors[place]
        return code

    def decode(self, code: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Return the pixels ``[C, H, W]`` of a code."""
        return np.asarray(decoded(self.model, code[None])[0])

    def nearest(self, code: npt.NDArray[np.float32]) -> int:
        """Return the image whose code is nearest."""
        return int((self._norms - 2.0 * (self.codes @ code)).argmin())

    def _chosen(self, kind: str) -> Directions:
        if kind not in KINDS:
            raise unknown("kind of direction", kind, KINDS)
        return self.directions[kind]


def check_walkable(model: Autoencoder) -> None:
    """Raise a :class:`UserError` where a code keeps positions: no direction of it speaks for the image."""
    if len(model.code_shape) != 1:
        raise UserError(
            f"the code of this model keeps positions ({' x '.join(map(str, model.code_shape))}), and no direction of it speaks "
            "for the whole image: walk with a model whose code is a vector"
        )


def walk_codes(model: Autoencoder, images: ImageSet, known: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the codes to walk among: ``known`` where they are the model's own, else all images'."""
    check_walkable(model)
    if known.shape[1] == model.latent_dim and len(known) == len(images):
        some = images.select([0])
        if np.allclose(embed(model, some)[0], known[0], atol=1e-4):
            return known
    return embed(model, images)


def _principal(codes: npt.NDArray[np.float64]) -> Directions:
    centred = codes - codes.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(1, len(codes)))
    values, vectors = values[::-1][:MOST], vectors.T[::-1][:MOST]
    signs = np.sign(
        vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)]
    )  # eigenvectors have no sign of their own
    alive = values > max(float(values.max(initial=0.0)) * 1e-9, 1e-18)
    spreads = np.sqrt(values[alive])
    share = values[alive] / max(float(np.square(centred).sum() / max(1, len(codes))), 1e-18)
    names = tuple(f"direction {number + 1} ({part:.0%} of the spread)" for number, part in enumerate(share))
    return Directions(
        "principal", (vectors * signs[:, None])[alive].astype(np.float32), spreads.astype(np.float32), names
    )


def _units(codes: npt.NDArray[np.float64]) -> Directions:
    spreads = codes.std(axis=0)
    order = np.argsort(-spreads, kind="stable")[:MOST]
    order = order[spreads[order] > max(float(spreads.max(initial=0.0)) * 1e-6, 1e-9)]
    vectors = np.zeros((len(order), codes.shape[1]), dtype=np.float32)
    vectors[np.arange(len(order)), order] = 1.0
    names = tuple(f"unit {unit}" for unit in order.tolist())
    return Directions("units", vectors, spreads[order].astype(np.float32), names)
