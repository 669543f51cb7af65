"""Which level a namespace enforces, audits and warns of, and what is exempt from it.

A namespace says so with labels `pod-security.kubernetes.io/{enforce,audit,warn}` and the same with `-version`; where it
says nothing, the API server's configuration (`PodSecurityConfiguration`, inside an `AdmissionConfiguration`) does, and
where that says nothing, it is `privileged:latest`. A label nobody can read fails closed for enforce (restricted) and
open for audit and warn; its version is then `latest`. A namespace that enforces more than it warns of, without a label
for that, warns of what it enforces. From k8s.io/pod-security-admission, api/helpers.go and admission/admission.go.

The plugin is on by default from 1.23; before that (1.22: feature gate PodSecurity) labels mean nothing. Only pods are
refused, when they are made or get another image or an ephemeral container: those that run go on. Whoever makes a
Deployment is warned, and its pods are refused later. A static pod runs whatever its namespace says: what is refused is
its mirror.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from kubewitness.posture.pod_security.nouns import Level, Version
from kubewitness.posture.pod_security.reading import mapping_at, mappings_at, text_at, texts_at

LABEL: Final = "pod-security.kubernetes.io/"
_ORDER: Final[tuple[Level, ...]] = ("privileged", "baseline", "restricted")
_VERSION: Final = re.compile(r"v1\.(0|[1-9][0-9]{0,17})")
_PLUGIN: Final = "PodSecurity"
_CONFIGURATION: Final = "PodSecurityConfiguration"


class LevelVersion(NamedTuple):
    """A level of a version of the policy; None is `latest`."""

    level: Level = "privileged"
    version: Version | None = None

    def within(self, cluster: Version | None) -> Version | None:
        """The version a cluster judges by: never newer than itself. For `evaluate`."""
        if cluster is None or self.version is None:
            return self.version or cluster
        return min(self.version, cluster)

    def __str__(self) -> str:
        version = "latest" if self.version is None else f"v{self.version[0]}.{self.version[1]}"
        return f"{self.level}:{version}"


class Enforced(NamedTuple):
    """What holds in a namespace. `unreadable` are labels whose value is none, which nobody can set since 1.22."""

    enforce: LevelVersion = LevelVersion()
    audit: LevelVersion = LevelVersion()
    warn: LevelVersion = LevelVersion()
    unreadable: tuple[str, ...] = ()


PRIVILEGED: Final = Enforced()
"""What holds where nobody says anything."""


class Exemptions(NamedTuple):
    """Requests that are not judged, by exact names. `users` are those who make the pod: mostly a controller."""

    users: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()

    def reason(self, namespace: str, user: str, runtime_class: str) -> Literal["namespace", "user", "runtimeClass", ""]:
        """Why a request is exempt, in the word of the audit annotation `…/exempt`; empty if it is not."""
        if namespace and namespace in self.namespaces:
            return "namespace"
        if user and user in self.users:
            return "user"
        return "runtimeClass" if runtime_class and runtime_class in self.runtime_classes else ""


class Configuration(NamedTuple):
    """What the API server was started with."""

    defaults: Enforced = Enforced()
    exemptions: Exemptions = Exemptions()


def levels_of(namespace_labels: Mapping[str, object], defaults: Enforced = PRIVILEGED) -> Enforced:
    """The levels of a namespace with these labels."""
    unreadable = list[str]()
    enforce = _mode(namespace_labels, "enforce", defaults.enforce, unreadable)
    audit = _mode(namespace_labels, "audit", defaults.audit, unreadable)
    warn = _mode(namespace_labels, "warn", defaults.warn, unreadable)
    said = text_at(namespace_labels, f"{LABEL}enforce") in _ORDER and f"{LABEL}warn" not in namespace_labels
    if said and _ORDER.index(enforce.level) > _ORDER.index(warn.level):
        own = f"{LABEL}warn-version" in namespace_labels
        warn = LevelVersion(enforce.level, warn.version if own else enforce.version)
    return Enforced(enforce, audit, warn, tuple(unreadable))


def _mode(labels: Mapping[str, object], mode: str, default: LevelVersion, unreadable: list[str]) -> LevelVersion:
    level, version = default
    key = f"{LABEL}{mode}"
    if (said := text_at(labels, key)) is not None:
        if said in _ORDER:
            level = said
        else:
            unreadable.append(key)
            level = "restricted" if mode == "enforce" else "privileged"
    if (said := text_at(labels, f"{key}-version")) is not None:
        version, readable = _version(said)
        if not readable:
            unreadable.append(f"{key}-version")
    return LevelVersion(level, version)


def _version(text: str) -> tuple[Version | None, bool]:
    if text == "latest":
        return None, True
    match = _VERSION.fullmatch(text)
    return ((1, int(match[1])), True) if match else (None, False)


def configuration_of(document: Mapping[str, object]) -> Configuration | None:
    """The configuration in a PodSecurityConfiguration, or in an AdmissionConfiguration that holds one.

    None if there is none, or if it stands in a file of its own (`path`). An API server does not start with a level
    or version that is none; here such a value is passed over.
    """
    if document.get("kind") == "AdmissionConfiguration":
        for _, plugin in mappings_at(document, "plugins"):
            if text_at(plugin, "name") == _PLUGIN and (inner := mapping_at(plugin, "configuration")) is not None:
                return configuration_of(inner) if inner.get("kind") == _CONFIGURATION else None
        return None
    if document.get("kind") != _CONFIGURATION:
        return None
    said = mapping_at(document, "defaults") or {}
    exempt = mapping_at(document, "exemptions") or {}
    return Configuration(
        Enforced(_default(said, "enforce"), _default(said, "audit"), _default(said, "warn")),
        Exemptions(
            *(frozenset(n for _, n in texts_at(exempt, k)) for k in ("usernames", "namespaces", "runtimeClasses"))
        ),
    )


def _default(defaults: Mapping[str, object], mode: str) -> LevelVersion:
    level = text_at(defaults, mode)
    version, _ = _version(text_at(defaults, f"{mode}-version") or "latest")
    return LevelVersion(level if level in _ORDER else "privileged", version)
