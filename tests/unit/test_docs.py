"""Every Python snippet of README and guides runs, in order, in a folder of its own; every command in them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


def snippets(page: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = snippets(page)
    if not code:
        pytest.skip("no Python in it")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {"__name__": "__snippet__"})


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


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.stem)
def test_what_pages_link_to_exists(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
