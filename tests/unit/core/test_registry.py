from __future__ import annotations

import pytest

from latentia.core.errors import UserError
from latentia.core.registry import Registry
from latentia.parts import BOTTLENECKS, CORRUPTIONS

PART = '''"""A part (Somebody 1999)."""
import dataclasses
from latentia.core.spec import Part

@dataclasses.dataclass(frozen=True)
class TwoWords(Part):
    """Does nothing."""

    kind = "toy"
    size: int = 3
    fast: bool = True
'''


@pytest.fixture
def toys(tmp_path, monkeypatch, request):
    package = f"toys_{abs(hash(request.node.name))}"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "two_words.py").write_text(PART)
    (folder / "_shared.py").write_text("raise RuntimeError('not a part')")
    monkeypatch.syspath_prepend(tmp_path)
    return Registry("toy", package), folder


def test_a_file_is_a_part(toys):
    registry, _ = toys
    assert registry.names() == ("two-words",)
    assert str(registry.make("two-words:size=5")) == "two-words:size=5"
    assert registry.make("two-words", size=4).size == 4
    assert registry.make({"name": "two-words", "fast": False}).fast is False


def test_described_without_being_imported(toys):
    registry, folder = toys
    (folder / "two_words.py").write_text(PART.replace("import dataclasses", "import dataclasses, no_such_module"))
    description = registry.describe("two-words")
    assert description.summary == "A part (Somebody 1999)."
    assert description.fields == (("size", "int", "3"), ("fast", "bool", "True"))


def test_two_parts_in_a_file_are_refused(toys):
    registry, folder = toys
    (folder / "pair.py").write_text(PART + PART.split('"""', 2)[2].replace("TwoWords", "Other"))
    with pytest.raises(TypeError, match="must hold exactly one public part, but it holds 2"):
        Registry("toy", registry.package).get("pair")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: CORRUPTIONS.make("maks"),
            r"there is no corruption called 'maks'; did you mean 'mask'\? \(known: blocks,",
        ),
        (lambda: CORRUPTIONS.make("mask:q=1"), r"mask has no option 'q'.* \(its options: p, share\)"),
        (lambda: CORRUPTIONS.make("mask:p=2"), r"mask.p is 2.0, but it must be between 0 and 1"),
        (lambda: CORRUPTIONS.describe("fog"), r"there is no corruption called 'fog'"),
        (
            lambda: CORRUPTIONS.make(BOTTLENECKS.make("gaussian")),
            r"'gaussian' is a bottleneck, where a corruption is needed",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_a_part_is_taken_with_other_fields():
    mask = CORRUPTIONS.make("mask:p=0.3")
    assert CORRUPTIONS.make(mask) == mask
    assert CORRUPTIONS.make(mask, share=True).fields() == {"p": 0.3, "share": True}
