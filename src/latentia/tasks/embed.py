"""Embedding: the deterministic code of every image (the posterior mean where there is a posterior), or a layer's answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from latentia.core.errors import UserError, unknown
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import batches, check_fit, over


def embed(
    model: Autoencoder, images: ImageSet, *, pool: bool = False, features: str | None = None
) -> npt.NDArray[np.float32]:
    """Return the codes, float32 ``[N, D]``; a spatial code is flattened, or averaged over positions with ``pool``.

    Args:
        model: the autoencoder.
        images: what to embed.
        pool: average what has positions over them.
        features: a layer of the encoder (see :func:`layer_names`) whose output is returned in place of the code.

    Raises:
        UserError: model and images do not fit each other, there are no images, or no such layer.
    """
    return over(model, images, embedder(model, images, pool=pool, features=features))


def embedder(
    model: Autoencoder, images: ImageSet, *, pool: bool = False, features: str | None = None
) -> Callable[[Any], Tensor]:
    """Return the function from a batch to its rows, float32 ``[B, D]``; everything that can be wrong is found here."""
    check_fit(model, images)
    if not len(images):
        raise UserError(f"{images.source} holds no images to embed: name other data or another split")
    if features is None:
        return lambda batch: model.encode(batch.pixels).vector(pool).float()
    known = layer_names(model, images)
    if features not in known:
        raise unknown("layer of this encoder", features, known)
    layer = dict(model.encoder.named_modules())[features]

    def read(batch: Any) -> Tensor:
        found: list[Tensor] = []
        hook = layer.register_forward_hook(lambda _module, _inputs, output: found.append(output))
        try:
            model.encode(batch.pixels)
        finally:
            hook.remove()
        maps = found[0].float()
        return (maps.mean(dim=(2, 3)) if pool and maps.ndim == 4 else maps).flatten(1)

    return read


def layer_names(model: Autoencoder, images: ImageSet) -> list[str]:
    """Return the encoder's layers in the order in which they answer: those that give one tensor, once for each batch."""
    calls: dict[str, list[bool]] = {}
    hooks = []
    for name, module in model.encoder.named_modules():
        if not name or isinstance(module, nn.Dropout):
            continue

        def note(_module: nn.Module, _inputs: Any, output: Any, name: str = name) -> None:
            calls.setdefault(name, []).append(isinstance(output, Tensor) and len(output) == 1 and output.ndim > 1)

        hooks.append(module.register_forward_hook(note))
    try:
        with evaluating(model):
            model.encode(next(iter(batches(model, images.select([0])))).pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return [name for name, fit in calls.items() if fit == [True]]


def check_codes(codes: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return codes as float32 ``[N, D]``.

    Raises:
        UserError: no rows, or NaN or infinite values; the first such row is named.
    """
    flat = np.asarray(codes, dtype=np.float32)
    if not len(flat):
        raise UserError("there are no codes: name data that holds images")
    flat = flat.reshape(len(flat), -1)
    bad = ~np.isfinite(flat).all(axis=1)
    if bad.any():
        raise UserError(
            f"{int(bad.sum()):,} of {len(flat):,} codes hold NaN or infinite values, the first of image number "
            f"{int(bad.argmax())}: the model has diverged or its weights are damaged, so train it anew"
        )
    return flat
