"""The guide's example is written to a file as the guide says, and must then pass the battery."""

from __future__ import annotations

import re
from pathlib import Path

import battery
import pytest
import torch

from latentia.core.registry import Registry

GUIDE = Path(__file__).parents[2] / "docs" / "how-to-add-a-part.md"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide") / "guide_corruptions"
    folder.mkdir()
    text = GUIDE.read_text(encoding="utf-8")
    [snippet] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [place] = re.findall(r"`src/latentia/parts/corruptions/(\w+\.py)`", text)
    (folder / "__init__.py").touch()
    (folder / place).write_text(snippet, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        yield Registry("corruption", folder.name)


def test_the_file_is_the_part(registry):
    assert registry.names() == ("dead-columns",)
    battery.check_spec(registry, "dead-columns")


@pytest.mark.parametrize("shape", battery.SHAPES)
def test_the_part_keeps_the_contract(registry, shape):
    battery.check_corruption(registry.make("dead-columns:p=0.3"), shape)
    battery.check_terms(battery.hosted(registry.make("dead-columns")), shape)


def test_the_part_does_what_the_guide_says(registry):
    pixels = 0.5 + 0.5 * battery.images((2, 9, 7), 50)
    corrupted, dead = registry.make("dead-columns:p=0.4")(pixels, battery.noise(50))
    assert torch.equal(corrupted == 0, dead)
    assert torch.equal(dead, dead[:, :1, :1].expand_as(dead))
    assert float(dead.float().mean()) == pytest.approx(0.4, abs=0.1)


def test_every_kind_and_file_that_the_guide_names_exists():
    text = GUIDE.read_text(encoding="utf-8")
    root = GUIDE.parents[1]
    for folder in re.findall(r"`(src/latentia/parts/\w+/)`", text):
        assert (root / folder).is_dir(), folder
    for path in ("src/latentia/parts/base.py", "src/latentia/presets.py", "tests/unit/parts"):
        assert path in text
        assert (root / path).exists()
