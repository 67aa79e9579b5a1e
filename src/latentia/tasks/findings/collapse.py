"""Does the posterior say anything of the image? (Active units: Burda et al. 2016, section 5.2; collapse: Bowman et al. 2016.)"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from latentia.core.noise import Noise
from latentia.data.batches import Batch
from latentia.tasks.apply import over
from latentia.tasks.density import ACTIVE
from latentia.tasks.doctor import FAULT, FINE, LOOK, Finding, Patient

FEW = 0.1  # share of units


def find(patient: Patient) -> Finding | None:
    """Return active units and KL; ``None`` where there is no posterior, or a single image."""
    model = patient.model
    if not model.architecture.bottleneck.stochastic or len(patient.images) < 2:
        return None

    def kl(batch: Batch) -> Tensor:
        code = model.encode(batch.pixels, Noise(0, batch.ids, "doctor"))
        assert code.posterior is not None  # a developer's invariant: the bottleneck is stochastic
        values = model.prior.kl(code.posterior, code.z, model)
        return values.flatten(1).sum(1) if values.ndim > 1 else values

    variance = patient.codes.var(axis=0)
    active, units = int((variance > ACTIVE).sum()), len(variance)
    total = float(np.mean(over(model, patient.images, kl)))
    verdict = FAULT if active == 0 else LOOK if active < FEW * units else FINE
    return Finding(
        "posterior collapse",
        verdict,
        {"active units": active, "units": units, "kl": total, "kl per active unit": total / max(active, 1)},
        f"{active} of {units} units vary with the image; KL {total:.2f} nats an image",
        f"some units are often idle; with none the codes say nothing, with fewer than {FEW:.0%} the code is larger than needed",
        "let KL in slowly: --bound.warmup 0.5, --bound.free-bits 0.1, a smaller --bound.beta; or a smaller --latent-dim",
    )
