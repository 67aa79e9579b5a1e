"""How to make it again: command, versions, seeds and the fingerprint of the data."""

from __future__ import annotations

import shlex
from typing import Any

from latentia.report.page.html import Text, code, details, facts, joined, paragraph, table, text_of
from latentia.report.page.section import Section
from latentia.studies.folder import flat
from latentia.training.replay import replay_command

PLACE, KINDS = 100, ("autoencoder", "classifier", "crossvalidation", "selection", "comparison", "fold-comparison")


def section(material: Any) -> Section:
    """Return the commands and what they depend on."""
    described: dict[str, Any] = material.description
    parts: list[Text] = []
    if described.get("command"):
        parts += [paragraph("It was made by"), code(_command(described["command"]), "the command it was made by")]
    again = replay_command(described)
    if again is not None:
        parts += [
            paragraph("With all settings written out, so that later defaults do not matter, the same is"),
            code(again, "the command with all settings"),
        ]
    parts.append(facts(_facts(described)))
    settings = {
        key: described[key]
        for key in ("settings", "finetuning", "head", "study", "objective", "architecture")
        if key in described
    }
    if settings:
        rows = [[key, text_of(value)] for key, value in flat(settings).items()]
        parts.append(details("All settings", table(["setting", "value"], rows, "all settings", "wide")))
    lead = (
        "With the same machine and versions the weights are the same to the bit; elsewhere they agree within rounding."
    )
    return Section("How to reproduce it", joined(parts), lead=lead)


def _command(words: list[str]) -> str:
    first = ["python", "-m", "latentia"] if words[0] == "__main__.py" else words[:1]
    return shlex.join(map(str, [*first, *words[1:]]))


def _facts(described: dict[str, Any]) -> list[tuple[str, Text]]:
    settings = described.get("settings") or (described.get("study") or {}).get("settings") or {}
    data = described.get("data") or {}
    found: list[tuple[str, Text]] = [
        ("versions", ", ".join(f"{name} {version}" for name, version in (described.get("versions") or {}).items()))
    ]
    seeds = {"training": settings.get("seed"), "splits": data.get("split_seed")}
    if any(seed is not None for seed in seeds.values()):
        found.append(("seeds", ", ".join(f"{name} {seed}" for name, seed in seeds.items() if seed is not None)))
    for part, name in (("train", "training"), ("validation", "validation"), ("calibration", "calibration")):
        if data.get(part):
            found.append((f"fingerprint, {name} images", data[part]["fingerprint"]))
    if (described.get("study") or {}).get("data"):
        found += [
            ("fingerprint of the images", described["study"]["data"]),
            ("fingerprint of the folds", described["study"]["splits"]),
        ]
    machine = described.get("machine") or {}
    if machine:
        named = f"{machine.get('system')} {machine.get('processor')}, {machine.get('cpus')} CPUs"
        found.append(("machine", f"{named}; {described.get('device', 'cpu')}"))
    if described.get("created"):
        found.append(("begun", str(described["created"])))
    return found
