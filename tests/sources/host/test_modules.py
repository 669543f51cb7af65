"""Loaded kernel modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.model.host import KernelModule
from kubewitness.sources.host.formats import BY_KIND
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines, only

LSMOD = "Module                  Size  Used by\ndiamorphine 16384  0\nstp 12976  1 bridge\nllc 14552  2 stp,bridge\n"
KERNEL = (
    "diamorphine 16384 0 - Live 0xffffffffc0a5b000 (OE)\n"
    "nf_nat 49152 2 xt_nat,iptable_nat, Live 0x0000000000000000\nfloppy 8192 0 [permanent], Live 0x0\n"
)


def read(text: str) -> list[object]:
    return list(BY_KIND["modules"].read(lines(text), context()))


def test_both_lists_tell_names_and_the_kernel_its_taints(tmp_path: Path) -> None:
    for text, expected in (
        (LSMOD, [("diamorphine", ""), ("stp", ""), ("llc", "")]),
        (KERNEL, [("diamorphine", "(OE)"), ("nf_nat", ""), ("floppy", "")]),
    ):
        host = only(folder(tmp_path, {"n/proc/modules": text}))
        assert [(one.name, one.flags) for one in host.modules] == expected


def test_what_is_no_module_is_counted() -> None:
    facts = read(LSMOD + "junk\n" * 50 + "x y z\n")
    assert sum(isinstance(one, KernelModule) for one in facts) == 3
    assert len(facts) == 3 + 21


@pytest.mark.parametrize("text", ["Module Size\nx 1 0\n", "a 1 2 - Live here\n", "name 16384 0\n"])
def test_other_tables_are_no_modules(tmp_path: Path, text: str) -> None:
    assert folder(tmp_path, {"x.txt": text}).items == {}


@needs_corpus
@pytest.mark.parametrize(
    ("name", "count", "last"), [("centos-7.7", 98, "libcrc32c"), ("ubuntu-18.04", 101, "pata_acpi")]
)
def test_lists_of_real_machines_are_read_whole(name: str, count: int, last: str) -> None:
    assert CORPUS
    text = (CORPUS / f"kellyjonbrazil__jc/tests/fixtures/{name}/lsmod.out").read_text()
    found = read(text)
    assert [type(one) for one in found] == [KernelModule] * (text.count("\n") - 1)
    assert (len(found), last in {one.name for one in found if isinstance(one, KernelModule)}) == (count, True)
