"""The summary of a classifier: how often it errs, and how few labels it had."""

from __future__ import annotations

from markupsafe import Markup

from latentia.report.page.html import facts, joined, tile
from latentia.report.page.materials.classifier import ClassifierMaterial
from latentia.report.page.section import Section
from latentia.report.page.sections.summary import duration, status_note

PLACE, KINDS = 0, ("classifier",)


def section(material: ClassifierMaterial) -> Section:
    """Return tiles and how it was trained."""
    described, judged = material.description, material.judgement
    labels = described["data"].get("labels") or {}
    tiles = []
    if judged is not None and material.shown is not None:
        where = f"{judged.low:.2%} to {judged.high:.2%}, 95 % interval"
        tiles.append(tile(f"{judged.error:.2%}", f"error, {judged.count:,} {_split(material)} images", where))
        tiles.append(
            tile(f"{judged.calibration_error:.2%}", "expected calibration error", "how far it can be believed")
        )
    if labels:
        tiles.append(tile(f"{labels['count']:,}", "labels learned from", f"{len(described['classes'])} classes"))
    tiles.append(tile(f"{described['data']['train']['count']:,}", "images learned from", "with a label or without"))
    tiles.append(tile(f"{len(material.history)}", "epochs", duration(described.get("seconds"))))
    how = described.get("finetuning") or {}
    start = (
        "new weights" if how.get("scratch") else str((described.get("origin") or {}).get("from") or "an autoencoder")
    )
    pairs = [
        ("mode", str(how.get("mode", ""))),
        ("started from", start),
        ("augmentation", str(how.get("augmentation", "none"))),
    ]
    grid = Markup('<dl class="tiles">{}</dl>').format(joined(tiles))
    return Section("Summary", joined([grid, facts(pairs)]), lead=status_note(described))


def _split(material: ClassifierMaterial) -> str:
    split = material.shown.images.split if material.shown is not None else ""
    return "held-out" if split == "all" else split
