"""The share of training that is done, and what rises with it."""

from __future__ import annotations

from torch import Tensor

Share = float | Tensor  # 0 to 1; a tensor without a shape where a step is recorded, or computed for several members


def ramp(share: Share, over: float) -> Share:
    """Return what rises from 0 to 1 over a share of training and stays there; 1 from the start where ``over`` is 0."""
    if not over:
        return 1.0
    risen = share / over
    return risen.clamp(max=1.0) if isinstance(risen, Tensor) else min(1.0, risen)
