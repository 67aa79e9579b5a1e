"""New images, drawn from the prior."""

from __future__ import annotations

from latentia.report.page.html import gallery
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import pictures
from latentia.report.page.section import Section

PLACE, KINDS = 50, ("autoencoder",)
SHOWN = 45


def section(material: RunMaterial) -> Section | None:
    """Return samples; ``None`` where codes follow no prior."""
    found = material.samples
    if found is None:
        return None
    shown = pictures(
        found.select(range(min(SHOWN, len(found)))), [f"sample {index + 1}" for index in range(min(SHOWN, len(found)))]
    )
    lead = "Codes drawn from the prior and decoded: no image of the data is behind them, and none was picked out."
    return Section("Samples", gallery((([each], "") for each in shown), kind="small"), lead=lead)
