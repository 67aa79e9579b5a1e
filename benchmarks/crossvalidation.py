"""k folds side by side against the same trainings one after the other: time and memory.

    LATENTIA_DATA=... python benchmarks/crossvalidation.py [--images 60000] [--epochs 3] [--folds 5] [--rounds 3]

Each round runs two commands as processes of their own, in turn (the order changes from round to round), on the same folds:

    side by side         latentia crossval IMAGES --jobs 2     (one thread a fold; the fifth, alone, has both)
    one after the other  latentia crossval IMAGES --jobs 1 --threads-per-fold 2

Time is wall-clock from process start to end, with duplicates searched, folds judged and no final model. Memory is the
largest sum, over the command's process tree, of the proportional set size (/proc/PID/smaps_rollup: a page that n
processes share counts 1/n in each), looked at every two seconds: ten times a second took a sixth of a core. Writes
``benchmarks/results/crossvalidation.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "crossvalidation.json"
LOOK = 2.0  # seconds between two looks at the memory
WAYS = {
    "side by side": ["--jobs", "2"],
    "one after the other": ["--jobs", "1", "--threads-per-fold", "2"],
}


def tree(root: int) -> list[int]:
    """Return ``root`` and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def proportional(process: int) -> int:
    """Return the proportional set size of a process in KiB; 0 where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def measure(words: list[str]) -> dict[str, float]:
    """Run a command to its end; return its seconds and the largest memory of its process tree in MiB."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    started, largest = time.monotonic(), 0
    with subprocess.Popen(
        [sys.executable, "-m", "latentia", *words], stdout=subprocess.DEVNULL, env=environment
    ) as process:
        while process.poll() is None:
            largest = max(largest, sum(map(proportional, tree(process.pid))))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
    if process.returncode:
        raise SystemExit(f"latentia {' '.join(words)} ended with {process.returncode}")
    return {"seconds": round(time.monotonic() - started, 2), "mebibytes": round(largest / 1024, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist", help="a data set; its training and validation images are used")
    parser.add_argument("--preset", default="cae")
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    given = parser.parse_args()

    import numpy as np

    from latentia.studies.pool import gather_pool

    images = gather_pool(given.data)  # training and validation images
    chosen = np.asarray(images.pixels[: given.images])
    count, rounds = len(chosen), []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images.npy"
        np.save(file, chosen)
        del images, chosen
        for number in range(given.rounds):
            found = {}
            for way in list(WAYS) if number % 2 == 0 else list(WAYS)[::-1]:
                with tempfile.TemporaryDirectory(dir=folder) as runs:
                    words = ["crossval", str(file), "--preset", given.preset, "--split", "all"]
                    words += ["--folds", str(given.folds), "--epochs", str(given.epochs), *WAYS[way]]
                    found[way] = measure([*words, "--no-final", "--no-figures", "--quiet", "--runs", runs])
                print(f"round {number + 1}, {way}: {found[way]}", file=sys.stderr, flush=True)
            rounds.append(found)
    ratios = {
        what: [found["side by side"][what] / found["one after the other"][what] for found in rounds]
        for what in ("seconds", "mebibytes")
    }
    settings = {
        "data": given.data,
        "images": count,
        "preset": given.preset,
        "epochs": given.epochs,
        "folds": given.folds,
    }
    machine = {
        "processor": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(
        json.dumps({"settings": settings, "machine": machine, "rounds": rounds, "ratios": ratios}, indent=2) + "\n"
    )
    print(f"{given.folds} folds of {given.preset} on {count:,} images of {given.data}, {given.epochs} epochs each")
    print(f"  {'':<22}{'seconds (median)':>18}{'MiB (median)':>14}")
    for way in WAYS:
        values = [statistics.median(found[way][what] for found in rounds) for what in ("seconds", "mebibytes")]
        print(f"  {way:<22}{values[0]:>18.1f}{values[1]:>14.0f}")
    low, high = min(ratios["seconds"]), max(ratios["seconds"])
    print(
        f"  time {statistics.median(ratios['seconds']):.2f} x ({low:.2f} to {high:.2f} over {given.rounds} rounds), "
        f"memory {statistics.median(ratios['mebibytes']):.2f} x"
    )


if __name__ == "__main__":
    main()
