"""Has the network learned to copy? (Vincent et al. 2008, section 1; the score: :mod:`latentia.tasks.identity`.)"""

from __future__ import annotations

from latentia.tasks.doctor import FAULT, FINE, LOOK, Finding, Patient
from latentia.tasks.identity import COPYING, HEALTHY, identity_score


def find(patient: Patient) -> Finding | None:
    """Return the identity score; ``None`` of a single image."""
    if len(patient.images) < 2:
        return None
    found = identity_score(patient.model, patient.images)
    verdict = FINE if found.score < HEALTHY else FAULT if found.score > COPYING else LOOK
    return Finding(
        "identity",
        verdict,
        {"score": found.score, "noise": found.noise, "foreign": found.foreign},
        f"identity score {found.score:.2f}, {found.verdict}",
        f"below {HEALTHY:g}; above {COPYING:g} noise and foreign images are copied through",
        "a smaller code (--latent-dim), or train it to restore: --corruption mask",
    )
