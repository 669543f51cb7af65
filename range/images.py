"""Container images made on the spot: busybox and the inert program, under the names that workloads use."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

NAMES = (
    "docker.io/library/busybox:1.36",
    "docker.io/library/nginx:1.27",
    "docker.io/library/redis:7",
    "docker.io/library/alpine:3.20",
    "docker.io/kubrnetesio/kube-controller:1.0.1",
    "docker.io/grafana/promtail:3.0.0",
    "registry.k8s.io/pause:3.10",
    "registry.k8s.io/coredns/coredns:v1.12.1",
    *(f"registry.example.com/shop/{part}:1.{minor}" for part in ("web", "api", "worker") for minor in (0, 1, 2)),
)
APPLETS = (
    "sh", "ash", "cat", "cp", "mv", "rm", "ls", "ln", "mkdir", "chmod", "chown", "chroot", "echo", "env", "id",
    "ps", "kill", "sleep", "wget", "nc", "nslookup", "ping", "grep", "sed", "awk", "find", "head", "tail", "tr",
    "cut", "sort", "uniq", "wc", "date", "hostname", "uname", "whoami", "which", "mount", "umount", "nohup",
    "setsid", "tar", "touch", "true", "false", "test", "base64", "crontab", "dd", "df", "du", "free", "httpd",
    "ifconfig", "ip", "netstat", "nsenter", "printf", "xargs",
)  # fmt: skip


# What runs in a container of an image without a command of its own: the inert program under the usual name.
ENTRYPOINTS = {"pause": "/pause", "nginx": "/usr/sbin/nginx", "redis": "/usr/local/bin/redis-server"}
ENTRYPOINTS |= {"coredns": "/coredns", "promtail": "/usr/bin/promtail", "kube-controller": "/kube-controller"}
ENTRYPOINTS |= {part: f"/app/{part}" for part in ("web", "api", "worker")}
FOLDERS = ("bin", "etc", "tmp", "var", "var/tmp", "root", "proc", "sys", "dev", "usr", "usr/local", "usr/local/bin")
INERT = "/usr/local/bin/inert"


def write_images(busybox: Path, inert: Path, target: Path, names: Sequence[str] = NAMES) -> None:
    """An OCI image layout in the tar file `target`, one image under each of `names`; the same bytes every time."""
    layer = _layer(busybox, inert)
    packed = gzip.compress(layer, 6, mtime=0)
    blobs, entries = [packed], list[dict[str, object]]()
    for name in names:
        entrypoint = ENTRYPOINTS.get(name.rpartition("/")[2].partition(":")[0], INERT)
        config = _json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                    "Entrypoint": [entrypoint],
                },
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        )
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": _entry("application/vnd.oci.image.config.v1+json", config),
                "layers": [_entry("application/vnd.oci.image.layer.v1.tar+gzip", packed)],
            }
        )
        described = _entry("application/vnd.oci.image.manifest.v1+json", manifest)
        entries.append({**described, "annotations": {"io.containerd.image.name": name}})
        blobs += [config, manifest]
    index = _json({"schemaVersion": 2, "manifests": entries})
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index}
    files |= {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in blobs}
    with tarfile.open(target, "w") as archive:
        for name, content in files.items():
            _add(archive, name, content, 0o644)


def _layer(busybox: Path, inert: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder.endswith("tmp") else 0o755
            archive.addfile(entry)
        _add(archive, "bin/busybox", busybox.read_bytes(), 0o755)
        _add(archive, INERT[1:], inert.read_bytes(), 0o755)
        for name in sorted(set(ENTRYPOINTS.values())):
            entry = tarfile.TarInfo(name[1:])
            entry.type, entry.linkname, entry.mode = tarfile.LNKTYPE, INERT[1:], 0o755  # a link's mode is set too
            archive.addfile(entry)
        _add(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _entry(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
