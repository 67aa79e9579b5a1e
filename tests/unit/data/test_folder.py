from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import latentia.data.helpers as helpers
from latentia import load
from latentia.core.errors import StorageError, UserError
from latentia.data.decode import decode
from latentia.data.looking import look, stamp
from latentia.data.restore import restore, save_images
from latentia.data.sources.folder import _natural

RANDOM = np.random.default_rng(0)


def picture(mode: str, height: int = 12, width: int = 10) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(RANDOM.integers(0, 65536, (height, width), dtype=np.uint16))
    if mode == "F":
        return Image.fromarray(RANDOM.random((height, width)).astype(np.float32))
    channels = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "P": 3, "RGBA": 4}[mode]
    array = RANDOM.integers(0, 256, (height, width, channels), dtype=np.uint8)
    image = Image.fromarray(array[..., 0] if channels == 1 else array, {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels])
    return image.convert(mode) if mode in ("1", "P") else image


@pytest.mark.parametrize(
    ("mode", "suffix", "channels", "dtype"),
    [
        ("L", ".png", 1, "uint8"),
        ("1", ".png", 1, "uint8"),
        ("LA", ".png", 2, "uint8"),
        ("RGB", ".png", 3, "uint8"),
        ("RGB", ".bmp", 3, "uint8"),
        ("P", ".png", 3, "uint8"),
        ("RGBA", ".png", 4, "uint8"),
        ("I;16", ".tif", 1, "uint16"),
        ("I;16", ".png", 1, "uint16"),
        ("F", ".tiff", 1, "float32"),
    ],
)
def test_what_goes_in_comes_out(tmp_path: Path, mode: str, suffix: str, channels: int, dtype: str) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        picture(mode).save(tmp_path / "in" / f"{number}{suffix}")
    images = load(tmp_path / "in")
    assert images.pixels.shape == (3, channels, 12, 10)
    assert str(images.pixels.dtype) == dtype
    for index, path in enumerate(save_images(images, tmp_path / "out")):
        assert path.name == f"{index}{suffix}"
        with Image.open(path) as back, Image.open(tmp_path / "in" / path.name) as before:
            assert back.size == before.size
            assert mode == "P" or back.mode == before.mode
            both = [np.asarray(image.convert("RGB") if mode == "P" else image) for image in (before, back)]
            assert (both[0] == both[1]).all()


@pytest.mark.parametrize("policy", ["resize", "pad", "crop"])
def test_mixed_sizes_come_back_at_their_own(tmp_path: Path, policy: str) -> None:
    sizes = [(12, 10), (20, 16), (9, 30)]
    for number, size in enumerate(sizes):
        picture("RGB", *size).save(tmp_path / f"{number}.png")
    images = load(tmp_path, policy=policy)
    assert len({image.shape for image in images}) == 1
    assert any("3 different sizes" in note for note in images.notes)
    for index, (height, width) in enumerate(sizes):
        back = restore(images, index)
        assert back.size == (width, height)
        if policy != "resize":
            with Image.open(tmp_path / f"{index}.png") as before:
                assert (np.asarray(back) == np.asarray(before)).all()


def test_a_size_can_be_asked_for(tmp_path: Path) -> None:
    picture("L", 12, 10).save(tmp_path / "a.png")
    picture("L", 12, 10).save(tmp_path / "b.png")
    images = load(tmp_path, size=(6, 5))
    assert images.pixels.shape == (2, 1, 6, 5)
    assert restore(images, 0).size == (10, 12)


def test_mixed_modes_take_the_smallest_that_holds_all(tmp_path: Path) -> None:
    for number, mode in enumerate(("L", "RGB", "RGBA")):
        picture(mode).save(tmp_path / f"{number}.png")
    images = load(tmp_path)
    assert images.pixels.shape[1] == 4
    assert images.notes == ("the images are of different modes (1 L, 1 RGB and 1 RGBA) and are all read as RGBA",)
    assert [restore(images, index).mode for index in range(3)] == ["L", "RGB", "RGBA"]


