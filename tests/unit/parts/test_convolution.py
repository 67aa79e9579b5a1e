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
    assert ("Convolution" not in str(own(torch.zeros(2, 3, *size)).grad_fn)) is product
    check(own, nn.Conv2d(3, 5, **arguments), (2, 3, *size))
    without = Conv2d(3, 5, bias=False, **arguments)
    check(without, nn.Conv2d(3, 5, bias=False, **arguments), (2, 3, *size))


def test_what_is_no_plain_convolution_is_left_to_pytorch() -> None:
    images = torch.zeros(1, 4, 2, 2)
    for more in ({"groups": 2}, {"dilation": 2, "padding": 3}, {"padding_mode": "circular"}):
        arguments: Any = {"kernel_size": 2, **more}
        assert "Convolution" in str(Conv2d(4, 4, **arguments)(images).grad_fn)


SHAPES = [
    ((4, 4), 3, 2, 1, 0),
    ((2, 3), 4, 2, 1, 0),
    ((1, 1), 3, 2, 1, 1),
    ((3, 2), 3, 1, 1, 0),
    ((2, 2), 2, 3, 0, 2),  # pixels that no cell of the kernel meets
]


@pytest.fixture
def few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "WIDE", 3)
    monkeypatch.setattr(convolution, "MANY", 2)
    monkeypatch.setattr(convolution, "SMALL", 0)


@pytest.fixture
def small_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "MANY", 2)
    monkeypatch.setattr(convolution, "SMALL", 4 * 3 * 16 * 49)


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "more"), SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_transposed_convolutions_from_few_pixels(
    size: tuple[int, int], kernel: int, stride: int, padding: int, more: int, bias: bool
) -> None:
    arguments: Any = {"kernel_size": kernel, "stride": stride, "padding": padding, "output_padding": more, "bias": bias}
    own = ConvTranspose2d(4, 3, **arguments)
    assert "Tie" in str(own(torch.zeros(2, 4, *size)).grad_fn)
    assert "Tie" not in str(own(torch.zeros(2, 4, 5, 5)).grad_fn)  # too large
    assert "Tie" not in str(own(torch.zeros(1, 4, *size)).grad_fn)  # too few
    check(own, nn.ConvTranspose2d(4, 3, **arguments), (2, 4, *size))


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [((7, 7), 4, 2, 1), ((4, 4), 3, 1, 1), ((5, 4), 4, 2, 1), ((6, 6), 2, 3, 0), ((2, 2), 5, 1, 3)],
)
@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_to_few_pixels(size: tuple[int, int], kernel: int, stride: int, padding: int, bias: bool) -> None:
    arguments: Any = {"kernel_size": kernel, "stride": stride, "padding": padding, "bias": bias}
    own = Conv2d(4, 3, **arguments)
    assert "Tie" in str(own(torch.zeros(2, 4, *size)).grad_fn)
    assert "Tie" not in str(own(torch.zeros(2, 4, 16, 16)).grad_fn)
    check(own, nn.Conv2d(4, 3, **arguments), (2, 4, *size))


def is_product(found: torch.Tensor) -> bool:
    return "onvolution" not in str(found.grad_fn.next_functions) + str(found.grad_fn)  # type: ignore[union-attr]


@pytest.mark.usefixtures("small_layers")
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "more"), SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_small_transposed_convolutions_as_one_product(
    size: tuple[int, int], kernel: int, stride: int, padding: int, more: int, bias: bool
) -> None:
    arguments: Any = {"kernel_size": kernel, "stride": stride, "padding": padding, "output_padding": more, "bias": bias}
    own = ConvTranspose2d(4, 3, **arguments)
    assert is_product(own(torch.zeros(2, 4, *size)))
    assert not is_product(own(torch.zeros(2, 4, 9, 9)))  # too large
    assert not is_product(own(torch.zeros(1, 4, *size)))  # too few
    check(own, nn.ConvTranspose2d(4, 3, **arguments), (2, 4, *size))


@pytest.mark.usefixtures("small_layers")
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((4, 4), 4, 2, 1),
        ((4, 4), 3, 1, 1),
        ((5, 4), 4, 2, 1),
        ((6, 6), 2, 3, 0),
        ((2, 2), 5, 1, 3),
        ((2, 5), (3, 4), (1, 2), 1),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_small_convolutions_as_one_product(
    size: tuple[int, int], kernel: Any, stride: Any, padding: int, bias: bool
) -> None:
    arguments: Any = {"kernel_size": kernel, "stride": stride, "padding": padding, "bias": bias}
    own = Conv2d(4, 3, **arguments)
    assert is_product(own(torch.zeros(2, 4, *size)))
    assert not is_product(own(torch.zeros(2, 4, 16, 16)))
    check(own, nn.Conv2d(4, 3, **arguments), (2, 4, *size))


@pytest.mark.usefixtures("small_layers")
def test_what_was_first_used_for_inference_can_be_trained() -> None:
    layer, images = Conv2d(4, 3, 3, 1, 1), torch.zeros(2, 4, 3, 5)
    with torch.inference_mode():
        layer(images)
    layer(images).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize("how", ["few_channels", "small_layers"])
def test_gradients_of_gradients(how: str, request: pytest.FixtureRequest) -> None:
    """A contractive penalty needs them."""
    request.getfixturevalue(how)
    layers: list[tuple[Any, Any]] = [
        (Conv2d(4, 3, 4, 2, 1), nn.Conv2d(4, 3, 4, 2, 1)),
        (ConvTranspose2d(4, 3, 3, 2, 1), nn.ConvTranspose2d(4, 3, 3, 2, 1)),
    ]
    for own, other in layers:
        own.load_state_dict(other.state_dict())
        results = []
        for layer in (own.double(), other.double()):
            images = torch.linspace(-1, 1, 2 * 4 * 16, dtype=torch.float64).view(2, 4, 4, 4).requires_grad_()
            wanted = [images, *layer.parameters()]
            first = torch.autograd.grad(layer(images).sin().sum(), wanted, create_graph=True)
            results.append(torch.autograd.grad(sum(each.square().sum() for each in first), wanted))
        for one, other_one in zip(*results, strict=True):
            torch.testing.assert_close(one, other_one)


@pytest.mark.usefixtures("few_channels")
def test_what_is_exported_stays_a_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, images = Conv2d(4, 3, 4, 2, 1), torch.zeros(2, 4, 7, 7)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    assert "Tie" not in str(layer(images).grad_fn)


@pytest.mark.usefixtures("few_channels")
def test_several_networks_at_once() -> None:
    layers = [Conv2d(4, 3, 4, 2, 1), Conv2d(4, 3, 4, 2, 1)]
    weights = {
        name: torch.stack([dict(layer.named_parameters())[name] for layer in layers]) for name in ("weight", "bias")
    }
    images = torch.linspace(-1, 1, 2 * 4 * 49).view(2, 4, 7, 7)
    found = torch.vmap(lambda own: torch.func.functional_call(layers[0], own, (images,)))(weights)
    torch.testing.assert_close(found, torch.stack([layer(images) for layer in layers]), rtol=1e-4, atol=1e-4)
