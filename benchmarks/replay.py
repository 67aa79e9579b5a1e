"""What replay is good for: digits 0 to 4 arrive 30 times, then digits 5 to 9; is 0 to 4 still known?

    python benchmarks/replay.py        two minutes on one core

Prints the per-pixel squared error, pixels in [0, 1], on 0 to 4 after the first and after the second half, and on 5 to 9; on
test images of scikit-learn's digits, the mean of three seeds. With replay a call takes twice the steps.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from latentia import ConvAutoencoder

SEEDS, CALLS, TRAINED = (0, 1, 2), 30, 700


def errors(replay: int, seed: int) -> list[float]:
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    old, new = images[digits.target < 5], images[digits.target >= 5]
    model = ConvAutoencoder(replay=replay, random_state=seed)
    for _ in range(CALLS):
        model.partial_fit(old[:TRAINED])
    before = -model.score(old[TRAINED:])
    for _ in range(CALLS):
        model.partial_fit(new[:TRAINED])
    return [before, -model.score(old[TRAINED:]), -model.score(new[TRAINED:])]


if __name__ == "__main__":
    for replay in (0, 100, 300):
        means = np.mean([errors(replay, seed) for seed in SEEDS], axis=0)
        print(f"replay={replay}:", " ".join(f"{mean:.4f}" for mean in means))
