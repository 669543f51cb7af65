"""kubeconfig files: whom each of their users makes, and where.

A kubeconfig names users, clusters, and contexts that join one of each. A user is a certificate (in the file, or a path
beside it), a token (in the file, or a path), a name with a password, or a program that fetches one. Keys and tokens are
overwritten in collected copies, and are never looked at here; certificates are public and stay.

Source: k8s.io/client-go/tools/clientcmd/api/v1/types.go.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from kubewitness.model.host import HostFile
from kubewitness.model.posture import Where
from kubewitness.posture.credentials.der import Certificate, within
from kubewitness.posture.reading import node, nodes, text
from kubewitness.posture.yaml_text import read

Means = Literal["certificate", "token", "password", "program", ""]

_USERS: Final = 200  # of one file
_SHOWN: Final = 200


class ConfigUser(Struct, frozen=True):
    """One user of a kubeconfig."""

    name: str
    means: Means
    where: Where
    certificate: Certificate | None = None
    certificate_path: str = ""  # where the file only points to it
    server: str = ""  # of the cluster that a context joins it with


def looks_like(file: HostFile) -> bool:
    """Whether a file of a machine is one: it has clusters, contexts and users."""
    head = file.text
    return all(word in head for word in ("clusters", "contexts", "users", "current-context")) and "Config" in head


def users_of(file: HostFile) -> Iterator[ConfigUser]:
    """The users of a file, if it is a kubeconfig."""
    if not looks_like(file):
        return
    document = read(file.text, Where(file.place.item, file.place.line, path=file.path))
    value = None if document is None else document.value
    if document is None or text(value, "kind") not in {"Config", ""}:
        return
    servers = {text(one, "name"): text(one, "cluster", "server") for _, one in nodes(value, "clusters")}
    joined = {
        text(one, "context", "user"): servers.get(text(one, "context", "cluster"), "")
        for _, one in nodes(value, "contexts")
    }
    for number, (position, one) in enumerate(nodes(value, "users")):
        if number >= _USERS:
            return
        name, user = text(one, "name"), node(one, "user")
        place = document.at("users", position)
        where = Where(place.item, place.line, path=file.path, text=f"user {name}"[:_SHOWN])
        data, path = text(user, "client-certificate-data"), text(user, "client-certificate")
        if path and not path.startswith("/"):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), path))
        yield ConfigUser(
            name[:_SHOWN], _means(user), where, within(data) if data else None, "" if data else path[:4096],
            joined.get(name, "")[:_SHOWN],
        )  # fmt: skip


def _means(user: object) -> Means:
    if text(user, "client-certificate-data") or text(user, "client-certificate"):
        return "certificate"
    if text(user, "token") or text(user, "tokenFile"):
        return "token"
    if text(user, "password"):
        return "password"
    return "program" if node(user, "exec") or node(user, "auth-provider") else ""
