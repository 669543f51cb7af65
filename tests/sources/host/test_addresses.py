"""Addresses of a machine's interfaces."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.collection import Command, End, Header, Item
from kubewitness.model.host import Address
from kubewitness.sources.host import addresses
from tests.sources.host.reading import context, folder, lines, only

(FORMAT,) = addresses.FORMATS
JSON = (
    '[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK"],"mtu":65536,"addr_info":[{"family":"inet","local":"127.0.0.1",'
    '"prefixlen":8}]},{"ifindex":2,"ifname":"eth0","addr_info":[{"family":"inet","local":"203.0.113.5"},{},7]},{}]'
)
TEXT = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
4: eth0@if9: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state UP group default
    inet 203.0.113.5/24 brd 203.0.113.255 scope global eth0
    inet6 2001:db8::5/64 scope global
"""


def read(text: str) -> list[tuple[str, str]]:
    return [(one.interface, one.address) for one in FORMAT.read(lines(text), context()) if isinstance(one, Address)]


def test_json_and_text_tell_the_same() -> None:
    assert read(JSON) == [("lo", "127.0.0.1"), ("eth0", "203.0.113.5")]
    assert read(TEXT) == [("lo", "127.0.0.1"), ("eth0", "203.0.113.5"), ("eth0", "2001:db8::5")]


@pytest.mark.parametrize(
    "line",
    ['[{"name":"x"}]', '{"ifindex":1}', '[{"dst":"default","gateway":"10.0.0.1"}]', "1: 2: 3", "[1,2]", "2: eth0 up"],
)
def test_other_lists_are_not_claimed(line: str) -> None:
    assert not FORMAT.looks_like([line], "x")


@given(st.text(max_size=200))
def test_junk_breaks_nothing(text: str) -> None:
    list(FORMAT.read(lines('[{"ifindex":1,' + text), context()))


def test_a_folder_gives_its_machine_addresses(tmp_path: Path) -> None:
    host = only(folder(tmp_path, {"n/ps.txt": "USER PID COMMAND\nroot 1 init\n", "n/ip_-j_addr.txt": JSON}))
    assert [one.address for one in host.addresses] == ["127.0.0.1", "203.0.113.5"]


def test_the_modes_of_copied_files_are_known(tmp_path: Path) -> None:
    item = Item("[root]/etc/kubernetes/admin.conf", 2, "0" * 64, mode="-rw-r--r--", owner="root:root")
    records = [
        Header("kubewitness-node/1", "t", "node7", "2026-03-01T00:00:00Z"), item, Command(("ip",), 0),
        End("2026-03-01T00:00:00Z", 1, "0" * 64),
    ]  # fmt: skip
    text = b"\n".join(map(msgspec.json.encode, records))
    host = only(folder(tmp_path, {"top/manifest.jsonl": text, "top/[root]/etc/kubernetes/admin.conf": "{}"}))
    assert [(one.path, one.mode, one.owner) for one in host.copied] == [
        ("/etc/kubernetes/admin.conf", "-rw-r--r--", "root:root")
    ]
