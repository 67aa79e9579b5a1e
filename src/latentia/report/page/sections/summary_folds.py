"""The summary of a cross-validation: figures over folds with corrected intervals, and each fold."""

from __future__ import annotations

import math

from markupsafe import Markup

from latentia.report.page.html import joined, number, paragraph, table, tile
from latentia.report.page.materials.folds import FoldsMaterial
from latentia.report.page.section import Section
from latentia.studies.result import METRIC, width_advice
from latentia.studies.statistics import Estimate

PLACE, KINDS = 0, ("crossvalidation",)


def section(material: FoldsMaterial) -> Section:
    """Return tiles, the table of figures, the table of folds and what to keep in mind."""
    result = material.result
    found = result.metrics[METRIC]
    judged = int((result.fold_of >= 0).sum())
    tiles = [
        tile(number(found.mean), "out-of-fold squared error per pixel", f"{_interval(found)}, 95 % interval"),
        tile(
            f"{len(result.folds)}",
            "trainings",
            f"{result.description['study']['repeats']} × {result.description['study']['folds'] or len(result.folds)} folds",
        ),
        tile(f"{judged:,}", "images judged unseen", f"of {len(result.images):,}"),
        tile(
            f"{result.codes.shape[1]:,}",
            "numbers in a code",
            f"{sum(fold.seconds for fold in result.folds):,.0f} s in all",
        ),
    ]
    figures = table(
        ["", "mean", "over folds ±", "95 % interval"],
        [[name, number(each.mean, 5), number(each.std, 2), _interval(each)] for name, each in result.metrics.items()],
        caption="out of fold, means over images; intervals are corrected for overlapping training sets",
    )
    folds = table(
        ["fold", "held out", "best epoch", "seconds", "squared error"],
        [
            [
                str(each.number),
                f"{len(each.fold.test):,}",
                str(each.best_epoch),
                f"{each.seconds:.1f}",
                number(each.figures[METRIC], 5),
            ]
            for each in result.folds
        ],
        caption="each fold",
    )
    notes = [width_advice(result), (result.description.get("duplicates") or {}).get("note")]
    grid = Markup('<dl class="tiles">{}</dl>').format(joined(tiles))
    tables = Markup('<div class="side">{}</div>').format(joined([figures, folds]))
    lead = "Every image was judged by models that had not seen it: the folds held it out. Intervals after Nadeau & Bengio (2003)."
    told = [paragraph(f"{note[0].upper()}{note[1:]}.", "soft") for note in notes if note]
    return Section("Summary", joined([grid, tables, *told]), lead=lead)


def _interval(found: Estimate) -> str:
    return f"{number(found.low)} to {number(found.high)}" if math.isfinite(found.low) else "none of a single fold"
