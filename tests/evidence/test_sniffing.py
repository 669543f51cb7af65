"""What a stream is, from its content."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest
import zstandard

from kubewitness.evidence.sniffing import sniff

EVENT = b'{"kind":"Event","auditID":"a","user":{"username":"x"}}'


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (EVENT, "lines"),
        (EVENT + b"\n" + EVENT, "lines"),
        (b"\xef\xbb\xbf" + EVENT + b"\r\n", "lines"),
        (b"\0\0\0\0" + EVENT + b"\n", "lines"),
        (b"2023-01-27T18:28:08.129Z " + EVENT + b"\n2023-01-27T18:28:08.130Z " + EVENT, "lines"),
        (b"2024-05-01T10:00:00Z stdout F " + EVENT + b"\n", "lines"),
        (EVENT[:20] + b"\n" + EVENT + b"\n" + EVENT, "lines"),
        (b"garbage first\n" + EVENT + b"\n", "lines"),
        (b'{"kind":"EventList","items":[' + EVENT + b"]}\n", "lines"),
        (b'{"message":"' + b"x" * 70_000, "lines"),
        (b"[" + EVENT + b"," + EVENT + b"]", "documents"),
        (b"[\n" + EVENT + b",\n" + EVENT + b"\n]", "documents"),
        (b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[' + EVENT * 2000, "documents"),
        (b'{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[' + EVENT * 2000, "documents"),
        (json.dumps(json.loads(EVENT), indent=2).encode(), "documents"),
        (b"{\n", "documents"),
        (b"---\nkind: Event\n", "yaml"),
        (b"# a comment\n\nkind: Event\nlevel: Metadata\n", "yaml"),
        (b"- kind: Event\n", "yaml"),
        (b"", "empty"),
        (b" \n\r\n", "empty"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0", "binary"),
        (bytes(2000), "binary"),
        (gzip.compress(EVENT, mtime=0), "gzip"),
        (b"\xfd7zXZ\x00\x00\x04" + b'\xd6{"' * 500, "binary"),  # an object opens in it by chance
        (b"BZh91AY&SY\0" + b'\xd6{"' * 500, "binary"),
        (b"PAR1 is full\nPAR1 is empty\n", "text"),
        (zstandard.compress(EVENT), "zstd"),
        (b"May  1 10:00:00 host sshd[1]: Accepted\n", "text"),
        (b"just words\n", "text"),
        (b"[2024-05-01] text\n", "text"),
        (b"curl --header \"Content-Type: application/json\" \\\n", "text"),
    ],
)  # fmt: skip
def test_the_kind_is_told_from_the_content(head: bytes, kind: str) -> None:
    assert sniff(head) == kind


def test_a_tar_is_told_from_its_header() -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("x"))
    assert sniff(file.getvalue()) == "tar"
