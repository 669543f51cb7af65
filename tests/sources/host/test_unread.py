"""Listings that are known and not judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.sources.host.hosts import read_hosts
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import folder

SHOW = "Type=notify\nRestart=always\nId=kubelet.service\nLoadState=loaded\nActiveState=active\n"


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Kernel IP routing table\nDestination Gateway Genmask\n", True),
        (" 06:11:05 up 6:17,  0 users,  load average: 0.1, 0.1, 0.1\n", True),
        ("Linux n 6.1.0-18-amd64 #1 SMP Debian\n", True),
        (SHOW, True),
        (SHOW.replace("Id=", "Name="), False),
        ("Linux is an operating system\n", False),
        ("UNIT tests\nLOAD\n", False),
        ('{"Id":"x","LoadState":"y"}\n', False),
    ],
)
def test_a_listing_is_known_by_its_headings(tmp_path: Path, text: str, known: bool) -> None:
    evidence = folder(tmp_path, {"x.txt": text})
    assert list(evidence.items.values()) == (["listing, not read"] if known else [])
    assert evidence.failures == []


@needs_corpus
def test_listings_of_real_machines_are_known() -> None:
    assert CORPUS
    root = CORPUS / "kellyjonbrazil__jc/tests/fixtures"
    names = ("systemctl", "systemctl-ls", "systemctl-luf", "netstat-i", "netstat-r", "netstat-rnee", "free", "uptime")
    paths = [str(root / system / f"{name}.out") for system in ("centos-7.7", "ubuntu-18.04") for name in names]
    assert set(read_hosts(walk(paths), 2024).items.values()) == {"listing, not read"}
    assert len(read_hosts(walk(paths), 2024).items) == len(paths)
