"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from latentia.report.page.html import joined, listed
from latentia.report.page.materials.classifier import ClassifierMaterial
from latentia.report.page.section import Section
from latentia.report.style import shorten

PLACE, KINDS = 40, ("classifier",)
MOST = 25  # classes that a table has room for
PAIRS = 15


def section(material: ClassifierMaterial) -> Section | None:
    """Return the table of true against given classes, or its largest entries where there are many classes."""
    judged, shown = material.judgement, material.shown
    if judged is None or shown is None:
        return None
    lead = "A row for each true class; the deeper the colour, the more of its images were taken for the column's class."
    if len(shown.classes) <= MOST:
        return Section("Confusion", _table(judged.confusion, shown.classes), lead=lead)
    wrong = np.where(np.eye(len(shown.classes), dtype=bool), 0, judged.confusion)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [np.unravel_index(place, wrong.shape) for place in order if wrong.flat[place]]
    items = [
        f"{shown.classes[row]} taken for {shown.classes[column]}: {wrong[row, column]:,} times" for row, column in pairs
    ]
    return Section("Confusion", listed(items), lead=f"The most frequent mistakes among {len(shown.classes)} classes.")


def _table(counts: np.ndarray, classes: tuple[str, ...]) -> Markup:
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    wrong = np.where(np.eye(len(counts), dtype=bool), 0.0, share)
    top = max(float(wrong.max()), 0.01)
    head = joined(Markup('<th scope="col" title="{}">{}</th>').format(name, shorten(name, 10)) for name in classes)
    rows = []
    for row, name in enumerate(classes):
        cells = joined(
            _cell(int(counts[row, column]), float(wrong[row, column]) / top, row == column)
            for column in range(len(classes))
        )
        rows.append(Markup('<tr><th scope="row" title="{}">{}</th>{}</tr>').format(name, shorten(name, 16), cells))
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="confusion matrix"><table class="confusion">'
        "<caption>rows: true class; columns: given class; images</caption>"
        "<thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(head, joined(rows))


def _cell(count: int, depth: float, right: bool) -> Markup:
    if right:
        return Markup('<td class="right">{}</td>').format(f"{count:,}")
    if not count:
        return Markup('<td class="none">0</td>')
    return Markup('<td style="--depth:{}%">{}</td>').format(f"{8 + 42 * depth:.0f}", f"{count:,}")
