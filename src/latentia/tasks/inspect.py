"""Looking inside: the filters that a network has learned, and what its layers answer to an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks.apply import batches


def first_filters(model: Autoencoder) -> npt.NDArray[np.float32] | None:
    """Return the weights of the encoder's first convolution, ``[filters, C, kh, kw]``, or ``None`` without one."""
    for module in model.encoder.modules():
        if isinstance(module, nn.Conv2d):
            return module.weight.detach().float().cpu().numpy()
    return None


@torch.inference_mode()
def feature_maps(model: Autoencoder, images: ImageSet) -> dict[str, npt.NDArray[np.float32]]:
    """Return what each convolution of the encoder gives for the first image: ``{layer: [channels, h, w]}``."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    hooks = []
    for name, module in model.encoder.named_modules():
        if isinstance(module, nn.Conv2d):

            def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor, name: str = name) -> None:
                if output.shape[-1] > 1:
                    found[name] = output[0].float().cpu().numpy()

            hooks.append(module.register_forward_hook(keep))
    try:
        for batch in batches(model, images.select([0])):
            model.encode(batch.pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return found
