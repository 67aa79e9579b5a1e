"""Too long or not long enough: training and validation loss, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentia.tasks.doctor import FINE, LOOK, Finding, Patient

GAP = 2.0  # validation error over training error
RISE = 0.05  # of what was gained
FALLING = 0.05  # of what was gained, in the last fifth


def find(patient: Patient) -> Finding | None:
    """Return what the curves say; ``None`` without validation images or with fewer than five epochs."""
    curve = [record["validation"]["loss"] for record in patient.history if "validation" in record]
    if len(curve) < 5:
        return None
    best, gained = min(curve), curve[0] - min(curve)
    rise, late = curve[-1] - best, curve[-max(2, len(curve) // 5)] - curve[-1]
    gap = _gap(patient.history[-1])
    numbers = {"gained": gained, "risen since the best": rise, "gained in the last fifth": late, "gap": gap}
    normal = (
        f"the validation loss ends within {RISE:.0%} of its gain from the best, gains less than {FALLING:.0%} in the last fifth, "
        f"and is at most {GAP:g} times the training error"
    )
    if gained <= 0:
        says, verdict, remedy = "the validation loss has not fallen", LOOK, "another --learning-rate, or more --epochs"
    elif rise > RISE * gained:
        says, verdict = f"the validation loss has risen by {rise / gained:.0%} of its gain: it over-fits", LOOK
        remedy = "fewer --epochs (the best are kept), more images, --corruption mask, or a smaller network"
    elif gap > GAP:
        says, verdict = f"the validation error is {gap:.1f} times the training error: it over-fits", LOOK
        remedy = "more images, --corruption mask, or a smaller network"
    elif late > FALLING * gained:
        says, verdict = f"the validation loss still falls: {late / gained:.0%} of its gain came in the last fifth", LOOK
        remedy = "more --epochs (it is not ready)"
    else:
        says, verdict, remedy = "the curves have settled, side by side", FINE, ""
    return Finding("length of training", verdict, numbers, says, normal, remedy)


def _gap(record: Mapping[str, Any]) -> float:
    """Return validation over training error where the loss is an error, else 1: a loss in nats has no zero to divide by."""
    training, validation = record.get("train", {}).get("mse"), record["validation"].get("mse")
    return validation / training if training and validation else 1.0
