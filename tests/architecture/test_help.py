"""The help of the whole: every command once, under a heading, its first sentence whole."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

import latentia
from latentia.cli.main import SECTIONS, cli


def test_every_command_stands_once_under_a_heading() -> None:
    files = (Path(latentia.__file__).parent / "cli" / "commands").glob("[!_]*.py")
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(
        file.stem.replace("_", "-") for file in files
    )
    text = CliRunner().invoke(cli, ["--help"]).output
    for title, names in SECTIONS.items():
        assert f"\n{title}:\n" in text
        assert all(f"\n  {name} " in text for name in names)
    assert "\nMore:\n" not in text
    assert "..." not in text.partition("Options:")[2], "first sentences are whole"
