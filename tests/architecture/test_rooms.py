"""The rooms: who may import whom, and what must not be imported early."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import latentia

ROOT = Path(latentia.__file__).parent
# Each room may import those before it, and itself; data and parts stand side by side.
ORDER = [
    {"core"},
    {"data", "parts"},
    {"model"},
    {"classifier", "finetuning"},
    {"objective", "supervised"},
    {"presets"},
    {"training"},
    {"tasks"},
    {"studies"},
    {"report"},
    {"examined"},
    {"beside"},
    {"runs"},
    {"api"},
    {"estimators", "app", "cli"},
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
FENCED = {"matplotlib": {"report"}, "sklearn": {"estimators", "tasks", "data", "studies"}, "click": {"cli"}}
PART_KINDS = {path.name for path in (ROOT / "parts").iterdir() if path.is_dir() and path.name[0] != "_"}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported module of a file, and whether it is imported for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in typing_only
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or "", id(node) in typing_only
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in typing_only


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = [path for path in sorted(ROOT.rglob("*.py")) if room_of(path) in RANK]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    for module, typing_only in imports(path):
        pieces = module.split(".")
        if pieces[0] == "latentia" and len(pieces) > 1 and pieces[1] in RANK and not typing_only:
            other = pieces[1]
            side_by_side = RANK[other] == RANK[room] and other != room and room in ("app", "cli", "estimators")
            assert RANK[other] < RANK[room] or other == room or side_by_side, f"{room} must not import {module}"
            if room == "parts" and other == "parts" and len(pieces) > 2 and pieces[2] in PART_KINDS:
                kind = path.relative_to(ROOT).parts[1]
                assert kind == pieces[2] or kind not in PART_KINDS, f"{path.name} imports a sibling kind: {module}"
        assert module != "matplotlib.pyplot", "figures are objects; pyplot keeps a global state"
        if pieces[0] in FENCED and not typing_only:
            assert room in FENCED[pieces[0]], f"{room} must not import {pieces[0]}"


def test_every_room_is_known() -> None:
    rooms = {room_of(path) for path in ROOT.rglob("*.py")} - {"__init__", "__main__"}
    assert rooms <= set(RANK)


@pytest.mark.parametrize("statement", ["import latentia", "from latentia.cli.main import cli", "latentia --help"])
def test_nothing_heavy_is_imported_early(statement: str) -> None:
    code = (
        "import sys\n"
        + (
            "from click.testing import CliRunner\nfrom latentia.cli.main import cli\n"
            "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
            "assert CliRunner().invoke(cli, ['train', '--help']).exit_code == 0\n"
            if statement.endswith("--help")
            else statement + "\n"
        )
        + "print([name for name in ('torch', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_surface_is_what_it_was() -> None:
    expected = [
        "AutoencoderClassifier",
        "AutoencoderClusterer",
        "AutoencoderDetector",
        "ConvAutoencoder",
        "DenoisingAutoencoder",
        "ImageSet",
        "Run",
        "VariationalAutoencoder",
        "__version__",
        "compare",
        "crossvalidate",
    ]
    expected += ["finetune", "load", "open_run", "select", "train"]
    assert sorted(latentia.__all__) == expected
    for name in expected:
        assert getattr(latentia, name) is not None


def test_no_pickle_is_read_or_written() -> None:
    for path in FILES:
        found = {module.split(".")[0] for module, _ in imports(path)}
        assert not found & {"pickle", "cloudpickle", "dill", "shelve"}, path
        text = path.read_text(encoding="utf-8")
        assert "torch.save" not in text and "torch.load" not in text, path
        assert "allow_pickle=True" not in text, path
