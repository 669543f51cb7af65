"""What is known of one indicator, and what a set of them is.

An indicator is a value that was seen in somebody's intrusion once. It is never "always bad": addresses are rented
again, names are borrowed, so it has a source, a confidence and, where it ages, a day after which it is worth little.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from kubewitness.model.judgement import Confidence
from kubewitness.model.text import Text

IndicatorType = Literal[
    "address",  # IPv4 or IPv6, with a port where one is told
    "domain",  # and what is below it
    "url_path",  # "/a/b.sh"; with "*" or "/" at its end: whatever begins so
    "file_path",  # "/tmp/.x1mr"; with "/" at its end: whatever lies below
    "file_name",
    "sha256",
    "sha1",
    "md5",
    "wallet",
    "image",
    "object",  # "daemonsets/kube-system/kube-controller"; "*" for any namespace
    "command",  # a part of a command line
    "process",  # name of a process
    "ssh_key",  # the base64 part of a public key
]
TYPE_WORDS: Final[dict[IndicatorType, Text]] = {
    "address": Text("address", "地址"),
    "domain": Text("domain", "域名"),
    "url_path": Text("URL path", "URL 路径"),
    "file_path": Text("file path", "文件路径"),
    "file_name": Text("file name", "文件名"),
    "sha256": Text("SHA-256 of a file", "文件的 SHA-256"),
    "sha1": Text("SHA-1 of a file", "文件的 SHA-1"),
    "md5": Text("MD5 of a file", "文件的 MD5"),
    "wallet": Text("wallet", "钱包地址"),
    "image": Text("container image", "容器镜像"),
    "object": Text("name of an object", "对象名称"),
    "command": Text("part of a command", "命令片段"),
    "process": Text("name of a process", "进程名"),
    "ssh_key": Text("SSH key", "SSH 公钥"),
}


class Indicator(Struct, frozen=True, order=True):
    """One value, in the form in which it is looked for (see `values.canonical`)."""

    type: IndicatorType
    value: str
    campaign: str  # "teamtnt-chimaera-kube"; of imported ones the list's name
    confidence: Confidence = "medium"
    port: int = 0  # of an address; 0: any
    first_seen: str = ""  # "2021-02" or "2021-02-17"
    last_seen: str = ""
    valid_until: str = ""  # day after which it is worth little; empty: it does not age
    source: str = ""
    note: str = ""  # when it is harmless


class Pack(Struct, frozen=True):
    """Indicators, and what could not be read of their lists."""

    indicators: tuple[Indicator, ...] = ()
    errors: tuple[str, ...] = ()  # "file:line: reason"


NOTHING: Final = Pack()


def joined(packs: Iterable[Pack]) -> Pack:
    """All of them in one; an indicator that two lists have stands twice, each has its source."""
    packs = list(packs)
    every = dict.fromkeys(one for pack in packs for one in pack.indicators)
    return Pack(tuple(every), tuple(error for pack in packs for error in pack.errors))
