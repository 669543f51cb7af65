"""The flags of a component's command line, each with where it was read.

Kubernetes' components read their flags with pflag: `--name=value`, or `--name value` if the flag is no boolean; `_`
and `-` in names are the same; of two the last counts, but lists grow. etcd reads them with Go's own reader, where a
single dash does too, and takes what is missing from variables called ETCD_NAME.

Source: github.com/spf13/pflag, k8s.io/component-base/cli/flag, Go's package flag, etcd pkg/flags.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, get_args

from msgspec import Struct

from kubewitness.model.posture import Where
from kubewitness.posture.words import split_words

Program = Literal["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kube-proxy"]
PROGRAMS: Final[tuple[Program, ...]] = get_args(Program)
_HYPERKUBE: Final[dict[str, Program]] = {
    "apiserver": "kube-apiserver", "controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler",
    "proxy": "kube-proxy", **{one: one for one in PROGRAMS},
}  # fmt: skip
_SHELLS: Final = frozenset(("sh", "bash", "ash", "dash"))
_BOOLEANS: Final = frozenset(
    ("anonymous-auth", "profiling", "service-account-lookup", "use-service-account-credentials", "client-cert-auth",
     "peer-client-cert-auth", "auto-tls", "peer-auto-tls", "allow-privileged", "enable-bootstrap-token-auth",
     "leader-elect", "allocate-node-cidrs", "audit-log-compress", "audit-log-truncate-enabled",
     "audit-webhook-truncate-enabled", "audit-log-batch-throttle-enable", "audit-webhook-batch-throttle-enable",
     "contention-profiling", "enable-aggregator-routing", "logtostderr", "alsologtostderr", "kubelet-https")
)  # fmt: skip
_LISTS: Final = frozenset(
    ("authorization-mode", "enable-admission-plugins", "disable-admission-plugins", "admission-control",
     "etcd-servers", "service-account-key-file", "feature-gates", "service-account-issuer")
)  # fmt: skip
_TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_NAME: Final = re.compile(r"--?([A-Za-z][\w.-]{0,120})(?:=(.*))?", re.S)
_VARIABLE: Final = re.compile(r"\$\(([A-Za-z_][\w.-]{0,100})\)")
_ETCD: Final = "ETCD_"
_SHOWN: Final = 300
_MOST: Final = 4_000  # words


class Word(Struct, frozen=True):
    """A word of a command line."""

    text: str
    where: Where


class Flag(Struct, frozen=True):
    """A flag as the component takes it."""

    name: str
    value: str
    where: Where

    @property
    def unresolved(self) -> bool:
        """Whether the value is only known where the component runs."""
        return "$" in self.value

    @property
    def truth(self) -> bool | None:
        """The value of a boolean; None if it is none."""
        return True if self.value in _TRUE else False if self.value in _FALSE else None


def program_of(words: Sequence[Word], *, wrapped: bool) -> tuple[Program, list[Word]] | None:
    """The component a command line starts, and its arguments.

    Args:
        words: the command line.
        wrapped: other programs may stand before it (go-runner, a shell): in a manifest they do. In a list of processes
            each of them is its own process, and the first word alone says what runs.
    """
    for at, word in enumerate(words[:8] if wrapped else words[:1]):
        name = posixpath.basename(word.text)
        if name in PROGRAMS:
            return name, list(words[at + 1 :])
        if name == "hyperkube" and len(words) > at + 1 and (found := _HYPERKUBE.get(words[at + 1].text)):
            return found, list(words[at + 2 :])
        if wrapped and name in _SHELLS and len(words) > at + 2 and words[at + 1].text.startswith("-"):
            return _in_shell(words[at + 2])
    return None


def _in_shell(script: Word) -> tuple[Program, list[Word]] | None:
    """The component that a shell is told to start: plain words up to the first redirection."""
    texts, _ = split_words(script.text[:100_000].replace("\\\n", " "), relaxed=True)
    for at, text in enumerate(texts[:200]):
        name = posixpath.basename(text)
        if name in PROGRAMS:
            rest = []
            for one in texts[at + 1 :]:
                if re.match(r"\d?[<>|;&]", one):
                    break
                rest.append(Word(one, script.where))
            return name, rest
    return None


def flags_of(words: Iterable[Word], environment: Mapping[str, str] | None = None) -> dict[str, Flag]:
    """The flags, lists joined by commas; `$(NAME)` replaced where `environment` tells the value."""
    out: dict[str, Flag] = {}
    for name, value, where in _pairs(list(words)[:_MOST]):
        told = _VARIABLE.sub(lambda found: (environment or {}).get(found[1], found[0]), value)
        if name in _LISTS and name in out:
            told = f"{out[name].value},{told}"
        shown = f"--{name}={told}"[:_SHOWN]
        out[name] = Flag(name, told, Where(where.item, where.line, where.object, where.path, shown))
    return out


def _pairs(words: list[Word]) -> Iterator[tuple[str, str, Where]]:
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word.text == "--":
            return
        found = _NAME.fullmatch(word.text)
        if found is None:
            continue
        name, value = found[1].replace("_", "-"), found[2]
        if value is None and name not in _BOOLEANS and at < len(words) and not words[at].text.startswith("--"):
            value = words[at].text
            at += 1
        yield name, "true" if value is None else value, word.where


def with_variables(flags: dict[str, Flag], variables: Iterable[tuple[str, str, Where]]) -> dict[str, Flag]:
    """The flags of an etcd with those that its environment sets; a flag wins."""
    out = dict(flags)
    for name, value, where in variables:
        if name.startswith(_ETCD):
            flag = name.removeprefix(_ETCD).lower().replace("_", "-")
            shown = Where(where.item, where.line, where.object, where.path, f"{name}={value}"[:_SHOWN])
            out.setdefault(flag, Flag(flag, value, shown))
    return out
