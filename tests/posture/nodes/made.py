"""Parts of machines for tests of nodes and fleets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.evidence import Place
from kubewitness.model.host import Address, FileEntry, Firewall, FirewallRule, Host
from kubewitness.model.posture import Result
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import Machine, NodeCheck, Snapshot, run
from kubewitness.posture.nodes.checks import CHECKS
from tests.posture.machine import COMMENTED, CONFIG, NODE, host, listening

WITH = "/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml"
WITHOUT = "/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf"
PUBLIC, PRIVATE = "203.0.113.5", "10.0.0.5"


def filtered(rules: str, policy: str = "ACCEPT", family: str = "ip", **more: Any) -> Firewall:
    """A dump of the filter table with these lines of `-A`."""
    place = Place("iptables-save.txt", 1, 0)
    found = [line.strip() for line in rules.splitlines() if line.strip()]
    kept = tuple(
        FirewallRule("filter", line.split()[1], line, Place("iptables-save.txt", number, 0))
        for number, line in enumerate(found, 5)
    )
    return Firewall(family, "iptables-save", place, (("filter", "INPUT", policy),), kept, **more)


KUBEADM = NODE | {
    CONFIG: NODE[CONFIG].replace(
        "authorization:", "  x509:\n    clientCAFile: /etc/kubernetes/pki/ca.crt\nauthorization:"
    )
    + "rotateCertificates: true\nstaticPodPath: /etc/kubernetes/manifests\nhealthzBindAddress: 127.0.0.1\n"
}


def clean(name: str = "node1") -> Host:
    """A kubeadm node as kubeadm leaves it."""
    machine = host(KUBEADM, WITH, listening(10250), listening(10248, "127.0.0.1"), version="v1.34.2")
    machine.name = name
    return machine


def commented(name: str = "node1") -> Host:
    """The machine of the second incident: the line that names the configuration is commented out."""
    machine = host(COMMENTED, WITHOUT, listening(10250), listening(10255), version="v1.20.15")
    machine.name = name
    return machine


def addressed(machine: Host, *addresses: str) -> Host:
    """With these addresses on its interface."""
    machine.addresses = [Address("eth0", one, Place("ip_-j_addr.txt", 1, 0)) for one in addresses]
    return machine


def entry(path: str, mode: str, owner: str = "0:0", kind: str = "file") -> FileEntry:
    """A file as it was listed."""
    return FileEntry(path, Place("manifest.jsonl", 3, 0), kind, mode=mode, owner=owner)


def node_object(name: str, **status: Any) -> KubeObject:
    """A Node."""
    return KubeObject("Node", "v1", "", name, {"metadata": {"name": name}, "status": status}, Place("nodes.json", 1, 0))


def snapshot(*machines: Host, objects: Sequence[KubeObject] = ()) -> Snapshot:
    """The evidence of these machines."""
    cluster = Cluster(objects=list(objects)) if objects else None
    return Snapshot(cluster, tuple(map(Machine, machines)))


def judged(name: str, machine: Host, *objects: KubeObject) -> list[Result]:
    """What a check of nodes says of a machine."""
    checks = [one for one in CHECKS if one.id == f"checks/nodes/{name}"]
    assert all(isinstance(one, NodeCheck) for one in checks)
    assert len(checks) == 1
    return list(run(checks, catalogue(), snapshot(machine, objects=objects)))


def one(name: str, machine: Host, *objects: KubeObject) -> Result:
    """The only result of a check."""
    (result,) = judged(name, machine, *objects)
    return result


def said(name: str, machine: Host, *objects: KubeObject) -> str:
    """Its status, and how severe it is."""
    result = one(name, machine, *objects)
    return f"{result.status} {result.severity}" if result.status == "fail" else result.status
