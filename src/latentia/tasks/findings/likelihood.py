"""Does the likelihood suit the pixels? A Bernoulli is meant for pixels that are 0 or 1 (Loaiza-Ganem & Cunningham 2019)."""

from __future__ import annotations

from latentia.tasks.doctor import FINE, LOOK, Finding, Patient

BETWEEN = 0.5


def find(patient: Patient) -> Finding | None:
    """Return the share of values that are neither black nor white; ``None`` of other likelihoods."""
    likelihood = patient.model.likelihood
    if likelihood.name != "bernoulli" or likelihood.fields().get("binarise") not in (None, "none"):
        return None
    between = float(((patient.unit > 0.1) & (patient.unit < 0.9)).mean())
    return Finding(
        "likelihood",
        FINE if between <= BETWEEN else LOOK,
        {"values between black and white": between},
        f"{between:.0%} of the values lie between black and white",
        f"at most {BETWEEN:.0%} for a Bernoulli, whose nats mean little for grey and colour images",
        "--likelihood gaussian, --likelihood discretised-logistic, or --likelihood continuous-bernoulli",
    )
