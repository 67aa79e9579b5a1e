"""Is it better than what is simple: the mean image, and PCA with a code of the same size?"""

from __future__ import annotations

import math

from latentia.tasks.apply import format_for
from latentia.tasks.doctor import FAULT, FINE, LOOK, RISE, Finding, Patient
from latentia.tasks.evaluate import baseline_errors

NOTHING = 0.9  # of the mean image's error: less than a tenth was learned


def find(patient: Patient) -> Finding | None:
    """Return the errors beside one another; ``None`` without training images to fit the baselines on."""
    if patient.train is None or len(patient.train) < 2:
        return None
    found = baseline_errors(
        patient.train, patient.images, format_for(patient.model, patient.images), patient.model.latent_dim
    )
    mean = found["mean image"]
    pca = min((value for name, value in found.items() if name != "mean image"), default=math.inf)
    error = patient.error
    text = f"per-pixel error {error:.5f}; mean image {mean:.5f}" + (f", PCA {pca:.5f}" if pca < math.inf else "")
    numbers = {"error": error, "mean image": mean, **({"pca": pca} if pca < math.inf else {})}
    if error > NOTHING * mean:
        verdict, remedy = (
            FAULT,
            "it has learned next to nothing: more --epochs, another --learning-rate, --optimizer muon",
        )
    elif _compares(patient) and error > pca:
        # where images are learned by heart, longer training is no remedy
        more = "more images" if patient.risen > RISE else "more --epochs"
        verdict, remedy = LOOK, f"PCA does better with as many numbers: {more}, or take PCA"
    else:
        verdict, remedy = FINE, ""
    return Finding(
        "simple baselines",
        verdict,
        numbers,
        text,
        f"at least {1 - NOTHING:.0%} below the mean image's; below PCA's where it is trained to reconstruct clean images",
        remedy,
    )


def _compares(patient: Patient) -> bool:
    """Return whether PCA is a fair rival: the code is a free vector smaller than the image, and nothing else is asked of it."""
    plain = patient.objective.corruption.name == "none" and not patient.objective.penalties
    vector = len(patient.model.code_shape) == 1 and patient.model.latent_dim < patient.model.format.pixels
    return plain and vector and patient.model.architecture.bottleneck.name == "deterministic"
