from __future__ import annotations

import errno
import json
import stat

import pytest

from latentia.core.atomic import remove_leftovers, storage_errors, write_atomically, write_bytes, write_json
from latentia.core.errors import StorageError


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": "é"})
    write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_a_failure_leaves_what_stood_there(tmp_path):
    path = tmp_path / "x"
    write_bytes(path, b"old")

    def fail(temporary):
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"could not write .*x: the disk is full: free some space there; what stood"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "the place may not be written to: choose another one"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_reasons(tmp_path, number, reason):
    with pytest.raises(StorageError, match=reason), storage_errors(tmp_path):
        raise OSError(number, "Input/output error")


def test_leftovers_are_removed(tmp_path):
    (tmp_path / "model.safetensors.tmp-abc").touch()
    (tmp_path / "model.safetensors").touch()
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
