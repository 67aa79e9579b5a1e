"""What the doctor finds: faults first, each with what is normal and what to do."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.section import Section
from latentia.tasks.doctor import FINE

PLACE, KINDS = 25, ("autoencoder",)
WORDS = {"fine": "fine", "look": "look", "fault": "fault"}


def section(material: RunMaterial) -> Section | None:
    """Return the findings as a list; ``None`` where there are no images to examine it with."""
    found = material.diagnosis
    if found is None:
        return None
    rows = Markup("").join(
        Markup("<dt>{} ({})</dt><dd>{}{}</dd>").format(
            each.name,
            WORDS[each.verdict],
            each.says,
            "" if each.verdict == FINE else Markup("<br>Normal: {}.<br>Remedy: {}.").format(each.normal, each.remedy),
        )
        for each in found.findings
    )
    faults = len(found.faults)
    lead = "Nothing to mend." if not faults else f"{faults} of {len(found.findings)} findings are worth a look."
    lead += f" Examined with {found.count:,} {material.on} images; latentia doctor RUN takes up to 2,000."
    return Section("The doctor's findings", Markup("<dl class='findings'>{}</dl>").format(rows), lead=lead)
