"""Credentials that lie on machines: users of kubeconfigs, certificates beside their keys, keys that stayed behind.

A collected archive holds no private key. A file with one is named in the manifest, with the subjects of the
certificates in it as the machine's own openssl printed them, if it had one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from kubewitness.model.host import Host, HostFile, KeyFile
from kubewitness.model.posture import Where
from kubewitness.posture.check import Machine
from kubewitness.posture.credentials.der import Certificate, certificates, joined
from kubewitness.posture.credentials.kubeconfig import users_of

_SHOWN: Final = 200
_PRINTED: Final = re.compile(r"(subject|issuer|notAfter) ?= ?([^;|]{0,2000})")
_PAIR: Final = re.compile(r"(?:^|, ?|/|\+ ?)(CN|OU|O|C|L|ST) ?= ?((?:[^,/+\\]|\\.){0,300})")
_DATE: Final = "%b %d %H:%M:%S %Y GMT"
# Files of a machine on which an API server runs, or would: its manifest, its unit, the key of its authority.
_SERVES: Final = re.compile(
    r"/etc/kubernetes/manifests/kube-apiserver\.yaml|/etc/kubernetes/pki/ca\.key|/var/lib/rancher/(?:k3s|rke2)/server/.{1,200}"
    r"|/(?:etc|usr/lib|lib)/systemd/system/(?:kube-apiserver|rke2-server|k0scontroller)\.service"
)
_LISTED: Final = 5


class Material(Struct, frozen=True):
    """One credential on one machine."""

    target: str  # "node/NAME"
    kind: str  # "kubeconfig", "client certificate"
    path: str
    where: Where
    name: str = ""  # of the user in a kubeconfig
    means: str = "certificate"
    certificate: Certificate | None = None  # None: it is none, or it is not in the evidence
    server: str = ""

    @property
    def user(self) -> str:
        """Whom the API server takes its holder for; empty if the evidence does not tell."""
        return self.certificate.user if self.certificate else ""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups its holder is in."""
        return self.certificate.groups if self.certificate else ()

    @property
    def issuer(self) -> str:
        """Who issued it."""
        return joined(self.certificate.issuer)[:_SHOWN] if self.certificate else ""


def materials(machines: Sequence[Machine]) -> Iterator[Material]:
    """Everything on these machines, machine by machine, by path."""
    for machine in machines:
        yield from sorted(_of_machine(machine), key=lambda one: (one.path, one.name, one.kind))


def _of_machine(machine: Machine) -> Iterator[Material]:
    host = machine.host
    plain = {file.path: file for file in host.files}
    hidden = {key.path: key for key in host.keys}
    pointed = set[str]()
    for file in plain.values():
        for user in users_of(file):
            certificate = user.certificate
            if certificate is None and user.certificate_path:
                pointed.add(user.certificate_path)
                certificate = _at(user.certificate_path, plain, hidden)
            yield Material(
                machine.target, "kubeconfig", file.path, user.where, user.name, user.means, certificate, user.server
            )
    seen = set[str]()
    for path, file in sorted(plain.items()):
        if path in pointed or "-----BEGIN CERTIFICATE-----" not in file.text:
            continue
        first = next(certificates(file.text), None)
        if first is not None and first.purposes and first.is_for_clients and first.fingerprint not in seen:
            seen.add(first.fingerprint)
            where = Where(file.place.item, file.place.line, path=path, text=joined(first.subject)[:_SHOWN])
            yield Material(machine.target, "client certificate", path, where, certificate=first)
    for path, key in sorted(hidden.items()):
        told = printed(key.subjects)
        if told is not None and path not in pointed and (not key.sha256 or key.sha256 not in seen):
            seen.add(key.sha256)
            where = Where(key.place.item, key.place.line, path=path, text=key.subjects[:_SHOWN])
            yield Material(machine.target, "client certificate", path, where, certificate=told)


def _at(path: str, plain: dict[str, HostFile], hidden: dict[str, KeyFile]) -> Certificate | None:
    if (file := plain.get(path)) is not None:
        return next(certificates(file.text), None)
    if (key := hidden.get(path)) is not None:
        return printed(key.subjects)
    return None


def printed(subjects: str) -> Certificate | None:
    """The first certificate as `openssl x509 -subject -issuer -enddate` prints it; None if there is none."""
    told = dict[str, str]()
    for found in _PRINTED.finditer(subjects.partition(" | ")[0][:4_000]):
        told.setdefault(found[1], found[2].strip())
    subject = _name(told.get("subject", ""))
    if not subject:
        return None
    try:
        end = datetime.strptime(" ".join(told.get("notAfter", "").split()), _DATE).replace(tzinfo=UTC)
        until = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        until = ""
    return Certificate(subject, _name(told.get("issuer", "")), not_after=until)


def _name(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, value.strip()) for key, value in _PAIR.findall(text))


def is_control_plane(host: Host) -> bool | None:
    """Whether an API server runs there; None if the evidence does not tell."""
    paths = (*(file.path for file in host.files), *(key.path for key in host.keys))
    if any(map(_SERVES.fullmatch, paths)):
        return True
    for process in host.processes:
        words = process.argv or tuple(process.command.split(maxsplit=_LISTED))
        program = posixpath.basename(words[0]) if words else ""
        second = words[1] if len(words) > 1 else ""
        if program in {"kube-apiserver", "kubelite"} or (
            program in {"k3s", "rke2", "k0s", "k3s-server"} and second in {"server", "controller", ""}
        ):
            return True
    listed = any(not process.told_by for process in host.processes)
    return False if listed or any(file.path.startswith("/etc/kubernetes/") for file in host.files) else None
