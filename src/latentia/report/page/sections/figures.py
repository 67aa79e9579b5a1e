"""Figures with intervals: this model beside the mean image and PCA, on images that it was not trained on."""

from __future__ import annotations

import math

from markupsafe import Markup

from latentia.report.page.html import joined, number, paragraph, table
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.section import Section
from latentia.studies.statistics import Estimate

PLACE, KINDS = 10, ("autoencoder",)


def section(material: RunMaterial) -> Section | None:
    """Return the table of errors, and the objective's own figures at the best epoch."""
    errors = material.errors
    if not errors and not material.history:
        return None
    parts = []
    if errors:
        count = len(next(iter(errors.values())).values)
        parts.append(
            table(
                ["", "squared error", "95 % interval", "PSNR, dB"],
                [
                    [name, number(found.mean), _interval(found), f"{_psnr(found.mean):.2f}"]
                    for name, found in errors.items()
                ],
                caption=f"reconstruction of {count:,} {material.on} images, per pixel, values in [0, 1]",
            )
        )
    if material.history:
        parts.append(_own(material))
    lead = (
        "Intervals are over images, of this one training; how much trainings differ is told by latentia crossval. "
        "Test images were not read: latentia evaluate judges by them, once, when all choices are made."
    )
    return Section("Figures", Markup('<div class="side">{}</div>').format(joined(parts)), lead=lead)


def _own(material: RunMaterial) -> Markup:
    described, history = material.description, material.history
    best = next((record for record in history if record["epoch"] == described.get("best_epoch")), history[-1])
    columns = [part for part in ("train", "validation") if best.get(part)]
    terms = dict.fromkeys(term for part in columns for term in best[part])
    rows = [[term, *(number(best[part].get(term), 5) for part in columns)] for term in terms]
    head = ["", *({"train": "training", "validation": "validation"}[part] for part in columns)]
    made = table(head, rows, caption=f"the objective's own figures, epoch {best['epoch']} (losses in nats an image)")
    if "mse" in terms and material.restoration is not None:
        return joined(
            [made, paragraph("mse here starts from corrupted images; the error above starts from clean ones.", "soft")]
        )
    return made


def _interval(found: Estimate) -> str:
    return f"{number(found.low)} to {number(found.high)}" if math.isfinite(found.low) else "–"


def _psnr(error: float) -> float:
    return -10 * math.log10(max(error, 1e-12))
