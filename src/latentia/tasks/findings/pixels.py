"""Do the images have pixels that never change, and do values lie where the network can answer?"""

from __future__ import annotations

import numpy as np

from latentia.tasks.apply import format_for
from latentia.tasks.doctor import FAULT, FINE, LOOK, Finding, Patient

CONSTANT, OUTSIDE, NARROW = 0.9, 0.001, 0.1


def find(patient: Patient) -> Finding:
    """Return shares of constant pixels, of values outside the model's range, and the range that is used."""
    pixel_format = format_for(patient.model, patient.images)
    raw = np.asarray(patient.images.pixels, dtype=np.float64)
    outside = float(((raw < pixel_format.low) | (raw > pixel_format.high)).mean())
    constant = float((np.ptp(raw, axis=0) == 0).mean()) if len(raw) > 1 else 0.0
    low, high = np.quantile(patient.unit, [0.001, 0.999])
    used = float(high - low)
    numbers = {"constant pixels": constant, "values outside the range": outside, "range that is used": used}
    normal = (
        f"values between {pixel_format.low:g} and {pixel_format.high:g}, which stand for 0 and 1; at least {NARROW:.0%} of that "
        f"range in use; at most {CONSTANT:.0%} of the pixels constant"
    )
    if outside > OUTSIDE:
        says, verdict = f"{outside:.1%} of the values lie outside of what the network can answer", FAULT
        remedy = "bring the images to the range of those it was trained on, or train it on these"
    elif used < NARROW:
        says, verdict = f"the images use {used:.1%} of the range", FAULT
        remedy = (
            "stretch the images' values (a 12-bit picture in 16 bits, say), or give them as float32 in their own range"
        )
    elif constant > CONSTANT:
        says, verdict = f"{constant:.0%} of the pixels are the same in all images", LOOK
        remedy = "crop the images to what changes; constant pixels flatter every error"
    else:
        says, verdict, remedy = f"{constant:.0%} of the pixels constant, {used:.0%} of the range used", FINE, ""
    return Finding("pixels", verdict, numbers, says, normal, remedy)
