"""Learning-rate schedules as pure functions of the step, so that resuming needs no state."""

from __future__ import annotations

import math

STEP_EVERY = 0.3  # ``step`` divides by ten after each such share of training


def factor(schedule: str, step: int, total: int, warmup: float) -> float:
    """Return what the learning rate is multiplied with at ``step`` (from 0) of ``total``, in (0, 1]."""
    rising = round(warmup * total)
    if step < rising:
        return (step + 1) / (rising + 1)
    share = (step - rising) / max(total - rising, 1)
    if schedule == "cosine":  # Loshchilov & Hutter 2017, eq. 5, without restarts
        return max(0.5 * (1.0 + math.cos(math.pi * share)), 1e-4)
    if schedule == "linear":
        return max(1.0 - share, 1e-4)
    if schedule == "step":
        return float(0.1 ** int(share / STEP_EVERY + 1e-9))
    return 1.0
