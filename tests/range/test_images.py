"""The images are a valid OCI layout, the same bytes every time, under the names that workloads use."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from range.images import APPLETS, NAMES, write_images

BUSYBOX, INERT = b"made-up busybox", b"made-up inert program"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("images"))


def written(folder: Path) -> Path:
    (folder / "busybox").write_bytes(BUSYBOX)
    (folder / "inert").write_bytes(INERT)
    write_images(folder / "busybox", folder / "inert", folder / "images.tar")
    return folder / "images.tar"


def files(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {entry.name: content.read() for entry in tar if (content := tar.extractfile(entry))}


def described(there: dict[str, bytes], entry: dict[str, Any]) -> bytes:
    """The blob that a descriptor names; its digest and size must be right."""
    blob = there["blobs/sha256/" + entry["digest"].removeprefix("sha256:")]
    assert len(blob) == entry["size"]
    assert hashlib.sha256(blob).hexdigest() == entry["digest"].removeprefix("sha256:")
    return blob


def parts(archive: Path) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """Name, config and unpacked layer of every image; whatever a descriptor says on the way must be true."""
    there = files(archive)
    assert json.loads(there["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for entry in json.loads(there["index.json"])["manifests"]:
        manifest = json.loads(described(there, entry))
        config = json.loads(described(there, manifest["config"]))
        (packed,) = (described(there, one) for one in manifest["layers"])
        yield entry["annotations"]["io.containerd.image.name"], config, gzip.decompress(packed)


def test_every_digest_and_size_on_the_road_from_index_to_layer_is_right(archive: Path) -> None:
    for name, config, layer in parts(archive):
        assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()], name


def test_every_name_is_an_image_once_and_all_share_one_layer(archive: Path) -> None:
    assert [name for name, _, _ in parts(archive)] == list(NAMES)
    assert len(NAMES) == len(set(NAMES))
    assert len({layer for _, _, layer in parts(archive)}) == 1


def test_every_images_entry_point_is_the_inert_program(archive: Path) -> None:
    for name, config, layer in parts(archive):
        (entry,) = config["config"]["Entrypoint"]
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            program = tar.extractfile(entry[1:])
            assert program is not None
            assert program.read() == INERT, name
            assert tar.getmember(entry[1:]).mode & 0o111, name


def test_a_workloads_process_bears_its_usual_name(archive: Path) -> None:
    entries = {name: config["config"]["Entrypoint"] for name, config, _ in parts(archive)}
    assert entries["docker.io/library/nginx:1.27"] == ["/usr/sbin/nginx"]
    assert entries["docker.io/library/busybox:1.36"] == ["/usr/local/bin/inert"]


def test_the_layer_has_busybox_and_every_applet_is_it(archive: Path) -> None:
    _, _, layer = next(parts(archive))
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        program = tar.extractfile("bin/busybox")
        assert program is not None
        assert program.read() == BUSYBOX
        assert {tar.getmember(f"bin/{name}").linkname for name in APPLETS} == {"busybox"}
        assert tar.getmember("var/tmp").mode == 0o1777


def test_the_same_programs_make_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    assert written(tmp_path).read_bytes() == archive.read_bytes()
