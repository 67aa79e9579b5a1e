"""Batches of few labelled and many unlabelled images, so that each step sees both (Sohn et al. 2020, section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from latentia.core.launch import ALONE, Launch
from latentia.core.noise import generator
from latentia.core.ranks import computed
from latentia.data.batches import Batch, Batches
from latentia.data.imageset import ImageSet, PixelFormat

TURN = 40  # the bit of an id where the number of a repetition begins; the ids of all sources are far below


class MixedBatches(Batches):
    """Batches whose first rows are labelled and whose others are not.

    An epoch shows every image at least once. The kind that there is less of comes around again, in a new order, until the
    other is through; and every time it comes its id is another one, so that its noise is, too. The order is a pure function
    of (seed, epoch).

    Args:
        images: the images; their labels are -1 where unlabelled. Both kinds are there.
        pixel_format: which pixel values stand for 0 and 1.
        batch_size: images a batch; every batch has exactly so many.
        labelled_share: the share of a batch that is labelled.
        device: where the batches are wanted.
        seed: the seed of the order.
        guesses: int64 ``[N]``, a guessed class for unlabelled images, -1 where there is none; a guess ``k`` travels in a
            batch's labels as ``-2 - k``.
        place: which of the processes this is that share each batch.
    """

    def __init__(
        self,
        images: ImageSet,
        pixel_format: PixelFormat,
        batch_size: int,
        labelled_share: float,
        device: torch.device | str = "cpu",
        seed: int = 0,
        guesses: Tensor | None = None,
        place: Launch = ALONE,
    ) -> None:
        super().__init__(images, pixel_format, max(batch_size, 2), device, seed, place)
        self._order_seed = seed
        self.labelled = (self.labels >= 0).nonzero().flatten()
        self.unlabelled = (self.labels < 0).nonzero().flatten()
        if guesses is not None:
            self.labels = torch.where((self.labels < 0) & (guesses >= 0), -2 - guesses, self.labels)
        self.first = min(max(round(self.batch_size * labelled_share), 1), self.batch_size - 1)
        rest = self.batch_size - self.first
        self.steps = max(-(-len(self.unlabelled) // rest), -(-len(self.labelled) // self.first))

    @property
    def count(self) -> int:
        """The number of images shown in an epoch."""
        return self.steps * self.batch_size

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of ``epoch``, from the batch numbered ``start`` on."""
        labelled, labelled_turns = self._stream(self.labelled, self.first, epoch, "labelled")
        others, turns = self._stream(self.unlabelled, self.batch_size - self.first, epoch, "unlabelled")
        chosen = torch.cat([labelled, others], dim=1)[start:].to(self.home)
        repeats = torch.cat([labelled_turns, turns], dim=1)[start:].to(self.home)
        known, ids = self.labels.to(self.home), self.ids.to(self.home)
        for (rows, pixels), turn in zip(self._own(chosen.unbind()), repeats, strict=True):
            turns = turn[computed(self.place, rows.total)]
            yield self._as_batch(pixels, known[rows.own], ids[rows.own] + (turns << TURN), rows.total)

    def _stream(self, positions: Tensor, size: int, epoch: int, name: str) -> tuple[Tensor, Tensor]:
        """Return positions and their turns, ``[steps, size]`` each: one shuffle after another."""
        needed, have = self.steps * size, len(positions)
        orders = [
            torch.randperm(have, generator=generator(self._order_seed, "shuffle", name, epoch, turn))
            for turn in range(-(-needed // have))
        ]
        shown = positions[torch.cat(orders)[:needed]]
        return shown.view(self.steps, size), (torch.arange(needed) // have).view(self.steps, size)
