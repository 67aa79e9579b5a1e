"""Runs side by side: what differs in their settings, and what each came to."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.page.html import joined, number, paragraph, table, text_of
from latentia.report.page.materials.comparison import ComparisonMaterial
from latentia.report.page.section import Section

PLACE, KINDS = 0, ("comparison",)


def section(material: ComparisonMaterial) -> Section:
    """Return the table of differing settings and the table of figures."""
    found = material.comparison
    settings = [[key, *map(text_of, values)] for key, values in found.differences.items()]
    parts = (
        [table(["setting", *found.names], settings, "settings that differ")]
        if settings
        else [paragraph("Their settings are the same.")]
    )
    rows = [
        ["best epoch", *(f"{run.best_epoch} of {run.epochs}" for run in found.runs)],
        ["seconds", *(f"{run.seconds:,.1f}" for run in found.runs)],
        *([key, *(number(value, 5) for value in values)] for key, values in found.figures.items()),
        *(
            [f"test {key}", *(number(figures.get(key), 5) for figures in found.test)]
            for key in dict.fromkeys(key for figures in found.test for key in figures)
        ),
    ]
    on = sorted({run.on for run in found.runs})
    parts.append(table(["figure", *found.names], rows, f"figures at the best epoch, on {' or '.join(on)} images"))
    lead = "" if found.same_images else "The runs were judged on different images, so these figures do not compare."
    beside = len(found.runs) < 4  # wider tables have the page to themselves
    body = Markup('<div class="side">{}</div>').format(joined(parts)) if beside else joined(parts)
    return Section("Differences", body, lead=lead)
