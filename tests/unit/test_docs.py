"""Every Python snippet of README, tutorial and guides runs, in order, in a folder of its own; every command in them exists."""

from __future__ import annotations

import re
import runpy
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", DOCS / "tutorial.md", *sorted((DOCS / "guides").glob("*.md"))]


def snippets(page: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S))


@pytest.fixture
def little_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``mnist`` be scikit-learn's digits, 1,500 and 297, brought to MNIST's size, in MNIST's own files."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.pad((digits.images * 255 / 16).astype(np.uint8).repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2)))
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for part, chosen in (("train", slice(0, 1500)), ("t10k", slice(1500, 1797))):
        for kind, values in (("images-idx3", pixels[chosen]), ("labels-idx1", digits.target[chosen].astype(np.uint8))):
            head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(head + values.tobytes())
    monkeypatch.setenv("LATENTIA_DATA", str(tmp_path / "data"))


@pytest.mark.usefixtures("little_mnist")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = snippets(page)
    if not code:
        pytest.skip("no Python in it")
    monkeypatch.chdir(tmp_path)
    if page.stem == "tutorial":
        code = re.sub(r"epochs=\d+", "epochs=2", code)  # it trains for minutes, and is no less right after seconds
    exec(compile(code, str(page), "exec"), {"__name__": "__snippet__"})


def test_the_walk_through_can_be_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Its commands, with few tiles and one epoch, in one folder; what needs no shell runs in this process."""
    pytest.importorskip("skimage", reason="scikit-image is not installed: pip install 'latentia[classical]'")
    from latentia.cli.main import cli

    monkeypatch.chdir(tmp_path)
    page = (DOCS / "guides" / "photographs.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (.*)$", page, flags=re.M)
    assert len(commands) > 10
    for command in commands:
        first, *words = re.sub(r"--epochs \d+", "--epochs 1", command).split()
        if first == "latentia":
            cli.main(words, prog_name="latentia", standalone_mode=False)
        elif first == "python":
            monkeypatch.setattr(sys, "argv", [*words, *(["--tiles", "240"] if words[1].endswith("/") else [])])
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")
    assert "tiles have the right name" in capsys.readouterr().out
    for name in re.findall(r"!\[.*\]\(.*/photographs/(.*\.png)\)", page):
        assert len(list(tmp_path.rglob(name))) == 1, name


def test_a_page_is_filled_with_what_its_code_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    from run_page import fill

    page = "```python\nx = 2\nprint(x)\n```\n\n```text\n{}```\n\n```python\nx += 1\n```\n\n```console\n$ echo a # b\n{}```\n"
    assert fill(page.format("old\n", "old\nolder\n"), {}) == page.format("2\n", "a\n")


def test_every_page_is_in_the_table_of_contents() -> None:
    entries = re.findall(r"^[a-z-]+(?:/[a-z*-]+)?$", (DOCS / "index.md").read_text(encoding="utf-8"), flags=re.M)
    listed = {path for entry in entries for path in DOCS.glob(f"{entry}.md")}
    assert listed == {*DOCS.rglob("*.md")} - {DOCS / "index.md"} - {*(DOCS / "_build").rglob("*")}


def test_the_reference_names_everything_public() -> None:
    import latentia
    from latentia import api, estimators

    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r":: latentia[.\w]*\.(\w+)$", text, flags=re.M))
    assert {*latentia.__all__, *api.__all__, *estimators.__all__} - {"__version__"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_and_options_exist(page: Path) -> None:
    from latentia.cli.main import cli

    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"^(?:    |\$ )?latentia ([a-z][^#\n]*)", text, flags=re.M):
        words = line.split()
        command = cli.get_command(None, words[0])  # type: ignore[arg-type]
        assert command is not None, line
        kinds = getattr(command, "kinds", ())
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words[1:]:
            if word.startswith("-"):
                name = word.split("=")[0]
                assert name in known or name.removeprefix("--").split(".")[0] in kinds, f"{name} in: {line}"


@pytest.mark.parametrize("page", sorted({*PAGES, *DOCS.glob("*.md")}), ids=lambda page: page.stem)
def test_what_pages_link_to_exists(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
