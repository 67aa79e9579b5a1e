"""Arrays in files: the answers of ``numpy.load``, from any number of threads."""

from __future__ import annotations

import ast
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from latentia.core.npy import load_npy

ARRAYS = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(1, 4, 6),
    "floats": np.linspace(0, 1, 7, dtype=np.float32),
    "big-endian": np.arange(5, dtype=">i4"),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "none": np.zeros((0, 28, 28), dtype=np.uint8),
    "scalar": np.array(2.5),
    "booleans": np.array([True, False]),
    "structured": np.array([(1, 2.5), (3, 4.5)], dtype=[("id", "<i8"), ("score", "<f4")]),
    "nested": np.zeros(2, dtype=[("place", [("x", "<f4"), ("y", "<f4")])]),
    "subarrays": np.zeros(3, dtype=[("pixels", "u1", (2, 2))]),
    "text": np.array(["one", "three"]),
}


def written(values: npt.NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("how", ["file", "mapped", "bytes"])
def test_it_reads_what_numpy_wrote(name: str, how: str, tmp_path: Path) -> None:
    values = ARRAYS[name]
    np.save(tmp_path / "a.npy", values)
    found = load_npy(written(values) if how == "bytes" else tmp_path / "a.npy", mapped=how == "mapped")
    assert found.dtype == values.dtype and found.shape == values.shape
    assert np.array_equal(found, values)
    assert isinstance(found, np.memmap) == (how == "mapped" and values.size > 0) or name in ("nested", "subarrays")


def test_what_is_no_whole_array_is_refused(tmp_path: Path) -> None:
    whole = written(np.arange(100))
    for content in (b"", b"words", whole[:9], whole[:90], whole[:-1], written(np.array([{}], dtype=object))):
        (tmp_path / "a.npy").write_bytes(content)
        for source, mapped in ((content, False), (tmp_path / "a.npy", False), (tmp_path / "a.npy", True)):
            with pytest.raises(ValueError, match=r".+"):
                load_npy(source, mapped)
    with pytest.raises(FileNotFoundError):
        load_npy(tmp_path / "nowhere.npy")


def test_threads_build_no_syntax_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*what: Any, **how: Any) -> None:
        raise AssertionError("a tree was built")

    structured = ARRAYS["structured"]
    np.save(tmp_path / "a.npy", structured)
    monkeypatch.setattr(ast, "parse", never)
    monkeypatch.setattr(ast, "literal_eval", never)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda mapped: load_npy(tmp_path / "a.npy", mapped), [True, False] * 20):
            assert np.array_equal(found, structured)
