"""The tables that clusters print."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentia.tasks.clusters import Clusters

SURE = 0.8  # stability below which the number of clusters is not to be trusted
AROUND = 3  # rows of evidence to either side of the chosen number


def table(clusters: Clusters) -> str:
    """Return the summary, the evidence for the number of clusters, and the agreement with labels where there are any."""
    about = clusters.about
    how = "number given" if about["criterion"] == "given" else f"number found by {about['criterion']} (no labels used)"
    lines = [
        f"{clusters.count} clusters of {len(clusters):,} images of {about['source']}: {about['method']} on "
        f"{about['space']}, {how}",
        f"  {'cluster':>7}{'images':>9}{'cohesion':>10}{'stability':>11}{'sure':>8}",
    ]
    if about["repeats"] > 1:
        lines.insert(
            1,
            f"stability {_shown(clusters.stability)}: mean adjusted Rand index between {about['repeats']} re-runs "
            "on other images",
        )
    lines += [
        f"  {each.cluster:>7}{each.size:>9,}{_shown(each.cohesion):>10}{_shown(each.stability):>11}{_shown(each.sure):>8}"
        for each in clusters.summaries
    ]
    nowhere = int((clusters.labels < 0).sum())
    if nowhere:
        lines.append(f"  {'none':>7}{nowhere:>9,}")
    if clusters.evidence:
        columns = [name for name in clusters.evidence[0] if name != "clusters"]
        lines.append(f"  {'clusters':>10}" + "".join(f"{name:>13}" for name in columns))
        for row in clusters.evidence:
            if abs(row["clusters"] - clusters.count) <= AROUND:
                mark = " <- taken" if row["clusters"] == clusters.count else ""
                lines.append(f"  {row['clusters']:>10.0f}" + "".join(f"{row[name]:>13.4f}" for name in columns) + mark)
    if clusters.agreement:
        lines.append(f"  {'beside the labels':<24}{'accuracy':>10}{'NMI':>8}{'ARI':>8}")
        lines += [
            f"  {each.name:<24}{each.accuracy:>10.4f}{each.nmi:>8.4f}{each.ari:>8.4f}" for each in clusters.agreement
        ]
    if clusters.stability < SURE:
        lines.append(
            f"stability is below {SURE}: groups and their number are not certain; look at the sheets, or try another --clusters"
        )
    return "\n".join(lines)


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