def test_sub_folders_are_labels(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for number in range(2):
            picture("L").save(tmp_path / name / f"{number}.png")
    images = load(tmp_path)
    assert images.classes == ("cats", "dogs")
    assert images.labels is not None
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.names == ["cats/0.png", "cats/1.png", "dogs/0.png", "dogs/1.png"]


def test_train_and_test_folders_are_official_parts(tmp_path: Path) -> None:
    for part, count in (("train", 20), ("test", 3)):
        (tmp_path / part).mkdir()
        for number in range(count):
            picture("L").save(tmp_path / part / f"{number}.png")
    assert len(load(tmp_path, "test")) == 3
    assert len(load(tmp_path, "train")) == 18
    assert len(load(tmp_path, "validation")) == 2
    assert len(load(tmp_path)) == 23


def test_broken_files_are_named_skipped_and_counted(image_folder: Path) -> None:
    (image_folder / "text.png").write_text("no image")
    (image_folder / "empty.png").write_bytes(b"")
    whole = (image_folder / "image0.png").read_bytes()
    (image_folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (image_folder / ".hidden.png").write_text("not looked at")
    images = load(image_folder)
    assert len(images) == 12
    note = next(note for note in images.notes if "skipped" in note)
    assert note.startswith("3 of 15 files")
    for part in ("cut.png is truncated", "empty.png is empty", "text.png is no image"):
        assert part in note


def test_names_are_in_natural_order(image_folder: Path) -> None:
    assert load(image_folder).names == [f"image{number}.png" for number in range(12)]


def test_numbers_in_names_count_whatever_stands_around_them() -> None:
    wanted = [
        "1.png",
        "01a.png",
        "1².png",
        "2.png",
        "10.png",
        "A1b2.png",
        "a1b10.png",
        "a9/x.png",
        "a10/x.png",
        "a.png",
        "b.png",
    ]
    assert sorted(set(wanted), key=_natural) == wanted
    assert sorted(["7.png", "007.png", "\u0667.png"], key=_natural) == ["007.png", "7.png", "\u0667.png"]


def test_a_file_under_two_names_stays_in_one_split(image_folder: Path) -> None:
    for number in range(6):
        shutil.copy(image_folder / f"image{number}.png", image_folder / f"twin{number}.png")
    images = load(image_folder)
    assert any("6 files hold the same picture as another" in note for note in images.notes)
    parts = [load(image_folder, split) for split in ("train", "validation", "test")]
    seen = [set(part.groups.tolist()) for part in parts if part.groups is not None]
    assert sum(map(len, seen)) == 12


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: None, "is empty: it holds no files"),
        (lambda folder: (folder / "a.txt").write_text("x"), "holds no image, but one file: a.txt is no image"),
    ],
)
def test_a_folder_without_images_gets_a_sentence(tmp_path: Path, make: object, sentence: str) -> None:
    make(tmp_path)  # type: ignore[operator]
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert sentence in str(caught.value)


def test_one_image_loads_with_a_note(tmp_path: Path) -> None:
    picture("L").save(tmp_path / "only.png")
    images = load(tmp_path)
    assert len(images) == 1
    assert any("a single image" in note for note in images.notes)


def test_pixels_without_number_in_a_file_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32)).save(tmp_path / "nan.tiff")
    with pytest.raises(UserError, match=r"image 'nan.tiff' of .* holds NaN"):
        load(tmp_path)


