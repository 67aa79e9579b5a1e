"""Two cross-validations fold by fold, with the corrected paired test."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.comparison_figure import folds_side_by_side
from latentia.report.page.html import joined, number, table, text_of, tile
from latentia.report.page.materials.comparison import FoldComparisonMaterial
from latentia.report.page.pictures import chart
from latentia.report.page.section import Section

PLACE, KINDS = 0, ("fold-comparison",)


def section(material: FoldComparisonMaterial) -> Section:
    """Return the verdict, the difference with its interval, the chart and the settings that differ."""
    found = material.comparison
    difference = found.difference
    tiles = [
        tile(found.verdict, f"by {found.metric}", f"p = {found.p_value:.2g}"),
        tile(
            f"{difference.mean:+.3g}",
            f"{found.names[0]} less {found.names[1]}",
            f"{number(difference.low, 3)} to {number(difference.high, 3)}, 95 % interval",
        ),
    ]
    parts = [
        Markup('<dl class="tiles">{}</dl>').format(joined(tiles)),
        chart(folds_side_by_side(found), f"{found.metric} of both, fold by fold, and their differences", "pairs"),
        table(
            ["setting", *found.names],
            [[key, *map(text_of, values)] for key, values in found.settings.items()],
            "settings that differ",
            "wide",
        ),
        table(
            ["fold", *found.names, "difference"],
            [
                [str(place), number(one), number(other), f"{one - other:+.3g}"]
                for place, (one, other) in enumerate(zip(*found.values, strict=True))
            ],
            f"{found.metric}, fold by fold",
        ),
    ]
    lead = "Both were trained on the same folds. The t-test is corrected for overlapping training sets (Nadeau & Bengio 2003)."
    return Section("Fold by fold", joined(parts), lead=lead)
