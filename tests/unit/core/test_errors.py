from __future__ import annotations

import pytest

from latentia.core.errors import DownloadError, Interrupted, LatentiaError, StorageError, UserError, nearest, unknown


def test_exit_codes():
    assert UserError("x").exit_code == 2
    assert DownloadError("x").exit_code == StorageError("x").exit_code == 1
    assert Interrupted("x", 15).exit_code == 143
    assert issubclass(UserError, ValueError) and issubclass(StorageError, OSError)
    assert issubclass(UserError, LatentiaError)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ves", "there is no preset called 'ves'; did you mean 'vae'? (known: cae, vae)"),
        ("VAE", "there is no preset called 'VAE'; did you mean 'vae'? (known: cae, vae)"),
        ("zzzz", "there is no preset called 'zzzz' (known: cae, vae)"),
    ],
)
def test_unknown_suggests_the_nearest(name, message):
    assert str(unknown("preset", name, ["vae", "cae"])) == message


def test_nearest_is_empty_where_nothing_is_near():
    assert nearest("qqq", ["vae"]) == ""
