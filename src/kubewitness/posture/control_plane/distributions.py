"""Control planes inside another program: K3s, and MicroK8s' files of arguments.

`k3s server` runs API server, controller manager and scheduler inside itself, with flags of its own making; its
configuration adds to them (`kube-apiserver-arg`), on its command line or in /etc/rancher/k3s/config.yaml and the files
of config.yaml.d beside it, a flag winning over a file. The process shows none of that: it hides its arguments.

MicroK8s keeps the flags of each component in a file of that name.

Source: docs.k3s.io (server flags, configuration file, CIS self-assessment); microk8s.io/docs (configuring services).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from kubewitness.model.host import Host, HostFile
from kubewitness.model.posture import Where
from kubewitness.posture.control_plane.flags import PROGRAMS, Flag, Program, Word, flags_of
from kubewitness.posture.control_plane.nouns import Start
from kubewitness.posture.lines import lines
from kubewitness.posture.units import command_line
from kubewitness.posture.yaml_text import read

_CONFIG: Final = re.compile(r"/etc/rancher/k3s/config\.yaml(?:\.d/[^/]+\.ya?ml)?")
_ARGUMENTS: Final = re.compile(r"/var/snap/microk8s/(?:current|\d{1,9})/args/([a-z-]{1,40})")
_UNITS: Final = ("k3s.service", "k3s-server.service")
# What K3s sets before its user's words, as its own assessment of the benchmark lists it.
_OWN: Final[dict[Program, dict[str, str]]] = {
    "kube-apiserver": {
        "anonymous-auth": "false", "authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction",
        "profiling": "false", "insecure-port": "0", "client-ca-file": "tls/client-ca.crt",
        "kubelet-certificate-authority": "tls/server-ca.crt", "service-account-lookup": "true",
    },
    "kube-controller-manager": {
        "bind-address": "127.0.0.1", "address": "127.0.0.1", "profiling": "false",
        "use-service-account-credentials": "true",
    },
    "kube-scheduler": {"bind-address": "127.0.0.1", "address": "127.0.0.1", "profiling": "false"},
}  # fmt: skip

_ENCRYPTION: Final = "/var/lib/rancher/k3s/server/cred/encryption-config.json"
_REPLACED: Final = {"authorization-config": "authorization-mode", "authentication-config": "anonymous-auth"}


def k3s(host: Host) -> Iterator[Start]:
    """The components inside a K3s server of this machine."""
    process = next(
        (
            one
            for one in host.processes
            if (argv := one.argv or tuple(one.command.split(maxsplit=2)))
            and posixpath.basename(argv[0]) == "k3s"
            and argv[1:2] == ("server",)
        ),
        None,
    )
    unit = next((made for name in _UNITS if (made := command_line(host.files, name)) and made.words), None)
    words = [Word(one.text, _of_line(one.lines[0].place.item, one.lines[0].place.line, one.lines[0].path))
             for one in unit.words] if unit else []  # fmt: skip
    if process is None and not any(word.text == "server" for word in words[1:3]):
        return
    if process is not None:
        where = Where(process.place.item, process.place.line, text=process.command[:200])
        argv = process.argv or tuple(process.command.split())
        if len(argv) > 2 and not words:
            words = [Word(word, where) for word in argv]
    else:
        where = words[0].where
    shown = len(words) > 1
    for program, own in _OWN.items():
        named = f"{program}-arg"
        said = [Word(f"--{text}", at) for text, at in (*_in_files(host.files, named), *_in_words(words, named))]
        flags = {name: Flag(name, value, where) for name, value in own.items()}
        if program == "kube-apiserver" and _encrypts(host.files, words):
            flags["encryption-provider-config"] = Flag("encryption-provider-config", _ENCRYPTION, where)
        told = flags_of(said)  # each of these replaces what K3s sets itself
        for config, replaced in _REPLACED.items():
            if config in told:
                flags.pop(replaced, None)
        flags |= told
        yield Start(program, host.name, "process" if process else "unit", where, flags, shown, distribution="K3s")


def _encrypts(files: Sequence[HostFile], words: Sequence[Word]) -> bool:
    """Whether K3s is told to encrypt Secrets, by a file of its own making."""
    if any(word.text in {"--secrets-encryption", "--secrets-encryption=true"} for word in words):
        return True
    return any(text == "true" for text, _ in _in_files(files, "secrets-encryption"))


def _in_words(words: Sequence[Word], named: str) -> Iterator[tuple[str, Where]]:
    for word, following in zip_longest(words, words[1:]):
        name, equals, value = word.text.lstrip("-").partition("=")
        if word.text.startswith("--") and name == named:
            if equals:
                yield value, word.where
            elif following is not None:
                yield following.text, following.where


def _in_files(files: Sequence[HostFile], named: str) -> Iterator[tuple[str, Where]]:
    for file in sorted((one for one in files if _CONFIG.fullmatch(one.path)), key=lambda one: one.path):
        document = read(file.text, _of_line(file.place.item, file.place.line, file.path))
        value = document.value if document else None
        for key in (named, f"{named}+"):
            found = value.get(key) if isinstance(value, dict) else None
            listed = found if isinstance(found, list) else [found]
            for position, one in enumerate(listed):
                if isinstance(one, str | bool) and document is not None:
                    yield str(one).lower() if isinstance(one, bool) else one, document.at(key, position)


def microk8s(host: Host) -> Iterator[Start]:
    """The components whose flags lie in MicroK8s' files."""
    seen = set[str]()
    for file in sorted(host.files, key=lambda one: ("/current/" not in one.path, one.path)):
        found = _ARGUMENTS.fullmatch(file.path)
        program = next((one for one in PROGRAMS if found and found[1] == one), None)
        if program is None or program in seen:
            continue
        seen.add(program)
        words = [
            Word(word, _of_line(line.place.item, line.place.line, file.path))
            for line in lines(file)
            if not line.text.lstrip().startswith("#")
            for word in line.text.split()
        ]
        where = _of_line(file.place.item, file.place.line, file.path)
        yield Start(program, host.name, "arguments file", where, flags_of(words))


def _of_line(item: str, line: int, path: str) -> Where:
    return Where(item, line, path=path)
