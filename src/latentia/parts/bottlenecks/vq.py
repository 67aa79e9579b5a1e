"""Vector quantisation: every position takes the nearest vector of a codebook (van den Oord et al. 2017, eq. 1-3).

The codebook follows the encoder by moving averages (their appendix A.1) instead of the loss's second term, and vectors
out of use are replaced by ones from the batch (Dhariwal et al. 2020, section 3.1). Through vector-quantize-pytorch.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from latentia.core.errors import UserError
from latentia.core.noise import Noise
from latentia.core.ranks import is_shared, own, whole
from latentia.parts.base import Bottleneck, BottleneckModule, Shape
from latentia.parts.code import Code


@dataclasses.dataclass(frozen=True)
class Vq(Bottleneck):
    """A spatial code ``[B, latent_dim, h, w]`` of codebook vectors; gradients pass straight through.

    Its term ``commitment`` is ||z_e - sg(e)||^2, summed over the code of an image: the third term of eq. 3, which the paper
    weighs by 0.25.

    Attributes:
        latent_dim: the length of a codebook vector.
        codebook_size: how many there are.
        decay: of the moving averages, for each step.
        revive: a vector whose average number of uses in a batch falls below this is replaced; 0 for never.
    """

    term_names = ("commitment",)

    latent_dim: int = 32
    codebook_size: int = 256
    decay: float = 0.95
    revive: float = 0.1

    def __post_init__(self) -> None:
        self.require(self.latent_dim >= 1, "latent_dim", "at least 1")
        self.require(self.codebook_size >= 2, "codebook_size", "at least 2")
        self.require(0 <= self.decay < 1, "decay", "at least 0 and below 1")
        self.require(self.revive >= 0, "revive", "0 or more")

    def code_shape(self, feature_shape: Shape) -> tuple[int, ...]:
        """Return ``(latent_dim, h, w)``."""
        return self.latent_dim, *feature_shape[1:]

    def build(self, feature_shape: Shape) -> BottleneckModule:
        """Return the module.

        Raises:
            UserError: vector-quantize-pytorch is not installed.
        """
        return _Vq(self, feature_shape)


class _Vq(BottleneckModule):
    recordable = False  # how many vectors are revived is read back at every step

    def __init__(self, spec: Vq, feature_shape: Shape) -> None:
        super().__init__()
        self.project = nn.Conv2d(feature_shape[0], spec.latent_dim, kernel_size=1)
        # the revived vectors are drawn from the global generator, which training addresses at every step
        self.quantiser = _library().VectorQuantize(
            dim=spec.latent_dim,
            codebook_size=spec.codebook_size,
            decay=spec.decay,
            threshold_ema_dead_code=spec.revive,
            accept_image_fmap=True,
            rotation_trick=False,
            commitment_weight=0.0,
            sync_codebook=False,  # by hand below, to the bit
        )

    def forward(self, features: Tensor, noise: Noise | None = None) -> Code:
        continuous = self.project(features)
        quantised = self._learn(continuous) if self.training else self.nearest(continuous)
        commitment = (continuous - quantised.detach()).square().flatten(1).sum(1)
        if continuous.requires_grad and not quantised.requires_grad:  # the library passes gradients while training only
            quantised = continuous + (quantised - continuous).detach()
        return Code(quantised, terms={"commitment": commitment})

    def _learn(self, continuous: Tensor) -> Tensor:
        if not is_shared():
            return self.quantiser(continuous)[0]
        # every process lets its codebook follow the whole batch, so that all hold the one that a single process would hold
        return own(self.quantiser(whole(continuous.detach()))[0])

    def nearest(self, z: Tensor) -> Tensor:
        # by hand: the library asks here whether its codebook is begun, which no exporter can follow
        codebook = self.quantiser.codebook
        values = z.movedim(1, -1)
        distances = codebook.square().sum(1) - 2 * values @ codebook.T  # less the part that is equal for all
        return F.embedding(distances.argmin(-1), codebook).movedim(-1, 1)


def _library() -> Any:
    try:
        import vector_quantize_pytorch
    except ImportError:
        raise UserError(
            "the bottleneck 'vq' needs the package vector-quantize-pytorch, which is not installed: "
            'pip install "latentia[quantise]"'
        ) from None
    return vector_quantize_pytorch
