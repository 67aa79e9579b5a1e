"""Should one train at all? What ``latentia baselines`` found and kept in the run's folder."""

from __future__ import annotations

import json

from markupsafe import Markup

from latentia.core.errors import UserError
from latentia.report.baselines_figure import panels
from latentia.report.page.html import details, joined, listed, paragraph, table
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import chart
from latentia.report.page.section import Section
from latentia.tasks.baseline_words import headline, seconds, signed, spread, value, verdict
from latentia.tasks.baselines import FILE, Baselines
from latentia.tasks.trial import Trial
from latentia.training.storage import model_digest

PLACE, KINDS = 15, ("autoencoder",)


def section(material: RunMaterial) -> Section | None:
    """Return a chart, a verdict and a table for each task; ``None`` where nothing is kept, or of another model."""
    path = material.path / FILE
    if not path.is_file():
        return None
    try:
        found = Baselines.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} cannot be read: make it anew by latentia baselines {material.path}") from None
    if found.model != model_digest(material.path):
        return None  # the run was trained on since
    charts = joined(
        Markup("<div>{}{}</div>").format(
            chart(figure, f"{trial.name}, {trial.figure}: {verdict(trial)}", f"baselines-{number}"),
            paragraph(_sentence(verdict(trial)), "soft"),
        )
        for number, (trial, figure) in enumerate(panels(found))
    )
    parts = [Markup('<div class="charts">{}</div>').format(charts)]
    parts += [details("All figures, with times", joined(_table(trial) for trial in found.trials))]
    if found.left_out:
        parts.append(listed(f"Left out, {name}: {reason}." for name, reason in found.left_out))
    lead = (
        f"{_sentence(headline(found))} {found.count:,} {found.judged} judge; everything learned from {found.learned}. Intervals "
        "are over images, of this one training."
    )
    return Section("Was it worth training?", joined(parts), lead=lead)


def _table(trial: Trial) -> Markup:
    head = ["", trial.figure, "95 % interval", "the model is", "95 % interval of that", "fit", "apply"]
    rows = [
        [
            way.name,
            value(trial, way.value),
            spread(trial, way.low, way.high),
            "" if way is trial.model else signed(trial, way.gain),
            "" if way is trial.model else spread(trial, way.gain_low, way.gain_high, change=True),
            seconds(way.fit_seconds),
            seconds(way.apply_seconds),
        ]
        for way in trial.ways
    ]
    caption = "; ".join([f"{trial.name}, {trial.count:,} images", *trial.notes])
    return table(head, rows, caption=caption)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
