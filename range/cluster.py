"""A whole cluster for one scenario: network, control plane, nodes, a file server, and a host for every actor."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from range.certificates import Authority
from range.control_plane import HOST, OBSERVER, ControlPlane
from range.network import CONTROL_PLANE, FILE_SERVER, make_network, node_address, on_host, pod_network
from range.node import Node
from range.script import Actor, Policy, Script
from range.webhook import Receiver

_POLICIES = {
    "recommended": Path(__file__).parents[1] / "docs/audit-policy.yaml",
    "metadata": Path(__file__).parent / "policies/metadata.yaml",
    "request_response": Path(__file__).parent / "policies/request_response.yaml",
}
# As kubeadm init leaves it: the administrators' group and the API server's own client are bound to cluster-admin.
_KUBEADM = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "kubeadm:cluster-admins"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "kubeadm:cluster-admins"}]
"""


class Cluster:
    """The cluster of `script`; `actors` are all that act, background included. `work` is its disk."""

    def __init__(self, script: Script, actors: dict[str, Actor], work: Path, cache: Path, served: Path) -> None:
        self.script = script
        self.work = work
        self.programs = cache / "usr/bin"
        self.hosts = {name: f"actor{number}" for number, name in enumerate(actors) if actors[name].address}
        self.addresses = {name: actors[name].address for name in self.hosts}
        self.plane = ControlPlane(work / "control-plane", self.programs, Authority(work / "pki"), script.kubernetes)
        self.nodes = {
            name: Node(name, number, kind, work / "nodes" / name, cache, generation=script.kubernetes)
            for number, (name, kind) in enumerate(script.nodes.items(), 1)
        }
        self.webhook = Receiver(work / "webhook.jsonl") if script.keeping.webhook else None
        self._served = served
        self._cache = cache
        self._server: subprocess.Popen[bytes] | None = None

    def start(self, say: Callable[[str], None]) -> None:
        """Bring everything up; returns when all nodes are ready.

        Raises:
            RangeError: something did not start.
        """
        started = time.monotonic()
        hosts = {HOST: CONTROL_PLANE, "files": FILE_SERVER} | {node.name: node.address for node in self.nodes.values()}
        hosts |= {self.hosts[name]: address for name, address in self.addresses.items()}
        numbers = [node.number for node in self.nodes.values()]
        make_network(hosts, {pod_network(number): node_address(number) for number in numbers})
        if self.webhook:
            self.webhook.start(on_host(HOST))
        self.plane.start(audit_policy(self.script.policy), webhook=self.webhook is not None)
        say(f"control plane ready after {time.monotonic() - started:.0f} s")
        if self.script.kubernetes == "1.34":
            self.plane.apply(_KUBEADM)
        (self.work / "nodes").mkdir()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.start(self.plane), self.nodes.values()))
        for node in self.nodes.values():
            node.wait_until_ready(self.plane)
        while not self.plane.get("/api/v1/namespaces/default/serviceaccounts/default"):
            time.sleep(0.2)
        if self.script.kubernetes == "1.20":
            self.plane.token("default", "default")  # no pod of an account is admitted before it has one
        self._serve()
        say(
            f"{len(self.nodes)} node{'s' if len(self.nodes) > 1 else ''} ready after {time.monotonic() - started:.0f} s"
        )

    def ended(self) -> str:
        """What of the cluster has ended by itself; empty if nothing."""
        return self.plane.ended()

    def stop(self) -> None:
        """End everything in order, so that all logs are complete."""
        for node in self.nodes.values():
            node.stop()
        self.plane.stop()
        if self.webhook:
            self.webhook.stop()
        if self._server:
            self._server.kill()

    def _serve(self) -> None:
        folder = self.work / "served"
        folder.mkdir()
        (folder / "inert").write_bytes((self.programs / "inert").read_bytes())
        for path in sorted(self._served.rglob("*")) if self._served.exists() else []:
            if path.is_file():
                target = folder / path.relative_to(self._served)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        command = [
            *on_host("files"),
            str(self.programs / "busybox"),
            "httpd",
            "-f",
            "-p",
            f"{FILE_SERVER}:80",
            "-h",
            str(folder),
        ]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def audit_policy(name: Policy) -> dict[str, object]:
    """The audit policy called `name`, with the range's own observer left out of the log."""
    policy: dict[str, object] = yaml.safe_load(_POLICIES[name].read_text())
    rules = policy["rules"]
    assert isinstance(rules, list)
    rules.insert(0, {"level": "None", "users": [OBSERVER]})
    return policy
