"""The curves of runs over one another."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.comparison_figure import curve_panels
from latentia.report.page.html import joined
from latentia.report.page.materials.comparison import ComparisonMaterial
from latentia.report.page.pictures import chart
from latentia.report.page.section import Section

PLACE, KINDS = 20, ("comparison",)


def section(material: ComparisonMaterial) -> Section | None:
    """Return a chart for each figure that the runs share."""
    names = ", ".join(material.comparison.names)
    charts = [
        chart(figure, f"{name} over epochs of {names}", f"curves-{place}")
        for place, (name, figure) in enumerate(curve_panels(material.comparison).items())
    ]
    if not charts:
        return None
    return Section(
        "Curves", Markup('<div class="charts">{}</div>').format(joined(charts)), lead="Dots mark the best epochs."
    )
