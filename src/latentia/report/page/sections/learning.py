"""A classifier's loss with its parts, and the share of right and of sure answers, over epochs."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.classifier_figures import learning_panels
from latentia.report.page.html import joined
from latentia.report.page.materials.classifier import ClassifierMaterial
from latentia.report.page.pictures import chart
from latentia.report.page.section import Section

PLACE, KINDS = 30, ("classifier",)


def section(material: ClassifierMaterial) -> Section | None:
    """Return two charts; ``None`` of a probe, which is solved in one step."""
    if len(material.history) < 2:
        return None
    count = len(material.history)
    charts = [
        chart(figure, f"{name} over {count} epochs", f"learning-{number}")
        for number, (name, figure) in enumerate(learning_panels(material.history).items())
    ]
    return Section("Loss and accuracy", Markup('<div class="charts">{}</div>').format(joined(charts)))
