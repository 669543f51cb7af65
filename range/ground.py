"""Where the steps of a script act: what the player asks of a cluster, the range's own or one that somebody else runs.

A ground has an API server, clients with a home folder each, and the credentials that actors act with. Only the
range's own ground has nodes to reach into.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from range.cluster import Cluster
from range.control_plane import SERVER
from range.network import on_host
from range.node import Node
from range.script import Credential


class Ground(Protocol):
    """A cluster and the machines its clients are on."""

    @property
    def server(self) -> str:
        """The API server: "https://address:port"."""

    @property
    def trust(self) -> tuple[str, ...]:
        """Options of curl for how clients know the server."""

    @property
    def kubectl(self) -> str:
        """The program."""

    @property
    def folder(self) -> Path:
        """Takes the clients' home folders."""

    @property
    def traced(self) -> bool:
        """Whether only the answers tell whose a request was, so that kubectl has to show them."""

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Nodes that steps may reach into."""

    def run(self, actor: str, command: list[str], text: str | None, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a client on the machine of `actor`; a status of -1 says that it was killed after `seconds`."""

    def claimed(self, actor: str) -> Mapping[str, str]:
        """Headers that claim another address than the peer's."""

    def get(self, path: str) -> Any:
        """The JSON at API path `path`, None if there is nothing; raises `RangeError`."""

    def token(self, namespace: str, account: str) -> str:
        """A token of a service account; raises `RangeError`."""

    def ended(self) -> str:
        """What of the cluster has ended by itself; empty if nothing."""

    def request(self, name: str, credential: Credential) -> tuple[Path, Path]:
        """A certificate signing request and its key."""

    def administrator(self, name: str) -> Path:
        """The administrator's kubeconfig; `name` is for a new file. JSON, keys and certificates in files."""

    def signed(self, name: str, key: str, credential: Credential) -> Path:
        """A kubeconfig with a certificate for the credential that the script calls `key`."""

    def with_certificate(self, name: str, certificate: str, key: Path) -> Path:
        """A kubeconfig with a certificate in PEM."""

    def with_token(self, name: str, token: str) -> Path:
        """A kubeconfig with a bearer token, with no credential at all if it is empty."""


class RangeGround:
    """The range's own cluster: every actor has a machine with an address, the range's CA signs what a script needs."""

    server = SERVER
    trust = ("-k",)
    traced = False

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.kubectl = str(cluster.programs / "kubectl")
        self.folder = cluster.work / "clients"
        self.nodes = cluster.nodes
        self.get = cluster.plane.get
        self.token = cluster.plane.token
        self.ended = cluster.ended
        self.with_certificate = cluster.plane.certificate_kubeconfig
        self.with_token = cluster.plane.token_kubeconfig

    def run(self, actor: str, command: list[str], text: str | None, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a client on the actor's host."""
        return finished([*on_host(self._cluster.hosts[actor]), *command], text, seconds)

    def claimed(self, actor: str) -> Mapping[str, str]:
        """Nothing: every actor has an address of their own."""
        del actor
        return {}

    def request(self, name: str, credential: Credential) -> tuple[Path, Path]:
        """A signing request for a key that openssl makes."""
        return self._cluster.plane.authority.request(name, credential.user, credential.groups)

    def administrator(self, name: str) -> Path:
        """As kubeadm init leaves it."""
        return self._cluster.plane.kubeconfig(name, "kubernetes-admin", (self._cluster.plane.administrators,))

    def signed(self, name: str, key: str, credential: Credential) -> Path:
        """Signed by the range's CA, which no log shows."""
        del key
        return self._cluster.plane.kubeconfig(name, credential.user, credential.groups)


def finished(command: list[str], text: str | None, seconds: float) -> subprocess.CompletedProcess[str]:
    """`command` run to its end, or killed after `seconds`: then the status is -1 and what it had said is kept."""
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        said = [
            part.decode(errors="replace") if isinstance(part, bytes) else part or ""
            for part in (error.output, error.stderr)
        ]
        return subprocess.CompletedProcess(command, -1, said[0], f"{said[1]}\nno end after {seconds:.0f} s")
