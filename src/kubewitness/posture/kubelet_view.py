"""The settings of one start of the kubelet: its command line and the files that names, layer on layer.

Later layers win: built-in defaults; if `--config` is given, that file, with other defaults; the files of
`--config-dir` in lexical order; the flags, each time the last of its kind. What is not known stays unknown: a file
that is named but not in the evidence, a command line that was cut, take their settings and the defaults with them.

Source: cmd/kubelet/app/server.go of Kubernetes 1.28 to 1.34; KEP-3983 for --config-dir; flag syntax of
github.com/spf13/pflag.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from kubewitness.model.evidence import Place
from kubewitness.model.host import HostFile
from kubewitness.model.text import Text
from kubewitness.posture.kubelet_file import FileSetting, file_settings
from kubewitness.posture.kubelet_settings import BY_FLAG, KNOWN, Form, Known, flag_value
from kubewitness.posture.lines import Line, lines

Origin = Literal["flag", "file", "default without --config", "default with --config", "configz"]
_CONFIG: Final = "config"
_CONFIG_DIR: Final = "config-dir"
_ALPHA: Final = (
    28  # the minor version whose --config-dir asked for a variable, and where `false` could not replace `true`
)
_ALPHA_VARIABLE: Final = "KUBELET_CONFIG_DROPIN_DIR_ALPHA"

_REPEATED = Text("the flag is given again, and the last counts", "该参数重复出现，以最后一个为准")
_FLAG_WINS = Text("a flag wins over the file", "命令行参数优先于配置文件")
_LATER_FILE = Text("a later file of --config-dir wins", "--config-dir 中排在后面的文件优先")
_LATER_KEY = Text("the same key follows again, and the last counts", "同一个键再次出现，以最后一个为准")
_REFUSED = Text("not a value the kubelet accepts", "kubelet 不接受这个值")
_NEVER_READ = Text("nothing names this file, so it is never read", "没有任何参数指定该文件，因此从未被读取")
_ZERO_OF: Final[dict[Form, str]] = {"bool": "false", "int": "0", "text": ""}
_ZERO: Final = frozenset(_ZERO_OF.values())
_ALWAYS_ANSWERED: Final = frozenset(  # pointers that every version has
    ("authentication.anonymous.enabled", "authentication.webhook.enabled", "enableDebuggingHandlers")
)
_CONFIGZ_SAYS = Text("the running kubelet itself answered otherwise", "运行中的 kubelet 自己给出的值与此不同")


class Lost(Struct, frozen=True):
    """A value that something said and that did not count."""

    value: str
    line: Line
    why: Text


class Setting(Struct, frozen=True):
    """A setting as the kubelet has it."""

    name: str
    value: str
    origin: Origin
    line: Line | None = None  # that decided it; None for a default
    lost: tuple[Lost, ...] = ()

    @property
    def place(self) -> Place | None:
        """Where it was decided."""
        return self.line.place if self.line else None


class View(Struct, frozen=True):
    """The settings of one start of the kubelet."""

    settings: tuple[Setting, ...]  # those that are known
    line: Line | None = None  # the process, or the ExecStart= line
    config: str = ""  # the file --config names
    config_line: Line | None = None  # where it is named
    files: tuple[str, ...] = ()  # configuration files read
    unread: tuple[str, ...] = ()  # files it names that are not in the evidence or that cannot be read
    complete: bool = True  # False: the command line may say more than the evidence shows

    def get(self, name: str) -> Setting | None:
        """The setting of that name, if it is known."""
        return next((setting for setting in self.settings if setting.name == name), None)

    def value(self, name: str) -> str:
        """Its value; empty if it is not known."""
        setting = self.get(name)
        return setting.value if setting else ""

    @property
    def lacks_config(self) -> bool:
        """Whether it is certain that the kubelet starts without `--config`."""
        return self.complete and not self.config


class _Said(Struct, frozen=True):
    value: str | None
    line: Line
    origin: Origin


def view(
    words: Sequence[tuple[str, Line]],
    line: Line,
    files: Mapping[str, HostFile],
    *,
    complete: bool = True,
    minor: int = 0,
    environment: Mapping[str, str] | None = None,
) -> View:
    """The settings of a kubelet started with `words` (without the path), on a machine with `files`."""
    flags = _flags(words)
    config, config_line = _path(flags, _CONFIG)
    directory, _ = _path(flags, _CONFIG_DIR)
    layers: list[tuple[str, tuple[FileSetting, ...]]] = []
    unread: list[str] = []
    if config:
        read = file_settings(files[config]) if config in files else None
        if read is None:
            unread.append(config)
        else:
            layers.append((config, read))
    overriding = minor != _ALPHA
    if directory and (overriding or (environment or {}).get(_ALPHA_VARIABLE)):
        paths = sorted((path for path in files if _within(path, directory)), key=lambda path: path.split("/"))
        for path in paths:
            read = file_settings(files[path])
            if read is None:
                unread.append(path)
            else:
                layers.append((path, read if overriding else tuple(entry for entry in read if entry.value != "false")))
        if not paths:
            unread.append(directory)
    base: Origin = "default with --config" if config else "default without --config"
    known_base = complete and not unread
    settings = [
        setting
        for known in KNOWN
        if (setting := _decided(known, list(_said(known, layers, flags)), base, known_base, bool(unread)))
    ]
    return View(tuple(settings), line, config, config_line, tuple(path for path, _ in layers), tuple(unread), complete)


def with_never_loaded(made: View | None, files: Sequence[HostFile]) -> View | None:
    """The view with what the files it never reads would have said, beside each default that applies instead."""
    if made is None or made.config:
        return made
    lost: dict[str, list[Lost]] = {}
    for file in files:
        for entry in file_settings(file) or ():
            if entry.value is not None:
                lost.setdefault(entry.known.name, []).append(Lost(entry.value, entry.line, _NEVER_READ))
    settings = [
        replace(
            setting,
            lost=(*setting.lost, *(entry for entry in lost.get(setting.name, ()) if entry.value != setting.value)),
        )
        if setting.origin == "default without --config"
        else setting
        for setting in made.settings
    ]
    return replace(made, settings=tuple(settings))


def with_configz(made: View | None, configz: HostFile) -> View | None:
    """The view corrected by what the kubelet itself answered at /configz: that is what runs.

    A value both agree on keeps the origin that explains it. An answer leaves out fields that are zero or empty, unless
    they are pointers; it always has the pointers, so one without them was cut by somebody and what it lacks is unknown.
    """
    answered = {entry.known.name: entry for entry in file_settings(configz) or () if entry.value is not None}
    if not answered:
        return made
    if answered.keys() >= _ALWAYS_ANSWERED:
        whole = next(iter(lines(configz)))
        left_out = [known for known in KNOWN if known.empty_is_default and known.with_config in _ZERO]
        answered |= {
            known.name: FileSetting(known, _ZERO_OF[known.form], whole)
            for known in left_out
            if known.name not in answered
        }
    settings: list[Setting] = []
    for known in KNOWN:
        own = made.get(known.name) if made else None
        entry = answered.get(known.name)
        if entry is None or entry.value is None:
            settings += [own] if own else []
        elif own is not None and own.value == entry.value:
            settings.append(own)
        else:
            lost = (*own.lost, *([Lost(own.value, own.line, _CONFIGZ_SAYS)] if own.line else [])) if own else ()
            settings.append(Setting(known.name, entry.value, "configz", entry.line, lost))
    if made is None:
        return View(tuple(settings), complete=False)
    return replace(made, settings=tuple(settings))


def _decided(known: Known, said: list[_Said], base: Origin, known_base: bool, unread: bool) -> Setting | None:
    accepted = [entry for entry in said if entry.value is not None]
    if not accepted or (unread and accepted[-1].origin != "flag"):  # an unread file may have said something else
        if not known_base:
            return None
        default = known.with_config if base == "default with --config" else known.without_config
        return Setting(known.name, default, base, None, tuple(_lost(said, None)))
    winner = accepted[-1]
    return Setting(known.name, winner.value or "", winner.origin, winner.line, tuple(_lost(said, winner)))


def _lost(said: list[_Said], winner: _Said | None) -> Iterator[Lost]:
    for entry in said:
        if entry is winner:
            continue
        if entry.value is None or winner is None:
            why = _REFUSED
        elif entry.origin == "flag":
            why = _REPEATED
        elif winner.origin == "flag":
            why = _FLAG_WINS
        else:
            why = _LATER_KEY if entry.line.path == winner.line.path else _LATER_FILE
        yield Lost(entry.value or "", entry.line, why)


def _said(
    known: Known, layers: list[tuple[str, tuple[FileSetting, ...]]], flags: Mapping[str, list[tuple[str, Line]]]
) -> Iterator[_Said]:
    for _, settings in layers:
        for entry in settings:
            if entry.known.name == known.name:
                yield _Said(entry.value, entry.line, "file")
    for text, line in flags.get(known.flag, ()):
        yield _Said(flag_value(known, text), line, "flag")


def _flags(words: Sequence[tuple[str, Line]]) -> dict[str, list[tuple[str, Line]]]:
    """All flags in order. A flag without `=` takes the next word, a boolean one never does."""
    flags: dict[str, list[tuple[str, Line]]] = {}
    at = 0
    while at < len(words):
        word, line = words[at]
        at += 1
        if word == "--":
            break
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        name = name.replace("_", "-")
        known = BY_FLAG.get(name)
        if not equals and known is not None and known.form == "bool":
            value = "true"
        elif not equals and at < len(words):
            takes = known is not None or name in (_CONFIG, _CONFIG_DIR)
            if takes or not words[at][0].startswith("-"):
                value, line = words[at]
                at += 1
        flags.setdefault(name, []).append((value, line))
    return flags


def _path(flags: Mapping[str, list[tuple[str, Line]]], name: str) -> tuple[str, Line | None]:
    """The absolute path a flag names, and its line; systemd starts services in `/`."""
    given = flags.get(name)
    if not given or not given[-1][0]:
        return "", None
    path, line = given[-1]
    return posixpath.normpath(posixpath.join("/", path)).replace("//", "/"), line


def _within(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/") and path.endswith(".conf")
