"""Why a kubelet starts without its configuration file: the line that should have named it, and its fate."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from kubewitness.model.evidence import Place
from kubewitness.model.text import Text
from kubewitness.posture.kubelet_view import View
from kubewitness.posture.lines import Line
from kubewitness.posture.units import CommandLine, Unreached

_FLAG: Final = "--config"
_ORDER: Final = ("commented out", "overridden", "hidden file", "not named")


class Reason(Struct, frozen=True):
    """A clause without a full stop, and the line it speaks of."""

    text: Text
    line: Line

    @property
    def place(self) -> Place:
        """Of the line."""
        return self.line.place


def reasons(unit: CommandLine | None, running: View | None, after_restart: View | None) -> tuple[Reason, ...]:
    """Why there is no `--config`; empty if there is one, or if no line tells."""
    if unit is None or not any(view and view.lacks_config for view in (running, after_restart)):
        return ()
    if running and running.lacks_config and after_restart and after_restart.config and after_restart.config_line:
        return (_changed_since(after_restart.config_line),)
    found = [entry for entry in unit.unreached if names_config(entry.value)]
    found.sort(key=lambda entry: _ORDER.index(entry.why))  # stable: in the order of the files
    return tuple(Reason(_text(entry), entry.line) for entry in found[:3])


def names_config(value: str) -> bool:
    """Whether the words of `value` hold the flag `--config`."""
    return any(word.split("=", 1)[0] == _FLAG for word in value.split())


def _changed_since(line: Line) -> Reason:
    en, zh = place_text(line)
    return Reason(
        Text(
            f"{en} names it now, but the kubelet has not been restarted since",
            f"{zh}现在已指定它，但 kubelet 此后没有重启",
        ),
        line,
    )


def place_text(line: Line) -> tuple[str, str]:
    """Words for "line 3 of /etc/x", in both languages, for a file of the machine."""
    path = line.path[:200]
    number = line.number or line.place.line
    return f"line {number} of {path}", f"{path} 第 {number} 行"


def _text(entry: Unreached) -> Text:
    en, zh = place_text(entry.line)
    name = entry.variable[:80]
    sets_en = f"which sets {name}" if name else "which holds it among the arguments"
    sets_zh = f"设置 {name}" if name else "其中含有该参数"
    if entry.why == "commented out":
        return Text(f"{en}, {sets_en}, is commented out", f"{zh}（{sets_zh}）被注释掉了")
    if entry.why == "overridden":
        by_en, by_zh = place_text(entry.by) if entry.by else ("a later line", "后面的某一行")
        return Text(f"{en}, {sets_en}, is overridden by {by_en}", f"{zh}（{sets_zh}）被{by_zh}覆盖")
    if entry.why == "hidden file":
        return Text(
            f"{en}, {sets_en}, is never read, because a file of the same name takes its place",
            f"{zh}（{sets_zh}）从未被读取，因为同名文件取代了它",
        )
    return Text(f"{en} sets {name}, but the command line does not use it", f"{zh}设置了 {name}，但启动命令没有使用它")
