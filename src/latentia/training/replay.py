"""The command that makes a run again with every setting written out, so that later defaults do not change it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

ARCHITECTURE = ("encoder", "bottleneck", "decoder", "likelihood", "prior")
OBJECTIVE = ("corruption", "bound")


def replay_command(described: Mapping[str, Any]) -> str | None:
    """Return ``latentia train …`` for what ``run.json`` says, one option a line.

    ``None`` where no command line can: images that were in memory, or a run of another kind.
    """
    data = described.get("data") or {}
    if described.get("kind", "autoencoder") != "autoencoder" or not data.get("location"):
        return None
    options = [("--preset", described["preset"])]
    options += [(f"--{kind}", part_text(described["architecture"][kind])) for kind in ARCHITECTURE]
    objective = described["objective"]
    options += [(f"--{kind}", part_text(objective[kind])) for kind in OBJECTIVE]
    options.append(("--penalty", "+".join(map(part_text, objective["penalties"])) or "none"))
    options += [("--weight", f"{name}={weight}") for name, weight in objective["weights"].items()]
    options.append(("--target", objective["target"]))
    settings = {name: value for name, value in described["settings"].items() if value is not False}
    settings.pop("shard", None)  # one process has all of a model, and comes to the same
    options += [
        ("--" + name.replace("_", "-"), "" if value is True else str(value)) for name, value in settings.items()
    ]
    options += [
        ("--" + name.replace("_", "-"), _plain(name, value)) for name, value in (data.get("options") or {}).items()
    ]
    options.append(("--split-seed", str(data["split_seed"])))
    if share := (data.get("calibration") or {}).get("share"):
        options.append(("--calibration", str(share)))
    if "from" in (described.get("origin") or {}):
        options.append(("--from", str(described["origin"]["from"])))
    lines = [
        f"latentia train {shlex.quote(data['location'])}",
        *(f"{name} {shlex.quote(text)}" if text else name for name, text in options),
    ]
    return " \\\n    ".join(lines)


def part_text(values: Mapping[str, Any]) -> str:
    """Return a part's JSON as ``name:field=value,…`` with all of its fields."""
    fields = ",".join(f"{key}={_field(value)}" for key, value in values.items() if key != "name")
    return values["name"] + (f":{fields}" if fields else "")


def _field(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "(" + ",".join(map(str, value)) + ")"
    if isinstance(value, str) and "," in value:
        return f"({value})"  # brackets keep its commas from being read as the next field
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _plain(name: str, value: Any) -> str:
    return "x".join(map(str, value)) if name == "size" else str(value)
