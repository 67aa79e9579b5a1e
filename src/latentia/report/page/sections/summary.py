"""The summary: what was trained on what, and the numbers that a person asks for first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from latentia.report.page.html import facts, gallery, joined, number, tile
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import pairs
from latentia.report.page.section import Section

PLACE, KINDS = 0, ("autoencoder",)
SHOWN = 16  # as many of them as there is room for in one row


def section(material: RunMaterial) -> Section:
    """Return tiles with error, code, images and time, a row of reconstructions, and the parts in words."""
    described = material.description
    parts = [_tiles(material), _strip(material), facts(_parts(described))]
    return Section("Summary", joined(parts), lead=status_note(described))


def _strip(material: RunMaterial) -> Markup:
    """Return a few images above what the model makes of them: whoever opens the page sees at once what it is about."""
    found = material.reconstruction
    if found is None:
        return Markup("")
    count = min(SHOWN, len(found.originals))
    chosen = np.linspace(0, len(found.originals) - 1, count).astype(np.int64)
    lead = Markup('<p class="soft">Images of the {} part, above what the model makes of them.</p>').format(material.on)
    return joined([lead, gallery(((pair, "") for pair in pairs(found, chosen)), kind="strip")])


def _tiles(material: RunMaterial) -> Markup:
    described, history = material.description, material.history
    tiles = []
    errors = material.errors
    if errors:
        own = errors["this model"]
        interval = f"{own.low:.3g} to {own.high:.3g}, 95 % interval" if own.low == own.low else "of one image"
        tiles.append(tile(f"{own.mean:.4g}", f"per-pixel squared error, {material.on} images", interval))
        simple = next((name for name in errors if name.startswith("PCA")), None)
        if simple is not None:
            tiles.append(_against(own.mean, errors[simple].mean, simple))
    if material.model is not None:
        weights = sum(parameter.numel() for parameter in material.model.parameters())
        shape = " × ".join(map(str, material.model.code_shape))
        tiles.append(tile(shape, "numbers in a code", f"{weights:,} weights"))
    tiles.append(tile(f"{described['data']['train']['count']:,}", "training images", _held(material)))
    best = described.get("best_epoch", history[-1]["epoch"] if history else 0)
    tiles.append(tile(f"{len(history)}", "epochs", f"best: {best}, {duration(described.get('seconds'))}"))
    return Markup('<dl class="tiles">{}</dl>').format(joined(tiles))


def _against(own: float, simple: float, name: str) -> Markup:
    better = own <= simple
    ratio = max(own, simple) / max(min(own, simple), 1e-12)
    return tile(f"{ratio:.1f} ×", f"{'less' if better else 'more'} error than {name}", "a linear code as long")


def _held(material: RunMaterial) -> str:
    held = material.description["data"].get("validation")
    return f"{held['count']:,} validate" if held else "none validate"


def duration(seconds: float | None) -> str:
    """Return a time as a person says it."""
    if seconds is None:
        return "not finished"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _parts(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    from latentia.model import Architecture
    from latentia.objective import Objective

    architecture = Architecture.from_json(described["architecture"])
    objective = Objective.from_json(described["objective"])
    parts = {
        "encoder": architecture.encoder,
        "bottleneck": architecture.bottleneck,
        "decoder": architecture.decoder,
        "likelihood": architecture.likelihood,
        "prior": architecture.prior,
        "corruption": objective.corruption,
        "bound": objective.bound,
    }
    listed = [(kind, str(part)) for kind, part in parts.items()]
    if objective.penalties:
        listed.append(("penalties", ", ".join(map(str, objective.penalties))))
    if objective.weights:
        listed.append(("weights of terms", ", ".join(f"{name} {number(weight)}" for name, weight in objective.weights)))
    return listed


def status_note(described: Mapping[str, Any]) -> Markup | str:
    """Return what is to be said of a run that is not finished."""
    status = str(described.get("status", "finished"))
    if status == "finished":
        return ""
    return f"This run is not finished: its status is “{status}”. What follows is how it stood when this page was made."
