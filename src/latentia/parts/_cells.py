"""A convolution as one matrix product for each cell of its kernel.

A convolution ties a small map to a large one: cell ``(i, j)`` of the kernel ties the small map's pixel ``(y, x)`` to the large
one's ``(stride y - pad + i, stride x - pad + j)``, where that is inside. For one cell these are two rectangles of pixels, the
large one's with gaps. With the cell's weights, a matrix of channels, three sums over the cells are all there is:

    gather      the small map from the large one: a convolution forwards, a transposed one backwards
    scatter     the large map from the small one: the other way round
    weigh       the gradient of the weights

Each is linear in both of its arguments, and its derivatives are the other two, so that gradients of gradients come for free.
Maps come and go as ``[B, C, H, W]``, with channels innermost in memory.

Where both maps are tiny, the cells are put together to one matrix from all values of one map to all of the other.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Pair = tuple[int, int]
Rectangle = tuple[slice, slice, slice]


class Cell(NamedTuple):
    """One cell of the kernel: its number, and the pixels ``[B, H, W]`` of both maps that it ties together."""

    number: int
    small: Rectangle
    large: Rectangle


class Cells(NamedTuple):
    """The cells that meet any pixels, and the two maps' heights and widths."""

    small: Pair
    large: Pair
    cells: tuple[Cell, ...]


class Ties(NamedTuple):
    """``matrix [kernel's cells, P * Q]`` is 1 where a cell ties pixel P of the small map to pixel Q of the large one."""

    small: Pair
    large: Pair
    matrix: Tensor


@functools.lru_cache(maxsize=256)
def cells_of(small: Pair, large: Pair, kernel: Pair, stride: Pair, pads: Pair) -> Cells:
    """Return what ties a map of height and width ``small`` to one of ``large``."""
    rows, columns = (
        [_spans(small[side], large[side], cell, stride[side], pads[side]) for cell in range(kernel[side])]
        for side in (0, 1)
    )
    found = [
        Cell(i * kernel[1] + j, (slice(None), row[0], column[0]), (slice(None), row[1], column[1]))
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if row is not None and column is not None
    ]
    return Cells(small, large, tuple(found))


@functools.lru_cache(maxsize=64)
def ties_of(small: Pair, large: Pair, kernel: Pair, stride: Pair, pads: Pair) -> Ties:
    """Return the same as a matrix, for maps so small that it is."""
    with torch.inference_mode(False):  # it is kept, also for training
        return Ties(small, large, _matrix(small, large, kernel, stride, pads))


def _matrix(small: Pair, large: Pair, kernel: Pair, stride: Pair, pads: Pair) -> Tensor:
    of_small = torch.arange(small[0] * small[1]).view(1, *small)
    of_large = torch.arange(large[0] * large[1]).view(1, *large)
    matrix = torch.zeros(kernel[0] * kernel[1], of_small.numel(), of_large.numel())
    for cell in cells_of(small, large, kernel, stride, pads).cells:
        matrix[cell.number, of_small[cell.small].flatten(), of_large[cell.large].flatten()] = 1
    return matrix.flatten(1)


def gathered(large: Tensor, weight: Tensor, bias: Tensor | None, cells: Cells) -> Tensor:
    """Return the small map ``[B, S, h, w]`` of a large one ``[B, L, H, W]``, with weights ``[S, L, i, j]``."""
    found: Tensor = _apply(_Tie, large, weight, bias, cells, True)
    return found


def scattered(small: Tensor, weight: Tensor, bias: Tensor | None, cells: Cells) -> Tensor:
    """Return the large map ``[B, L, H, W]`` of a small one ``[B, S, h, w]``, with weights ``[S, L, i, j]``."""
    found: Tensor = _apply(_Tie, small, weight, bias, cells, False)
    return found


def gathered_whole(large: Tensor, weight: Tensor, bias: Tensor | None, ties: Ties) -> Tensor:
    """Return what :func:`gathered` does, by one matrix of all of the weights; channels are outermost in memory."""
    return _multiplied(large, _whole(weight, ties).permute(0, 2, 1, 3), bias, ties.small)


def scattered_whole(small: Tensor, weight: Tensor, bias: Tensor | None, ties: Ties) -> Tensor:
    """Return what :func:`scattered` does, by one matrix of all of the weights; channels are outermost in memory."""
    return _multiplied(small, _whole(weight, ties).permute(1, 3, 0, 2), bias, ties.large)


def _whole(weight: Tensor, ties: Ties) -> Tensor:
    """Return the weight ``[S, L, P, Q]`` from each channel and pixel of the small map to each of the large one."""
    of_cells = weight.reshape(-1, weight.shape[2] * weight.shape[3])
    pixels = (ties.small[0] * ties.small[1], ties.large[0] * ties.large[1])
    return (of_cells @ ties.matrix.to(weight.dtype)).view(*weight.shape[:2], *pixels)


