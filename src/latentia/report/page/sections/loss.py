"""The loss over epochs, with each of its parts."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.loss_graph import loss_panels
from latentia.report.page.html import joined
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import chart
from latentia.report.page.section import Section

PLACE, KINDS = 30, ("autoencoder",)


def section(material: RunMaterial) -> Section | None:
    """Return a chart for the loss and for each of its terms."""
    if len(material.history) < 2:
        return None
    charts = []
    for number, (name, figure) in enumerate(loss_panels(material.history).items()):
        charts.append(chart(figure, _alt(name, material), f"loss-{number}"))
    body = Markup('<div class="charts">{}</div>').format(joined(charts))
    lead = "It should fall and flatten, with validation near training; where validation rises, images are learned by heart."
    return Section("Loss", body, lead=lead)


def _alt(name: str, material: RunMaterial) -> str:
    first, last = material.history[0], material.history[-1]
    ends = [
        f"{part} from {first[part]['loss']:.4g} to {last[part]['loss']:.4g}"
        for part in ("train", "validation")
        if first.get(part) and last.get(part)
    ]
    told = f": {', '.join(ends)}" if name.startswith("loss") else ""
    return f"{name} over {len(material.history)} epochs{told}"
