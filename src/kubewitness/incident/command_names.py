r"""Which names out of the evidence may stand in a command that we advise.

Names of RBAC objects are free text but for `/` and `%`, and a forged log may name anything. Quoting keeps the shell
from acting on a name; it does not keep kubectl from reading `--all` as an option, a line feed from ending a comment,
or a person from running a name that looks like another one. So a command is given only for a name that is what it
seems to be, and then as `resource/name`, which kubectl never takes for an option.

Source: path segment names of k8s.io/apimachinery/pkg/api/validation/path (RBAC); kubectl's `resource/name` arguments.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from shlex import quote
from typing import Final, Literal

from kubewitness.model.incident import ObjectName
from kubewitness.model.text import Text

Doubt = Literal["", "option", "unseen", "unfit"]

_RESOURCE: Final = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*", re.ASCII)
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # letters and signs that show nothing
_SHOWN: Final = 5
_LONG: Final = 300  # characters of a hostile text
_FILE: Final = 180  # bytes of a file name; most systems allow 255, the ending and a person's additions need room
_PLAIN: Final = frozenset(("pods", "deployments", "daemonsets", "jobs", "cronjobs", "statefulsets"))

_WHY: Final[dict[str, Text]] = {
    "option": Text(
        'No command is given for {}: the name begins with "-", and kubectl could take it for an option that acts on '
        "every object (--all).",
        "未给出针对 {} 的命令：名称以“-”开头，kubectl 可能将其当作作用于全部对象的选项（如 --all）。",
    ),
    "unseen": Text(
        "No command is given for {}: the name holds control or invisible characters, shown here as escapes. Type it "
        "by hand from the JSON report.",
        "未给出针对 {} 的命令：名称含控制字符或不可见字符（此处以转义形式显示），请对照 JSON 报告手工输入。",
    ),
    "unfit": Text(
        "No command is given for {}: the log gives no name that kubectl could take, see the JSON report.",
        "未给出针对 {} 的命令：日志中没有 kubectl 可接受的名称，详见 JSON 报告。",
    ),
}


def is_seen(text: str) -> bool:
    """Every character shows, and shows as itself."""
    return text.isprintable() and not any(
        char in _FILLERS or unicodedata.category(char) in {"Mn", "Me"} for char in text if not char.isascii()
    )


def doubt_of_object(name: ObjectName) -> Doubt:
    """What keeps an object out of a command, empty if nothing does."""
    resource = _resource(name)
    names = (resource, name.namespace, name.name)
    if not all(map(is_seen, names)):
        return "unseen"
    if any(one.startswith("-") for one in names):
        return "option"
    unfit = not name.name or name.name in {".", ".."} or "/" in name.name + name.namespace
    return "unfit" if unfit or not _RESOURCE.fullmatch(resource) else ""


def fit(objects: Iterable[ObjectName]) -> list[ObjectName]:
    """The objects that a command may name."""
    return [one for one in objects if not doubt_of_object(one)]


def left_out(objects: Iterable[ObjectName]) -> Text:
    """Sentences on the objects that no command names, to be put behind others; empty if there are none."""
    doubts: dict[str, list[str]] = {}
    for one in objects:
        if doubt := doubt_of_object(one):
            doubts.setdefault(doubt, []).append(f"{one.kind}/{one.name}")
    texts = [why(doubt, names) for doubt, names in sorted(doubts.items())]
    return Text("".join(" " + text.en for text in texts), "".join(text.zh for text in texts))


def why(doubt: str, names: Sequence[str]) -> Text:
    """The sentence that says why no command names these."""
    shown = [escaped(name) for name in names[:_SHOWN]]
    more = len(names) - len(shown)
    en, zh = ", ".join(shown), "、".join(shown)
    if more:
        en, zh = f"{en} and {more} more", f"{zh} 等 {len(names)} 个"
    return Text(_WHY[doubt].en.replace("{}", en), _WHY[doubt].zh.replace("{}", zh))


def target(name: ObjectName) -> str:
    """An object as kubectl's arguments: `-n namespace resource/name`."""
    where = f"-n {quote(name.namespace)} " if name.namespace else ""
    return f"{where}{quote(f'{_resource(name)}/{name.name}')}"


def file_name(*parts: str) -> str:
    """A file name made of names, quoted: in this folder, and never an option to whatever gets it next."""
    joined = "-".join(parts).replace("/", "_").lstrip("-.") or "object"
    return quote(joined.encode()[:_FILE].decode("utf-8", "ignore") + ".yaml")


def escaped(text: str) -> str:
    """Text on one line in which everything shows, for comments and sentences."""
    if is_seen(text):
        return text
    return "".join(char if is_seen(char) else char.encode("unicode_escape").decode() for char in text[:_LONG])


def _resource(name: ObjectName) -> str:
    resource = name.kind.partition("/")[0]
    return f"{resource}.{name.group}" if name.group and resource not in _PLAIN else resource
