"""Shards from elsewhere, and everything that can be wrong with shards: one sentence each, with shard and member."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentia import load
from latentia.core.errors import DamagedData, UserError
from latentia.data.shards.images import Form
from latentia.data.shards.packing import pack

RANDOM = np.random.default_rng(0)
FORM = (Form("L", (1, 8, 7), "uint8"), 0.0, 255.0, ())


def png(height: int = 8, width: int = 7, channels: int = 1) -> bytes:
    shape = (height, width) if channels == 1 else (height, width, channels)
    written = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8)).save(written, "PNG")
    return written.getvalue()


def write(path: Path, members: dict[str, bytes], mode: Any = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def foreign(folder: Path, shards: int = 3, each: int = 20) -> Path:
    for shard in range(shards):
        members = {}
        for number in range(each):
            members[f"{number:04d}.png"] = png()
            members[f"{number:04d}.cls"] = str(number % 3).encode()
        write(folder / f"part-{shard:03d}.tar", members)
    return folder


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    pixels = RANDOM.integers(0, 256, (60, 8, 7), dtype=np.uint8)
    pack(load(pixels), tmp_path / "packed", images_per_shard=20, quiet=True)
    return tmp_path / "packed"


def read_all(where: Path | str, **options: Any) -> Any:
    return np.asarray(load(f"wds:{where}", quiet=True, **options).pixels)


def test_shards_of_another_program_are_read(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "f", each=60)
    images = load(f"wds:{folder}", quiet=True)
    assert len(images) == 180 and images.pixels.shape == (180, 1, 8, 7)
    with tarfile.open(folder / "part-001.tar") as archive:
        content = archive.extractfile("0002.png")
        assert content is not None
        first = np.asarray(Image.open(io.BytesIO(content.read())))
    assert (images.pixels[62][0] == first).all()
    assert images.names[62] == "part-001/0002" and np.asarray(images.labels)[62] == 2
    parts = [set(np.asarray(load(f"wds:{folder}", split, quiet=True).ids)) for split in ("train", "validation", "test")]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 180


def test_names_with_ranges_and_wildcards(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "f")
    whole = read_all(folder)
    assert (read_all(folder / "part-{001..002}.tar") == whole[20:]).all()
    assert (read_all(folder / "part-*.tar") == whole).all()
    assert (read_all(folder / "part-000.tar") == whole[:20]).all()
    with pytest.raises(UserError, match=r"the shard .*part-003\.tar is not there"):
        read_all(folder / "part-{000..003}.tar")
    with pytest.raises(UserError, match=r"the range \{3\.\.1\} of .* is empty"):
        read_all(folder / "part-{3..1}.tar")
    with pytest.raises(UserError, match="no file is called like"):
        read_all(folder / "other-*.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no shards: files that end in \.tar"):
        read_all(tmp_path / "empty")
    with pytest.raises(UserError, match=r"holds shards: name it as wds:.*f$"):
        load(folder, quiet=True)
    with pytest.raises(UserError, match="wds:pipe:curl x is a command, and none is run: name shards by a path"):
        read_all("pipe:curl x")


def test_a_selection_of_packed_shards_keeps_ids(packed: Path) -> None:
    images = load(f"wds:{packed}/{{000001..000002}}.tar")
    assert np.asarray(images.ids).tolist() == list(range(20, 60))
    write(packed / "000009.tar", {"a.png": png()})
    with pytest.raises(UserError, match=r"000009\.tar is not in the index beside it"):
        load(f"wds:{packed}/000009.tar")


def test_official_parts_by_name(tmp_path: Path) -> None:
    foreign(tmp_path / "f" / "train", shards=2, each=60)
    foreign(tmp_path / "f" / "test", shards=1)
    assert len(load(f"wds:{tmp_path / 'f'}", "test", quiet=True)) == 20
    train, validation = (len(load(f"wds:{tmp_path / 'f'}", split, quiet=True)) for split in ("train", "validation"))
    assert train + validation == 120 and validation


def test_headers_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = foreign(tmp_path / "f")
    whole = read_all(folder)
    from latentia.data.shards import scanning

    asked: list[Any] = []
    original = scanning.map_files
    monkeypatch.setattr(scanning, "map_files", lambda f, jobs, **how: asked.extend(jobs) or original(f, jobs, **how))
    assert (read_all(folder) == whole).all() and not asked
    write(folder / "part-001.tar", {"x.png": png()})
    assert len(read_all(folder)) == 41 and len(asked) == 1


def test_labels_in_json_and_members_that_are_none(tmp_path: Path) -> None:
    members = {f"{n}.jpg": png() for n in range(12)} | {
        f"{n}.json": json.dumps({"label": n % 2}).encode() for n in range(10)
    }
    write(tmp_path / "a.tar", {"readme.txt": b"hello", "10.json": b"no json", **members})
    images = load(f"wds:{tmp_path / 'a.tar'}", quiet=True)
    assert np.asarray(images.labels).tolist() == [n % 2 for n in range(10)] + [-1, -1]


@pytest.mark.parametrize("layout", [(8, 8), (8, 8, 3), (5, 8, 8)])
def test_arrays_in_shards(tmp_path: Path, layout: tuple[int, ...]) -> None:
    members, originals = {}, []
    for number in range(6):
        written = io.BytesIO()
        originals.append(RANDOM.random(layout).astype(np.float32))
        np.save(written, originals[-1])
        members[f"{number}.npy"] = written.getvalue()
    found = read_all(write(tmp_path / "a.tar", members))
    expected = load(np.stack(originals)).pixels
    assert (found == expected).all()


def test_mixed_sizes_are_scaled_and_said(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", {f"{side}.png": png(side, side) for side in (6, 8, 10)})
    images = load(f"wds:{tmp_path / 'a.tar'}", quiet=True)
    assert images.pixels.shape == (3, 1, 8, 8) and "several sizes and are scaled to 8x8" in images.notes[0]
    assert read_all(tmp_path / "a.tar", size=(4, 4), policy="crop").shape == (3, 1, 4, 4)


def test_a_single_odd_size_among_many_is_named(tmp_path: Path) -> None:
    members = {f"{number:03d}.png": png() for number in range(200)} | {"099.png": png(9, 9)}
    write(tmp_path / "a.tar", members)
    with pytest.raises(
        DamagedData,
        match=r"the image 'a/099' in the shard .*a\.tar is 9x9 pixels, but the others are 8x7: give --size 8x7",
    ):
        read_all(tmp_path / "a.tar")
    assert read_all(tmp_path / "a.tar", size=(8, 7)).shape == (200, 1, 8, 7)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"what is this", "is no image"), (png()[:80], r"is (truncated|broken)")],
    ids=["empty", "text", "cut"],
)
def test_an_unreadable_image_is_named_and_packing_leaves_it_out(tmp_path: Path, content: bytes, reason: str) -> None:
    members = {f"{number:03d}.png": png() for number in range(200)} | {"099.png": content}
    write(tmp_path / "a.tar", members)
    with pytest.raises(DamagedData, match=rf"the image 'a/099' in the shard .*a\.tar {reason}"):
        read_all(tmp_path / "a.tar")
    result = pack(f"wds:{tmp_path / 'a.tar'}", tmp_path / "mended", quiet=True)
    assert (result.images, result.left_out) == (199, 1) and "'a/099'" in result.notes[-1]
    assert len(read_all(tmp_path / "mended")) == 199


def test_the_first_image_is_unreadable(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", {"0.png": b"no", "1.png": png()})
    with pytest.raises(DamagedData, match=r"the image 'a/0' in the shard .*a\.tar is no image"):
        read_all(tmp_path / "a.tar")
    assert pack(f"wds:{tmp_path / 'a.tar'}", tmp_path / "mended", quiet=True).images == 1
    write(tmp_path / "b.tar", {"0.png": b"no"})
    with pytest.raises(
        UserError, match=r"holds no image among those looked at first: the image 'b/0' in the shard .*is no"
    ):
        read_all(tmp_path / "b.tar")


def test_shards_that_cannot_be_read(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.tar", {f"{number}.png": png(40, 40) for number in range(5)}).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: 4 * 2560])
    with pytest.raises(UserError, match=r"the shard .*cut\.tar is cut off (behind|within) '[34]'.*copy it anew"):
        read_all(tmp_path / "cut.tar")
    (tmp_path / "empty.tar").write_bytes(b"")
    with pytest.raises(UserError, match=r"the shard .*empty\.tar is empty: it has no bytes"):
        read_all(tmp_path / "empty.tar")
    (tmp_path / "text.tar").write_bytes(b"this is a text and no tar file" * 100)
    with pytest.raises(UserError, match=r"text\.tar is no tar file"):
        read_all(tmp_path / "text.tar")
    write(tmp_path / "none.tar", {"a.txt": b"words"})
    with pytest.raises(UserError, match=r"none\.tar holds no images"):
        read_all(tmp_path / "none.tar")
    write(tmp_path / "zip.tar", {"a.png": png()}, "w:gz")
    with pytest.raises(UserError, match=r"zip\.tar is compressed: unpack it with gunzip"):
        read_all(tmp_path / "zip.tar")


def test_packed_shards_that_are_missing_cut_or_replaced(packed: Path) -> None:
    content = (packed / "000001.tar").read_bytes()
    (packed / "000001.tar").write_bytes(content[:5000])
    with pytest.raises(UserError, match=r"the shard .*000001\.tar is cut off: it has 5,000 bytes, but was packed with"):
        read_all(packed)
    (packed / "000001.tar").write_bytes(content + content)
    with pytest.raises(UserError, match=r"000001\.tar is another one"):
        read_all(packed)
    (packed / "000001.tar").unlink()
    with pytest.raises(UserError, match=r"the shard .*000001\.tar is not there: bring it back, or pack"):
        read_all(packed)


def test_a_flipped_bit_is_found_and_named(packed: Path) -> None:
    content = bytearray((packed / "000001.tar").read_bytes())
    table = np.load(packed / "members" / "000001.npy")
    content[int(table["offset"][4]) + 60] ^= 1
    (packed / "000001.tar").write_bytes(bytes(content))
    images = load(f"wds:{packed}")
    assert images.pixels[23].shape == (1, 8, 7)
    with pytest.raises(
        DamagedData, match=r"the image '000000024' in the shard .*000001\.tar is corrupt: its bytes are not"
    ):
        images.pixels[24]


def test_a_shard_that_goes_while_it_is_read(packed: Path) -> None:
    images = load(f"wds:{packed}")
    content = (packed / "000002.tar").read_bytes()
    (packed / "000002.tar").write_bytes(content[:3000])
    with pytest.raises(DamagedData, match=r"000002\.tar is cut off: its image '0000000\d\d' should end at byte"):
        np.asarray(images.pixels)
    (packed / "000002.tar").unlink()
    with pytest.raises(DamagedData, match=r"the shard .*000002\.tar cannot be opened \(No such file"):
        np.asarray(images.pixels)


def test_a_damaged_index_or_table(packed: Path) -> None:
    index = packed / "index.json"
    content = json.loads(index.read_text())
    index.write_text(json.dumps(content | {"latentia": content["latentia"] | {"version": 99}}))
    with pytest.raises(UserError, match="is of version 99, but this Latentia reads version 1"):
        load(f"wds:{packed}")
    index.write_text("{ half of")
    with pytest.raises(UserError, match=r"index\.json cannot be read .*pack the images again"):
        load(f"wds:{packed}")
    index.write_text(json.dumps(content))
    (packed / "members" / "000001.npy").write_bytes(b"no")
    with pytest.raises(DamagedData, match=r"the table .*000001\.npy of the shard .*000001\.tar cannot be read"):
        read_all(packed)


def test_tar_files_without_their_index_are_still_shards(packed: Path) -> None:
    before = read_all(packed)
    shutil.rmtree(packed / "members")
    (packed / "index.json").unlink()
    assert (read_all(packed) == before).all()


def test_nan_in_a_shard_is_named(tmp_path: Path) -> None:
    members = {}
    for number in range(30):
        pixels = np.zeros((4, 4), dtype=np.float32)
        pixels[0, 0] = np.nan if number == 13 else 1
        written = io.BytesIO()
        np.save(written, pixels)
        members[f"{number:02d}.npy"] = written.getvalue()
    write(tmp_path / "a.tar", members)
    with pytest.raises(DamagedData, match=r"the image 'a/13' in the shard .* holds NaN or infinite pixels"):
        read_all(tmp_path / "a.tar")


def test_the_fingerprint_is_that_of_all_members_and_of_no_place(tmp_path: Path) -> None:
    """However many there are: a name, a label or a size that changes anywhere is another set, another folder is none."""
    picture = [png() for _ in range(151)]

    def of(where: str, name: str = "0150", label: int = 1, content: bytes = picture[150]) -> str:
        members: dict[str, bytes] = {}
        for number in range(151):
            key = name if number == 150 else f"{number:04d}"
            members[f"{key}.png"] = content if number == 150 else picture[number]
            members[f"{key}.cls"] = str(label if number == 150 else number % 3).encode()
        write(tmp_path / where / "a.tar", members)
        return load(f"wds:{tmp_path / where / 'a.tar'}", quiet=True).fingerprint

    first = of("one")
    changed = [of("two", name="0151"), of("three", label=2), of("four", content=picture[150] + b"\0")]
    assert of("five") == first and first not in changed and len(set(changed)) == 3


def test_shards_are_opened_without_reading_their_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = foreign(tmp_path / "f")
    before = load(f"wds:{folder}", quiet=True).fingerprint
    read: list[str] = []
    original = np.load
    monkeypatch.setattr(np, "load", lambda path, *args, **how: read.append(str(path)) or original(path, *args, **how))
    monkeypatch.setattr("latentia.data.shards.scanning._common_form", lambda shards, options: FORM)
    assert load(f"wds:{folder}", quiet=True).fingerprint == before and not read
