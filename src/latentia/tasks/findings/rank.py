"""How many directions do the codes use? (Effective rank: Roy & Vetterli 2007, eq. 3: exp of the entropy of singular values.)"""

from __future__ import annotations

import numpy as np

from latentia.tasks.doctor import FAULT, FINE, LOOK, Finding, Patient

FEW, MOST = 0.1, 1000


def find(patient: Patient) -> Finding | None:
    """Return the effective rank of the codes about their mean; ``None`` of fewer than ten images."""
    codes = patient.codes[:MOST].astype(np.float64)
    if len(codes) < 10:
        return None
    if not np.isfinite(codes).all():
        says = "codes are not finite"
        return Finding("rank of the codes", FAULT, {"rank": 0.0}, says, "finite", "train again with --clip 1")
    if codes.shape[1] > MOST:  # a spatial code: single positions stand for all
        codes = codes[:, np.linspace(0, codes.shape[1] - 1, MOST).astype(int)]
    values = np.linalg.svd(codes - codes.mean(0), compute_uv=False)
    rank = effective_rank(values)
    possible = min(codes.shape[1], len(codes) - 1)
    verdict = FAULT if rank < 1.0 else LOOK if rank < FEW * possible and possible >= 4 else FINE
    return Finding(
        "rank of the codes",
        verdict,
        {"rank": rank, "possible": possible, "same for all": int((codes.std(0) < 1e-6).sum())},
        f"effective rank {rank:.1f} of {possible}",
        f"{FEW:.0%} of what is possible, or more; 0 where all codes are alike",
        "a smaller --latent-dim holds as much; if all codes are alike: more --epochs, another --learning-rate",
    )


def effective_rank(singular_values: np.ndarray) -> float:
    """Return exp(-sum p log p) for p, the singular values as shares of their sum; 0 where all are 0."""
    total = singular_values.sum()
    if total < 1e-9:
        return 0.0
    shares = singular_values[singular_values > 1e-12 * total] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))
