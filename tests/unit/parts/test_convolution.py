"""The matrix product gives what PyTorch's convolution gives: values, and gradients of images, weights and bias."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from latentia.parts import convolution
from latentia.parts.convolution import Conv2d, ConvTranspose2d


def check(own: Any, other: Any, shape: tuple[int, ...]) -> None:
    own.load_state_dict(other.state_dict())
    results = []
    for layer in (own, other):
        images = torch.linspace(-1, 1, torch.Size(shape).numel()).view(shape).requires_grad_()
        found = layer(images)
        (found * torch.linspace(0, 1, found.numel()).view_as(found)).sum().backward()
        results.append([found, images.grad, *(parameter.grad for parameter in layer.parameters())])
    for one, other_one in zip(*results, strict=True):
        torch.testing.assert_close(one, other_one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "product"),
    [
        ((2, 2), 4, 2, 1, True),
        ((3, 3), 4, 2, 1, True),
        ((1, 1), 3, 1, 1, True),
        ((4, 4), 4, 1, 0, True),
        ((5, 5), 4, 2, 0, True),  # the kernel does not reach the last row
        ((2, 4), 4, 2, 1, False),
        ((8, 8), 4, 2, 1, False),
    ],
)
def test_convolutions_to_one_pixel(
    size: tuple[int, int], kernel: int, stride: int, padding: int, product: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: Any = {"kernel_size": kernel, "stride": stride, "padding": padding}
    own = Conv2d(3, 5, **arguments)
    assert own._is_one_pixel(torch.zeros(2, 3, *size)) is product
    check(own, nn.Conv2d(3, 5, **arguments), (2, 3, *size))
    without = Conv2d(3, 5, bias=False, **arguments)
    check(without, nn.Conv2d(3, 5, bias=False, **arguments), (2, 3, *size))


def test_what_is_no_plain_convolution_is_left_to_pytorch() -> None:
    images = torch.zeros(1, 4, 2, 2)
    for more in ({"groups": 2}, {"dilation": 2, "padding": 3}, {"padding_mode": "circular"}):
        assert not Conv2d(4, 4, **{"kernel_size": 2, **more})._is_one_pixel(images)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "more"), [((4, 4), 3, 2, 1, 0), ((2, 3), 4, 2, 1, 0), ((1, 1), 3, 2, 1, 1)]
)
def test_transposed_convolutions_from_few_pixels(
    size: tuple[int, int], kernel: int, stride: int, padding: int, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "WIDE", 4)
    arguments: Any = {"kernel_size": kernel, "stride": stride, "padding": padding, "output_padding": more}
    own = ConvTranspose2d(4, 3, **arguments)
    assert own._suits(torch.zeros(2, 4, *size))
    check(own, nn.ConvTranspose2d(4, 3, **arguments), (2, 4, *size))
    assert not own._suits(torch.zeros(2, 4, 5, 5))
