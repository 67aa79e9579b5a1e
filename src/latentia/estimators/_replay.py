"""Earlier images that are kept and shown again, so that training that goes on forgets less (Rolnick et al. 2019)."""

from __future__ import annotations

import dataclasses

import numpy as np

from latentia.data.imageset import ImageSet, Numbers


class Replay:
    """An even sample of all images seen, without keeping the others (Vitter 1985, algorithm R).

    Args:
        most: how many are kept; 0 keeps none.
        seed: of the sample.
    """

    def __init__(self, most: int, seed: int) -> None:
        self.most, self.seen = most, 0
        self._random = np.random.default_rng(seed)
        self._kept: ImageSet | None = None

    def mixed_into(self, images: ImageSet) -> ImageSet:
        """Return ``images`` and at most as many of those kept."""
        if self._kept is None:
            return images
        count = min(len(self._kept), len(images))
        old = self._kept.select(self._random.choice(len(self._kept), count, replace=False))
        return _joined(images, old)

    def take(self, images: ImageSet) -> None:
        """Count ``images`` as seen, and keep some of them."""
        first, self.seen = self.seen, self.seen + len(images)
        if not self.most:
            return
        held = 0 if self._kept is None else len(self._kept)
        places = {place: place - held for place in range(held, min(self.most, held + len(images)))}
        for index in range(len(places), len(images)):
            place = int(self._random.integers(first + index + 1))
            if place < self.most:
                places[place] = index
        together = images if self._kept is None else _joined(self._kept, images)
        sources = list(range(held)) + [0] * (max(held, max(places, default=-1) + 1) - held)
        for place, index in places.items():
            sources[place] = held + index
        self._kept = together.select(sources)


def _joined(first: ImageSet, second: ImageSet) -> ImageSet:
    pixels = np.concatenate([first.pixels, second.pixels])
    ids = np.concatenate([first.ids, second.ids])
    return dataclasses.replace(first, pixels=pixels, names=Numbers(len(pixels)), ids=ids)
