"""How a run shows itself in a notebook: what it is, what it came to, its loss as a small chart, and where its page is."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from latentia.core.errors import LatentiaError
from latentia.report.loss_graph import NAMES, loss_panels
from latentia.report.page.building import FILE
from latentia.report.page.html import facts, joined, number
from latentia.report.page.pictures import chart
from latentia.training.run_folder import RunFolder

# the page's colours, and those of a dark notebook, for what stands in this element alone
STYLE = """<style>
.latentia-run{--font:inherit;--ink:#20242c;--soft:#596170;--line:#e1e4e9;--blue:#0068a5;--orange:#bf5200;max-width:46rem}
.latentia-run dl{display:flex;flex-wrap:wrap;gap:.2rem 1.6rem;margin:.4rem 0}.latentia-run dt{font-size:.8em;opacity:.75}
.latentia-run dd{margin:0;font-variant-numeric:tabular-nums}.latentia-run figure{margin:.4rem 0;max-width:24rem}
.latentia-run svg{width:100%;height:auto}.latentia-run div.facts>div{display:block}
[data-jp-theme-light=false] .latentia-run,.vscode-dark .latentia-run{--ink:#e8eaee;--soft:#a6aebb;--line:#343b46;--blue:#66b5ee;
--orange:#ff9a5c}</style>"""


def run_html(folder: RunFolder) -> str:
    """Return a run as HTML; one that is damaged or has no epoch yet shows what there is of it."""
    try:
        described, history = folder.describe(), folder.metrics()
    except LatentiaError as error:
        return f"<div>{html.escape(str(error))}</div>"
    data = described.get("data") or {}
    title = html.escape(
        f"{described.get('preset', described.get('kind', 'run'))} on {data.get('source', 'nothing yet')}"
    )
    pairs = [("folder", str(folder.path)), ("status", str(described.get("status", "")))]
    if data.get("train"):
        pairs.append(("training images", f"{data['train']['count']:,}"))
    pairs += _figures(described, history)
    if (folder.path / FILE).is_file():
        pairs.append(("report", str(folder.path / FILE)))
    drawn = ""
    if len(history) > 1 and described.get("kind", "autoencoder") == "autoencoder":
        name, figure = next(iter(loss_panels(history).items()))
        drawn = chart(figure, f"{name} over {len(history)} epochs", str(folder.path))
    return f'{STYLE}<div class="latentia-run"><strong>{title}</strong>{joined([facts(pairs), drawn])}</div>'


def _figures(described: Mapping[str, Any], history: list[dict[str, Any]]) -> list[tuple[str, str]]:
    if not history:
        return []
    best = next((record for record in history if record["epoch"] == described.get("best_epoch")), history[-1])
    where = "validation" if best.get("validation") else "train"
    named = {"validation": "validation", "train": "training"}[where]
    return [
        ("epochs", f"{len(history)}, best {best['epoch']}"),
        *((f"{NAMES.get(term, term)}, {named}", number(value)) for term, value in best[where].items()),
    ]