def _multiplied(source: Tensor, matrix: Tensor, bias: Tensor | None, size: Pair) -> Tensor:
    channels, pixels = matrix.shape[:2]
    per_value = None if bias is None else bias.repeat_interleave(pixels)
    found = F.linear(source.flatten(1), matrix.reshape(channels * pixels, -1), per_value)
    return found.view(len(source), channels, *size)


def _spans(small: int, large: int, cell: int, stride: int, pad: int) -> tuple[slice, slice] | None:
    """Return which of ``small`` pixels a cell ties to which of ``large`` ones along one side; ``None``: none."""
    first = max(0, -((cell - pad) // stride))
    last = min(small - 1, (large - 1 + pad - cell) // stride)
    if last < first:
        return None
    start = stride * first - pad + cell
    return slice(first, last + 1), slice(start, stride * last - pad + cell + 1, stride)


class _Tie(torch.autograd.Function):
    """One map from the other: ``gather`` makes the small one, else the large one is made."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, weight: Tensor, bias: Tensor | None, cells: Cells, gather: bool) -> Tensor:
        ctx.save_for_backward(source, weight)
        ctx.cells, ctx.gather = cells, gather
        pixels, matrices = _channels_last(source), _matrices(weight)
        size, channels = (cells.small, weight.shape[0]) if gather else (cells.large, weight.shape[1])
        found = _begun(pixels, size, channels, bias)
        for number, small, large in cells.cells:
            if gather:
                _add_product(found[small], pixels[large], matrices[number].t())
            else:
                _add_product(found[large], pixels[small], matrices[number])
        return found.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        source, weight = ctx.saved_tensors
        needs, cells = ctx.needs_input_grad, ctx.cells
        gradient = _laid_out(gradient)
        maps = (gradient, source) if ctx.gather else (source, gradient)
        return (
            _apply(_Tie, gradient, weight, None, cells, not ctx.gather) if needs[0] else None,
            _apply(_Weigh, *maps, weight.shape, cells) if needs[1] else None,
            gradient.sum((0, 2, 3)) if needs[2] else None,
            None,
            None,
        )


class _Weigh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, small: Tensor, large: Tensor, shape: torch.Size, cells: Cells) -> Tensor:
        ctx.save_for_backward(small, large)
        ctx.cells = cells
        one, other = _channels_last(small), _channels_last(large)
        found = one.new_zeros(shape[2] * shape[3], shape[0], shape[1])
        for number, of_small, of_large in cells.cells:
            torch.mm(_rows(one[of_small]).t(), _rows(other[of_large]), out=found[number])
        return found.flatten(1).t().contiguous().view(shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        small, large = ctx.saved_tensors
        needs, cells = ctx.needs_input_grad, ctx.cells
        return (
            _apply(_Tie, large, gradient, None, cells, True) if needs[0] else None,
            _apply(_Tie, small, gradient, None, cells, False) if needs[1] else None,
            None,
            None,
        )


def _apply(function: Any, *arguments: Any) -> Any:
    return function.apply(*arguments)  # which PyTorch gives no types


def _channels_last(images: Tensor) -> Tensor:
    """Return ``[B, C, H, W]`` as ``[B, H, W, C]``, contiguous."""
    return images.permute(0, 2, 3, 1).contiguous()


def _laid_out(images: Tensor) -> Tensor:
    """Return ``[B, C, H, W]`` with channels innermost in memory, so that what follows need not do so twice."""
    return _channels_last(images).permute(0, 3, 1, 2)


def _matrices(weight: Tensor) -> Tensor:
    """Return weights ``[S, L, i, j]`` as one matrix ``[S, L]`` for each cell."""
    return weight.reshape(-1, weight.shape[2] * weight.shape[3]).t().contiguous().view(-1, *weight.shape[:2])


def _begun(source: Tensor, size: Pair, channels: int, bias: Tensor | None) -> Tensor:
    shape = (len(source), *size, channels)
    return source.new_zeros(shape) if bias is None else bias.expand(shape).contiguous()


def _add_product(place: Tensor, rows: Tensor, matrix: Tensor) -> None:
    """Add ``rows @ matrix`` to the rectangle ``place``, in place."""
    if place.is_contiguous():
        _rows(place).addmm_(_rows(rows), matrix)
    else:
        place += torch.mm(_rows(rows), matrix).view(place.shape)


def _rows(images: Tensor) -> Tensor:
    return images.reshape(-1, images.shape[-1])
