"""Randomness that is addressed, not streamed.

Every random number is a pure function of (seed, purpose, address …, image id, position), computed by a counter-based
generator in the manner of Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3". So a resumed run draws what
an uninterrupted one would have drawn, the number of processes and the order of a batch do not matter, and the integers
behind the numbers are the same on every device. The mixing function is the 32-bit finaliser of Wellons ("lowbias32",
2018), applied twice under two 32-bit keys per image.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor


def derive(seed: int, *address: int | str) -> int:
    """Return a 63-bit integer that depends on ``seed`` and every item of ``address``, and on nothing else."""
    text = "\x1f".join([str(seed), *map(str, address)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, *address: int | str) -> torch.Generator:
    """Return a CPU generator for ``(seed, *address)``, for draws that belong to no single image, such as a shuffle."""
    return torch.Generator().manual_seed(derive(seed, *address))


class Noise:
    """The random numbers of one batch: each image's own, found by its id.

    Successive draws are independent of one another; a new ``Noise`` with the same arguments repeats them exactly.

    Args:
        seed: the run's seed.
        ids: int64 ``[B]``, the stable ids of the batch's images, on the device where the numbers are wanted.
        address: purpose, epoch and whatever else tells this use of noise from another.
        keys: where a draw's key is kept on the device, for steps that are recorded once and replayed.
    """

    def __init__(self, seed: int, ids: Tensor, *address: int | str, keys: Keys | None = None) -> None:
        self.seed, self.ids, self.address, self.keys = seed, ids, address, keys
        self._draws = 0

    @classmethod
    def for_count(cls, seed: int, count: int, *address: int | str, device: torch.device | str = "cpu") -> Noise:
        """Return noise for ``count`` new things that have no ids of their own, such as samples."""
        return cls(seed, torch.arange(count, device=device), *address)

    def fork(self, purpose: int | str) -> Noise:
        """Return independent noise for the same images under one more word of address."""
        return Noise(self.seed, self.ids, *self.address, purpose, keys=self.keys)

    def bits(self, shape: Sequence[int]) -> Tensor:
        """Return int32 ``[B, *shape]``, all 32 bits random."""
        address = (*self.address, "draw", self._draws)
        self._draws += 1
        first_key, second_key = halves(self.seed, address) if self.keys is None else self.keys.of(self.seed, address)
        size = math.prod(shape)
        low, high = _int32(self.ids & 0xFFFFFFFF), _int32(self.ids >> 32)
        first = _mix(_mix(low ^ first_key) + high)
        second = _mix(first ^ second_key)
        counter = torch.arange(size, dtype=torch.int32, device=self.ids.device)
        drawn = counter.mul_(_signed(0x9E3779B9)).unsqueeze(0) + first.unsqueeze(1)
        return _mix(_mix(drawn).bitwise_xor_(second.unsqueeze(1))).view(len(self.ids), *shape)

    def uniform(self, *shape: int) -> Tensor:
        """Return float32 ``[B, *shape]``, uniform in [0, 1) on a grid of 2**-24."""
        bits = self.bits(shape)
        return bits.bitwise_right_shift_(8).bitwise_and_(0xFFFFFF).to(torch.float32).mul_(2.0**-24)

    def normal(self, *shape: int) -> Tensor:
        """Return float32 ``[B, *shape]``, standard normal (Box & Muller 1958)."""
        size = math.prod(shape)
        half = (size + 1) // 2
        radius = self.uniform(half).neg_().add_(1.0).log_().mul_(-2.0).sqrt_()
        angle = self.uniform(half).mul_(2 * math.pi)
        pairs = torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)
        return pairs[:, :size].reshape(len(self.ids), *shape)


class Keys:
    """The keys of a step's draws in one tensor on the device: the step can be recorded once, and replayed with others.

    While the step is recorded, each draw is given a place; before a replay, :meth:`fill` writes the keys that the same
    draws have at another address. So what is drawn is, number for number, what a step that isn't replayed would draw.

    Args:
        prefix: how many words of an address change from step to step, from its beginning.
        device: where the keys are read.
        room: the most draws of one step.
    """

    def __init__(self, prefix: int, device: torch.device | str, room: int = 256) -> None:
        self.prefix = prefix
        self.places: list[tuple[int, tuple[int | str, ...]]] = []
        self._values = torch.zeros(room, 2, dtype=torch.int32, device=device)

    def of(self, seed: int, address: tuple[int | str, ...]) -> tuple[Tensor, Tensor]:
        """Return the two halves of the next draw's key, int32 without a shape, and remember where the draw belongs.

        Raises:
            RuntimeError: the step draws more often than there is room for.
        """
        place = len(self.places)
        if place >= len(self._values):
            raise RuntimeError(f"a step draws more than {len(self._values)} times")
        self.places.append((seed, address[self.prefix :]))
        return self._values[place, 0], self._values[place, 1]

    def fill(self, *words: int | str) -> None:
        """Write the keys of all draws at the address that begins with ``words``."""
        if self.places:
            found = torch.tensor([halves(seed, (*words, *rest)) for seed, rest in self.places], dtype=torch.int32)
            self._values[: len(found)].copy_(found, non_blocking=True)


def halves(seed: int, address: tuple[int | str, ...]) -> tuple[int, int]:
    """Return the two 32-bit keys of a draw, as signed integers."""
    key = derive(seed, *address)
    return _signed(key), _signed(key >> 31)


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def _int32(values: Tensor) -> Tensor:
    values = values & 0xFFFFFFFF
    return torch.where(values >= 1 << 31, values - (1 << 32), values).to(torch.int32)


def _mix(h: Tensor) -> Tensor:
    # int32 arithmetic wraps; the mask after each shift makes an arithmetic shift a logical one
    h = h ^ ((h >> 16) & 0xFFFF)
    h = h.mul_(_signed(0x7FEB352D))
    h ^= (h >> 15) & 0x1FFFF
    h = h.mul_(_signed(0x846CA68B))
    h ^= (h >> 16) & 0xFFFF
    return h
