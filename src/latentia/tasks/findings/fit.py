"""Too long or not long enough: training and validation loss, epoch by epoch."""

from __future__ import annotations

from latentia.tasks.doctor import FINE, LOOK, RISE, Finding, Patient

GAP = 2.0  # validation error over training error
FALLING = 0.05  # of what was gained, in the last fifth


def find(patient: Patient) -> Finding | None:
    """Return what the curves say; ``None`` without validation images or with fewer than five epochs."""
    curve = patient.curve
    if len(curve) < 5:
        return None
    best, gained = min(curve), curve[0] - min(curve)
    rise, late = curve[-1] - best, curve[-max(2, len(curve) // 5)] - curve[-1]
    gap = patient.error / max(patient.training_error, 1e-9) if patient.training_error else 1.0
    numbers = {
        "gained": gained,
        "risen since the best": rise,
        "gained in the last fifth": late,
        "times the training error": gap,
    }
    normal = (
        f"the validation loss ends within {RISE:.0%} of its gain from the best, gains less than {FALLING:.0%} in the last fifth, "
        f"and reconstruction is at most {GAP:g} times as wrong as on training images"
    )
    if gained <= 0:
        says, verdict, remedy = "the validation loss has not fallen", LOOK, "another --learning-rate, or more --epochs"
    elif patient.risen > RISE:
        says, verdict = f"the validation loss has risen by {patient.risen:.0%} of its gain: it over-fits", LOOK
        remedy = "fewer --epochs (the best are kept), more images, --corruption mask, or a smaller network"
    elif gap > GAP:
        says, verdict = f"its error is {gap:.1f} times that on training images: it over-fits", LOOK
        remedy = "more images, --corruption mask, or a smaller network"
    elif late > FALLING * gained:
        says, verdict = f"the validation loss still falls: {late / gained:.0%} of its gain came in the last fifth", LOOK
        remedy = "more --epochs (it is not ready)"
    else:
        says, verdict, remedy = "the curves have settled, side by side", FINE, ""
    return Finding("length of training", verdict, numbers, says, normal, remedy)
