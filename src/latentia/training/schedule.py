"""Learning-rate schedules as pure functions of the step, so that resuming needs no state."""

from __future__ import annotations

import math

LEAST_STEPS, LEAST_SHARE = (
    100,
    0.1,
)  # short trainings warm up over the smaller of both: a few steps at the full rate can
# drive every output into the flat end of its sigmoid, where no gradient brings it back
STEP_EVERY = 0.3  # ``step`` divides by ten after each such share of training


def factor(schedule: str, step: int, total: int, warmup: float) -> float:
    """Return what the learning rate is multiplied with at ``step`` (from 0) of ``total``, in (0, 1]."""
    rising = max(round(warmup * total), min(LEAST_STEPS, round(LEAST_SHARE * total))) if warmup else 0
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
