"""How sure a classifier is and how often it is right; the mistakes it was surest of; and some of its answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from latentia.report.classifier_figures import reliability_diagram
from latentia.report.page.html import gallery, joined, paragraph
from latentia.report.page.materials.classifier import ClassifierMaterial
from latentia.report.page.pictures import chart, pictures
from latentia.report.page.section import Section
from latentia.tasks.predict import Prediction

PLACE, KINDS = 50, ("classifier",)
SHOWN = 30


def section(material: ClassifierMaterial) -> Section | None:
    """Return reliability and mistakes where the truth is known, and random answers."""
    shown = material.shown
    if shown is None:
        return None
    parts = []
    if material.judgement is not None:
        error = material.judgement.calibration_error
        parts += [
            Markup("<h3>Reliability</h3>"),
            paragraph(
                "Of answers with a probability of 80 %, four in five should be right: then the bars meet the line.",
                "soft",
            ),
            chart(
                reliability_diagram(shown),
                f"reliability diagram; expected calibration error {error:.2%}",
                "reliability",
            ),
            Markup("<h3>Mistakes it was surest of</h3>"),
            _mistakes(shown),
        ]
    parts += [Markup("<h3>Random images and what it says</h3>"), _random(shown)]
    return Section("Answers", joined(parts))


def _mistakes(shown: Prediction) -> Markup:
    assert shown.truth is not None  # a developer's invariant: asked only where there are labels
    wrong = np.flatnonzero((shown.truth != -1) & (shown.labels != shown.truth))
    if not len(wrong):
        return paragraph("There are none among these images.")
    wrong = wrong[np.argsort(-shown.probabilities[wrong].max(1), kind="stable")][:SHOWN].tolist()
    truth = ["another class" if shown.truth[i] < 0 else shown.classes[shown.truth[i]] for i in wrong]
    said = [shown.classes[shown.labels[i]] for i in wrong]
    captions = [
        f"{true}, not {given}\n{shown.probabilities[i].max():.0%} sure\n{shown.images.names[i]}"
        for true, given, i in zip(truth, said, wrong, strict=True)
    ]
    alts = [
        f"image {shown.images.names[i]}, a {true}, taken for {given}"
        for true, given, i in zip(truth, said, wrong, strict=True)
    ]
    return _sheet(shown, wrong, alts, captions)


def _random(shown: Prediction) -> Markup:
    chosen = np.sort(np.random.default_rng(0).permutation(len(shown.images))[:SHOWN])
    answers = shown.answers
    captions = [f"{answers[i]}\n{shown.probabilities[i].max():.0%} sure" for i in chosen]
    return _sheet(shown, chosen, [f"image {shown.images.names[i]}, named {answers[i]}" for i in chosen], captions)


def _sheet(shown: Prediction, chosen: npt.ArrayLike, alts: list[str], captions: list[str]) -> Markup:
    made = pictures(shown.images.select(chosen), alts, shown.images.format)
    return gallery((([each], caption) for each, caption in zip(made, captions, strict=True)), kind="small words")
