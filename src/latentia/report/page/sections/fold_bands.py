"""The loss over epochs as a band over folds, and each fold's error."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.crossval_figures import band_panels, fold_figures
from latentia.report.page.html import joined
from latentia.report.page.materials.folds import FoldsMaterial
from latentia.report.page.pictures import chart
from latentia.report.page.section import Section

PLACE, KINDS = 30, ("crossvalidation",)


def section(material: FoldsMaterial) -> Section:
    """Return the bands and the folds' errors as charts."""
    result = material.result
    charts = [
        chart(figure, f"{name} over epochs, mean and band over {len(result.folds)} folds", f"bands-{place}")
        for place, (name, figure) in enumerate(band_panels(result).items())
    ]
    dots = chart(fold_figures(result), "out-of-fold error of each fold, with the mean and its interval", "folds")
    lead = "Lines are means over folds, bands one standard deviation; validation images chose the epoch."
    return Section("Folds", joined([Markup('<div class="charts">{}</div>').format(joined(charts)), dots]), lead=lead)
