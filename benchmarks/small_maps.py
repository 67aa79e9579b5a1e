"""Convolutions on maps of a few pixels: PyTorch's kernel against the matrix products of ``latentia.parts.convolution``.

    python benchmarks/small_maps.py

Milliseconds of one core's time, forward and backward pass, the least of five, each way twice in turn: PyTorch's kernel, one
product for each cell of the kernel, and one product for all of the layer where its matrix is not too large; see decision 11.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from latentia.parts import convolution

# batch, channels, height, width; arguments of the layer
CONVOLUTIONS = (
    ((64, 512, 3, 3), (512, 1024, 4, 2, 1)),
    ((128, 128, 2, 2), (128, 128, 4, 2, 1)),
    ((128, 16, 2, 2), (16, 32, 4, 2, 1)),
    ((128, 256, 7, 7), (256, 512, 4, 2, 1)),
    ((128, 128, 8, 8), (128, 256, 4, 2, 1)),
    ((128, 128, 4, 4), (128, 128, 4, 2, 1)),
    ((128, 64, 8, 8), (64, 128, 4, 2, 1)),
    ((32, 256, 7, 7), (256, 512, 4, 2, 1)),
    ((8, 256, 7, 7), (256, 512, 4, 2, 1)),
    ((128, 256, 14, 14), (256, 512, 4, 2, 1)),
    ((128, 64, 14, 14), (64, 128, 4, 2, 1)),
    ((128, 1, 8, 8), (1, 16, 4, 2, 1)),
    ((128, 16, 4, 4), (16, 64, 4, 2, 1)),
    ((32, 16, 4, 4), (16, 64, 4, 2, 1)),
    ((128, 32, 4, 4), (32, 64, 4, 2, 1)),
    ((128, 64, 4, 4), (64, 128, 4, 2, 1)),
)
TRANSPOSED = (
    ((128, 1024, 4, 4), (1024, 512, 3, 2, 1)),
    ((128, 512, 2, 2), (512, 256, 4, 2, 1)),
    ((128, 256, 4, 4), (256, 128, 4, 2, 1)),
    ((128, 128, 2, 2), (128, 128, 4, 2, 1)),
    ((128, 128, 4, 4), (128, 64, 4, 2, 1)),
    ((32, 512, 2, 2), (512, 256, 4, 2, 1)),
    ((8, 512, 2, 2), (512, 256, 4, 2, 1)),
    ((128, 512, 7, 7), (512, 256, 3, 2, 1, 1)),
    ((128, 512, 8, 8), (512, 256, 4, 2, 1)),
    ((128, 256, 8, 8), (256, 128, 4, 2, 1)),
    ((128, 128, 7, 7), (128, 64, 4, 2, 1)),
    ((128, 64, 2, 2), (64, 16, 4, 2, 1)),
    ((32, 64, 2, 2), (64, 16, 4, 2, 1)),
    ((128, 16, 4, 4), (16, 1, 4, 2, 1)),
    ((128, 64, 2, 2), (64, 32, 4, 2, 1)),
    ((128, 128, 2, 2), (128, 64, 4, 2, 1)),
)
TOO_LARGE = 1 << 20  # weights of the matrix of all of a layer


def milliseconds(layer: nn.Module, images: Tensor) -> float:
    found = []
    for _ in range(5):
        started = time.process_time()
        layer(images).sum().backward()
        found.append(time.process_time() - started)
    return 1000 * min(found)


def weights_in_all(layer: nn.Module, images: Tensor) -> int:
    """Return how many weights the matrix from all of one map to all of the other has."""
    return int(images[0].numel() * layer(images[:1])[0].numel())


def main() -> None:
    torch.set_num_threads(1)
    convolution.WIDE, convolution.MANY, convolution.FEW = (
        1,
        1,
        10_000,
    )  # the products everywhere, to see where they lose
    print(f"{'layer':<60}" + f"{'kernel':>10}{'cells':>10}{'one':>10}" * 2)
    for (plain, own), rows in (
        ((nn.Conv2d, convolution.Conv2d), CONVOLUTIONS),
        ((nn.ConvTranspose2d, convolution.ConvTranspose2d), TRANSPOSED),
    ):
        for shape, arguments in rows:
            images = torch.rand(shape, requires_grad=True)
            name = f"{plain.__name__}{arguments} of {shape}"
            print(f"{name:<60}", end="")
            for kind, small in ((plain, 0), (own, 0), (own, TOO_LARGE)) * 2:
                convolution.SMALL = small
                layer = kind(*arguments)
                missing = small and weights_in_all(layer, images) > small
                print(f"{'-' if missing else format(milliseconds(layer, images), '.2f'):>10}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
