"""Convolutions on maps of a few pixels: PyTorch's kernel against the matrix products of ``latentia.parts.convolution``.

    python benchmarks/small_maps.py

Milliseconds of one core's time, forward and backward pass, the least of five, each side twice in turn; see decision 11.
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
)


def milliseconds(layer: nn.Module, images: Tensor) -> float:
    found = []
    for _ in range(5):
        started = time.process_time()
        layer(images).sum().backward()
        found.append(time.process_time() - started)
    return 1000 * min(found)


def main() -> None:
    torch.set_num_threads(1)
    convolution.WIDE, convolution.MANY, convolution.FEW = 1, 1, 10_000  # the product everywhere, to see where it loses
    print(f"{'layer':<60}{'kernel':>10}{'product':>10}{'kernel':>10}{'product':>10}")
    for kinds, rows in (
        ((nn.Conv2d, convolution.Conv2d), CONVOLUTIONS),
        ((nn.ConvTranspose2d, convolution.ConvTranspose2d), TRANSPOSED),
    ):
        for shape, arguments in rows:
            images = torch.rand(shape, requires_grad=True)
            layers = [kind(*arguments) for kind in kinds]
            times = [milliseconds(layer, images) for layer in (*layers, *layers)]
            name = f"{kinds[0].__name__}{arguments} of {shape}"
            print(f"{name:<60}" + "".join(f"{value:>10.1f}" for value in times), flush=True)


if __name__ == "__main__":
    main()
