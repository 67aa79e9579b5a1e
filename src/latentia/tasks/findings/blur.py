"""Are reconstructions blurred? The power of their fine detail, beside that of the images."""

from __future__ import annotations

import numpy as np

from latentia.tasks.doctor import FINE, LOOK, Finding, Patient

SHARP, PATTERNED = 0.3, 2.0
FINEST = 0.5  # of the largest frequency: what lies above is detail of two to four pixels


def find(patient: Patient) -> Finding | None:
    """Return the share of the images' fine detail that reconstructions have; ``None`` where images have none."""
    height, width = patient.unit.shape[2:]
    if min(height, width) < 4:
        return None
    original, restored = (fine_power(values) for values in (patient.unit, patient.restored))
    if original < 1e-10:
        return None
    share = restored / original
    return Finding(
        "sharpness",
        FINE if SHARP <= share <= PATTERNED else LOOK,
        {"share of fine detail": share},
        f"reconstructions have {share:.0%} of the images' fine detail",
        f"{SHARP:.0%} or more, for squared error averages what it does not know, so small codes blur; "
        f"and at most {PATTERNED:.0%}, for more is a pattern that the network makes by itself",
        "more --epochs (it has hardly learned)"
        if share > PATTERNED
        else "a larger --latent-dim, --encoder residual, more --epochs; for images that are to look sharp, --preset vq-vae",
    )


def fine_power(values: np.ndarray) -> float:
    """Return the mean power of images ``[N, C, H, W]`` above half of the largest frequency, along either side."""
    rows, columns = (np.abs(np.fft.fftfreq(side)) * 2 for side in values.shape[2:])
    fine = np.maximum(rows[:, None], columns[None]) > FINEST
    spectrum = np.abs(np.fft.fft2(values - values.mean((2, 3), keepdims=True))) ** 2
    return float(spectrum[..., fine].mean()) / (values.shape[2] * values.shape[3])
