"""Write the README's table of speed from what ``benchmarks/`` measured: ``python benchmarks/table.py [--check]``.

Rows that were not measured are left out; with ``--check`` nothing is written, and the exit code tells whether the README is what
the results say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- speed: make bench -->", "<!-- end of speed -->"


def read(name: str) -> dict[str, Any]:
    path = HERE / "results" / name
    return json.loads(path.read_text()) if path.exists() else {}


def rows(bench: dict[str, Any], gpu: dict[str, Any], folds: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return what is compared, ours, the other's, and the ratio with its range."""
    found = []
    for part, title, own, other, unit in (
        ("script", "the usual script's own network, training", "latentia", "usual_script", "images/s"),
        (
            "target",
            "time to a validation MSE of .0090 from 16 numbers; other: not there yet",
            "latentia",
            "usual_script",
            "s",
        ),
        ("pythae", "pythae's MNIST network, training; other: pythae", "latentia", "pythae", "images/s"),
        ("epoch", "an epoch; other: one batch that stays in memory", "epoch", "resident", "images/s"),
        ("folder", "a folder of small files, all cores; other: one core", "all_cores", "one_core", "images/s"),
    ):
        if part in bench:
            found.append(
                (title, value(bench[part][own], unit), value(bench[part][other], unit), ratio(bench[part]["ratio"]))
            )
    if "embed" in bench:
        entry = bench["embed"]
        low, high = entry["ratio_range"]
        found.append(
            (
                "codes to a file; other: the bare forward pass",
                f"{entry['embed_images_per_second']:,} images/s",
                f"{entry['bare_images_per_second']:,} images/s",
                f"{entry['ratio_median']:.2f} ({low:.2f} to {high:.2f})",
            )
        )
    if folds:
        settings, turns = folds["settings"], folds["rounds"]
        own, other = (turns[0][way]["seconds"] for way in ("side by side", "one after the other"))
        text = f"{settings['folds']} folds, {settings['epochs']} epochs of {settings['images']:,} images; other: one by one"
        found.append((text, f"{own:.0f} s", f"{other:.0f} s", f"{folds['ratios']['seconds'][0]:.2f}"))
    for row in gpu.get("rows", []):
        if (row["preset"], row["batch_size"], row["precision"], row["options"]) == ("cae", 128, "bfloat16", {}):
            if row["recorded"]:
                quick = row["images_per_second"]
            else:
                plain = row["images_per_second"]
    if gpu:
        name = gpu["device"].partition("(")[2].rstrip(")")
        found.append(
            (
                f"`cae` on one {name}, its step a CUDA graph; other: step by step",
                f"{quick:,} images/s",
                f"{plain:,} images/s",
                f"{quick / plain:.1f}",
            )
        )
    return found


def value(entry: dict[str, Any], unit: str) -> str:
    entry = entry.get("images_per_second", entry)
    return (
        f"{entry['median']:,.0f} {unit}" if entry["median"] >= 100 or unit != "s" else f"{entry['median']:.1f} {unit}"
    )


def ratio(entry: dict[str, float]) -> str:
    lone = entry["low"] == entry["high"]  # of a single turn
    return f"{entry['median']:.2f}" + ("" if lone else f" ({entry['low']:.2f} to {entry['high']:.2f})")


def main(*, check: bool) -> int:
    bench = read("bench.json")
    lines = ["| | ours | other | ratio |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(bench, read("gpu.json"), read("crossvalidation.json"))]
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n".join([before + BEGIN, *lines, END + after])
    if check:
        return int(made != text)
    README.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