def test_a_second_start_decodes_nothing(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(image_folder)

    def refuse(*args: object, **kwargs: object) -> None:
        assert not args[1], "nothing should be decoded again"

    monkeypatch.setattr("latentia.data.sources.folder.map_files", lambda f, jobs, **_: refuse(f, jobs) or [])
    second = load(image_folder)
    assert (first.pixels == second.pixels).all()
    assert isinstance(second.pixels, np.memmap)


@pytest.fixture
def opened_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are opened a second time, once they are."""
    names: list[str] = []

    def noted(path: str, *how: object) -> bytes:
        names.append(Path(path).name)
        return decode(path, *how).tobytes()  # type: ignore[arg-type]

    monkeypatch.setattr("latentia.data.sources.folder.decode_bytes", noted)
    return names


@pytest.mark.parametrize("kept", [True, False])
def test_a_file_is_opened_once_where_all_pixels_can_be_kept(
    image_folder: Path, opened_again: list[str], monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    count = len(list(image_folder.iterdir()))
    if not kept:
        monkeypatch.setattr("latentia.data.sources.folder.TOGETHER", count * 10 * 9 - 1)
    images = load(image_folder, policy="resize")
    assert len(opened_again) == (0 if kept else count)
    for index, name in enumerate(images.names):
        assert (images.pixels[index] == decode(str(image_folder / name), "L", None, "none")).all()


def test_only_files_that_are_to_change_are_opened_again(tmp_path: Path, opened_again: list[str]) -> None:
    for name, mode, height in (("a", "RGB", 8), ("b", "RGB", 8), ("grey", "L", 8), ("tall", "RGB", 16)):
        picture(mode, height, 8).save(tmp_path / f"{name}.png")
    turned = picture("RGB", 8, 8)
    exif = turned.getexif()
    exif[0x0112] = 6  # on its side
    turned.save(tmp_path / "turned.png", exif=exif)
    images = load(tmp_path, size=(8, 8))
    assert sorted(opened_again) == ["grey.png", "tall.png"]
    for index, name in enumerate(images.names):
        assert (images.pixels[index] == decode(str(tmp_path / name), "RGB", (8, 8), "resize")).all()
    assert (images.pixels[4] == np.rot90(np.asarray(turned), -1).transpose(2, 0, 1)).all()


def test_a_file_that_may_be_read_later_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        picture("L").save(tmp_path / f"{name}.png")
    with monkeypatch.context() as refused:
        refused.setattr("latentia.data.looking.stamp", refuse_b)
        images = load(tmp_path)
    assert len(images) == 1
    assert any("b.png may not be read" in note for note in images.notes)
    assert len(load(tmp_path)) == 2


def refuse_b(path: str) -> str:
    if path.endswith("b.png"):
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return stamp(path)


@pytest.mark.parametrize(
    ("mode", "channels", "found"),
    [("L", 3, 3), ("L", 4, 4), ("L", 2, 2), ("RGB", 4, 4), ("LA", 4, 4), ("RGB", 1, 3), ("RGBA", 3, 4), ("I;16", 3, 1)],
)
def test_images_get_more_channels_where_nothing_is_lost(tmp_path: Path, mode: str, channels: int, found: int) -> None:
    for number in range(2):
        picture(mode).save(tmp_path / f"{number}.png")
    own, wider = load(tmp_path), load(tmp_path, channels=channels)
    assert wider.pixels.shape[1] == found
    assert wider.pixels.dtype == own.pixels.dtype
    assert any("channels are wanted" in note for note in wider.notes) == (found != own.pixels.shape[1])
    colours = {1: 1, 2: 1, 3: 3, 4: 3}
    for given, kept in zip(own.pixels, wider.pixels, strict=True):
        before, after = given[: colours[len(given)]], kept[: colours[found]]
        assert (after == np.broadcast_to(before, after.shape)).all()
        if found in (2, 4):
            assert (kept[-1] == (given[-1] if len(given) in (2, 4) else 255)).all()
    for index, path in enumerate(save_images(wider, tmp_path / "out")):
        with Image.open(path) as back, Image.open(tmp_path / f"{index}.png") as before:
            assert back.mode == before.mode
            assert (np.asarray(back) == np.asarray(before)).all()


@pytest.mark.parametrize("broken", ["", "[]", "{}", "shorter", "elsewhere"])
def test_a_broken_list_of_headers_is_made_anew(image_folder: Path, broken: str) -> None:
    first = load(image_folder)
    (index,) = (Path(os.environ["LATENTIA_CACHE"]) / "headers").iterdir()
    whole = json.loads(index.read_text())
    if broken == "shorter":
        index.write_text(json.dumps({**whole, "stamps": whole["stamps"][:-1]}))
    elif broken == "elsewhere":
        index.write_text(json.dumps({**whole, "kind": [7] * len(whole["kind"])}))
    else:
        index.write_text(broken)
    again = load(image_folder)
    assert (again.pixels == first.pixels).all()
    assert again.names == first.names
    assert json.loads(index.read_text()) == whole


def test_only_a_new_file_is_looked_at(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(image_folder)
    (image_folder / "image0.png").unlink()
    picture("L", 10, 9).save(image_folder / "image99.png")
    asked: list[str] = []

    def noted(function: Any, jobs: Any, **how: Any) -> list[Any]:
        asked.extend(Path(job[0]).name for job in jobs if function is look)
        return helpers.map_files(function, jobs, **how)

    monkeypatch.setattr("latentia.data.sources.folder.map_files", noted)
    images = load(image_folder)
    assert asked == ["image99.png"]
    assert images.names == [f"image{number}.png" for number in (*range(1, 12), 99)]


def test_a_changed_file_is_decoded_again(image_folder: Path) -> None:
    before = load(image_folder).pixels.copy()
    picture("L", 10, 9).save(image_folder / "image3.png")
    after = load(image_folder).pixels
    changed = (before != after).any(axis=(1, 2, 3))
    assert changed.tolist() == [index == 3 for index in range(12)]


def test_worker_processes_give_the_same_pixels(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = load(image_folder).pixels.copy()
    shutil.rmtree(os.environ["LATENTIA_CACHE"])
    monkeypatch.setattr(helpers, "IN_PROCESS", 1)
    assert (load(image_folder, quiet=True).pixels == alone).all()


def test_a_broken_cache_entry_is_made_anew(image_folder: Path) -> None:
    before = load(image_folder).pixels.copy()
    for entry in (Path(os.environ["LATENTIA_CACHE"]) / "folders").glob("*/pixels.npy"):
        entry.write_bytes(entry.read_bytes()[:100])
    assert (load(image_folder).pixels == before).all()


def test_a_full_disk_gets_a_sentence_and_leaves_nothing(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(os.environ["LATENTIA_CACHE"], ignore_errors=True)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="the disk is full"):
        load(image_folder)
    assert not list((Path(os.environ["LATENTIA_CACHE"]) / "folders").iterdir())


def test_results_stay_inside_their_folder(tmp_path: Path) -> None:
    images = load(np.zeros((1, 4, 4), dtype=np.uint8))
    outside = type(images)(images.pixels, ["../../outside.png"], images.ids)
    (path,) = save_images(outside, tmp_path / "out")
    assert path == tmp_path / "out" / "outside.png"


def test_many_channels_become_an_array(tmp_path: Path) -> None:
    images = load(RANDOM.random((1, 6, 8, 8)).astype(np.float32))
    (path,) = save_images(images, tmp_path)
    assert path.suffix == ".npy"
    assert (np.load(path) == images.pixels[0]).all()


def test_an_unknown_policy_is_answered_with_the_nearest(image_folder: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'resize'"):
        load(image_folder, policy="rezise")
