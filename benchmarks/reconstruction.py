"""The README's table: reconstruction error on MNIST's test split with default settings, beside mean image and PCA.

    LATENTIA_DATA=... python benchmarks/reconstruction.py [--seeds 0 1 2] [--families conv residual]

Writes ``benchmarks/results/reconstruction.json`` after every run, so that it can be interrupted, and rewrites the table
in the README. The test split is touched once a run, after training; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULT = HERE / "results" / "reconstruction.json"
README = HERE.parent / "README.md"


def latentia(*words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "latentia", *words], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def measure(family: str, seed: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as runs:
        started = time.time()
        words = ["train", "mnist", "--encoder", family, "--seed", str(seed), "--runs", runs]
        folder = latentia(*words).splitlines()[-1]
        seconds = time.time() - started
        history = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
        found = json.loads(latentia("evaluate", folder, "--json"))
    return {
        "family": family,
        "seed": seed,
        "command": "latentia " + " ".join(words[:-2]),
        "seconds_from_process_start": round(seconds, 1),
        "validation_mse_after_one_epoch": history[0]["validation"]["mse"],
        "validation_mse": history[-1]["validation"]["mse"],
        "test_mse": found["reconstruction_mse"],
        "baselines": found["baselines"],
        "images_per_second": [record["images_per_second"] for record in history],
    }


def table(rows: list[dict[str, object]]) -> str:
    lines = ["| | test MSE | training time |", "|---|---|---|"]
    for name, error in rows[0]["baselines"].items():  # type: ignore[attr-defined]
        lines.append(f"| {name} | {error:.4f} | |")
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        errors = [float(row["test_mse"]) for row in own]  # type: ignore[arg-type]
        times = [float(row["seconds_from_process_start"]) / 60 for row in own]  # type: ignore[arg-type]
        spread = f" ± {statistics.stdev(errors):.5f} ({len(errors)} seeds)" if len(errors) > 1 else " (one seed)"
        words = "" if family == "conv" else f" --encoder {family}"
        lines.append(
            f"| `latentia train mnist{words}` | {statistics.mean(errors):.5f}{spread} | {statistics.median(times):.1f} min |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--families", nargs="+", default=["conv", "residual"])
    arguments = parser.parse_args()
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    for seed in arguments.seeds:
        for family in arguments.families:
            if any(row["family"] == family and row["seed"] == seed for row in rows):
                continue
            rows.append(measure(family, seed))
            machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
            RESULT.parent.mkdir(exist_ok=True)
            RESULT.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    rows.sort(key=lambda row: (row["family"], row["seed"]))
    text = README.read_text(encoding="utf-8")
    text = re.sub(
        r"(<!-- figures:.*?-->\n).*?(\n<!-- end of figures -->)", rf"\g<1>{table(rows)}\g<2>", text, flags=re.S
    )
    README.write_text(text, encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
