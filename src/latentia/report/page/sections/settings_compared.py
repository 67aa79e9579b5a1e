"""The settings that were tried, and which is recommended."""

from __future__ import annotations

import math

from markupsafe import Markup

from latentia.report.page.html import joined, number, paragraph, table, tile
from latentia.report.page.materials.selection import SelectionMaterial
from latentia.report.page.pictures import chart
from latentia.report.page.section import Section
from latentia.report.selection_figure import evidence

PLACE, KINDS = 0, ("selection",)


def section(material: SelectionMaterial) -> Section:
    """Return the recommendation, the evidence as a chart, and the table of all settings."""
    selection = material.selection
    chosen = selection.recommended
    interval = f"{number(chosen.figure.low)} to {number(chosen.figure.high)}, 95 % interval"
    tiles = [
        tile(chosen.name, "recommended", "the simplest within one standard error of the best"),
        tile(
            number(chosen.figure.mean),
            f"its out-of-fold {selection.metric}",
            interval if math.isfinite(chosen.figure.low) else "",
        ),
        tile(f"{len(selection.candidates)}", "settings tried", f"{len(chosen.figure.values)} folds each"),
    ]
    rows = [
        [
            each.name + (" (recommended)" if each is chosen else ""),
            number(each.figure.mean, 5),
            number(each.figure.std, 2),
            f"{each.code_size:,}",
            f"{each.weights:,}",
            "the best" if math.isnan(each.p_value) else number(each.p_value, 3),
            "" if each.steady else "unsteady",
        ]
        for each in selection.candidates
    ]
    head = ["setting", selection.metric, "over folds ±", "numbers in a code", "weights", "p against the best", ""]
    parts = [
        Markup('<dl class="tiles">{}</dl>').format(joined(tiles)),
        chart(
            evidence(selection), f"out-of-fold {selection.metric} of {len(selection.candidates)} settings", "evidence"
        ),
        table(head, rows, caption="all settings, the least error first; p of the corrected paired t-test over folds"),
    ]
    if selection.note:
        parts.append(paragraph(f"{selection.note}.", "soft"))
    lead = "Settings were judged on folds that held their images out, without labels; no test image was read."
    return Section("Settings", joined(parts), lead=lead)
