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

Word = int | str | tuple[int, ...]  # of an address; one that differs among members that are computed at once is a tuple


def derive(seed: int, *address: Word) -> int:
    """Return a 63-bit integer that depends on ``seed`` and every item of ``address``, and on nothing else."""
    text = "\x1f".join([str(seed), *map(str, address)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, *address: Word) -> torch.Generator:
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

    def __init__(self, seed: int, ids: Tensor, *address: Word, keys: Keys | None = None) -> None:
        self.seed, self.ids, self.address, self.keys = seed, ids, address, keys
        self._draws = 0

    @classmethod
    def for_count(cls, seed: int, count: int, *address: Word, device: torch.device | str = "cpu") -> Noise:
        """Return noise for ``count`` new things that have no ids of their own, such as samples."""
        return cls(seed, torch.arange(count, device=device), *address)

    def fork(self, purpose: Word) -> Noise:
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
        self.places: list[tuple[int, tuple[Word, ...]]] = []
        self._filled: tuple[int, tuple[Word, ...]] | None = None
        self._values = torch.zeros(room, 2, dtype=torch.int32, device=device)

    def of(self, seed: int, address: tuple[Word, ...]) -> tuple[Tensor, Tensor]:
        """Return the two halves of the next draw's key, int32 without a shape, and remember where the draw belongs.

        Raises:
            RuntimeError: the step draws more often than there is room for.
        """
        place = self._next(seed, address)
        return self._values[place, 0], self._values[place, 1]

    def _next(self, seed: int, address: tuple[Word, ...]) -> int:
        place = len(self.places)
        if place >= len(self._values):
            raise RuntimeError(f"a step draws more than {len(self._values)} times")
        self.places.append((seed, address[self.prefix :]))
        return place

    def fill(self, *words: Word) -> None:
        """Write the keys of all draws at the address that begins with ``words``."""
        if self._filled != (len(self.places), words):  # the steps of an epoch have one address
            self._write([halves(seed, (*words, *rest)) for seed, rest in self.places])
            self._filled = len(self.places), words

    def _write(self, found: Sequence[object]) -> None:
        if found:
            self._values[: len(found)].copy_(torch.tensor(found, dtype=torch.int32), non_blocking=True)


class StackedKeys(Keys):
    """The keys of a step that is computed for several members at once (``torch.vmap``), each of which draws its own numbers.

    A word of an address that is a tuple holds one for each member. Between :meth:`at` and the next :meth:`fill` the keys are
    written as a step draws, so that a step which is not recorded needs no other that goes before.

    Args:
        seeds: of each member.
        prefix, device, room: see :class:`Keys`.

    Attributes:
        member: the number of the member, int64 without a shape, as ``vmap`` hands it out.
    """

    def __init__(self, seeds: Sequence[int], prefix: int, device: torch.device | str, room: int = 256) -> None:
        super().__init__(prefix, device, room)
        self.seeds = tuple(seeds)
        self._values = torch.zeros(room, len(self.seeds), 2, dtype=torch.int32, device=device)
        self.member = torch.zeros((), dtype=torch.int64, device=device)
        self._words: tuple[Word, ...] | None = None

    def at(self, *words: Word) -> None:
        """Begin a step whose draws have addresses that begin with ``words``."""
        self.places.clear()
        self._words, self._filled = words, None

    def of(self, seed: int, address: tuple[Word, ...]) -> tuple[Tensor, Tensor]:
        """Return the halves of the next draw's key for the member that is computed; see :meth:`Keys.of`."""
        place = self._next(seed, address)
        if self._words is not None:
            self._values[place].copy_(torch.tensor(self._of_each(self._words, place), dtype=torch.int32))
        first, second = self._values[place].index_select(0, self.member.view(1)).unbind(1)
        return first[0], second[0]

    def fill(self, *words: Word) -> None:
        """Write the keys that all members' draws have at the address that begins with ``words``."""
        self._words = None
        if self._filled != (len(self.places), words):
            self._write([self._of_each(words, place) for place in range(len(self.places))])
            self._filled = len(self.places), words

    def _of_each(self, words: tuple[Word, ...], place: int) -> list[tuple[int, int]]:
        address = (*words, *self.places[place][1])
        return [
            halves(seed, tuple(word[number] if isinstance(word, tuple) else word for word in address))
            for number, seed in enumerate(self.seeds)
        ]


def halves(seed: int, address: tuple[Word, ...]) -> tuple[int, int]:
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
