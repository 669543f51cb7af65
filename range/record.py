"""Writes down what an investigator would be handed, and beside it what only the range can know.

`evidence/` is made of the machines' own logs and of what their own tools print. `labels.json` tells which request,
process and log line is whose: requests by the peer's address (each actor has one of their own) or by the Audit-Id of
the answer (actors inside a pod), processes by what a step left running and by the pods that an actor's requests led
to, log lines by container and time.
"""

from __future__ import annotations

import fnmatch
import gzip
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from range.build import VERSIONS
from range.cluster import Cluster
from range.labels import (
    LabelledActor,
    LabelledLine,
    LabelledProcess,
    LabelledRequest,
    LabelledStep,
    Labels,
    write_labels,
)
from range.node import Node
from range.play import Deed
from range.script import Actor, Gap, Script

RBAC = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
NODE_FILES = (
    "etc/systemd/system/kubelet.service", "etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
    "etc/systemd/system/containerd.service", "etc/default/kubelet", "etc/containerd/config.toml", "etc/hosts",
    "etc/ld.so.preload", "root/.ssh/authorized_keys", "var/lib/kubelet/config.yaml",
    "var/lib/kubelet/kubeadm-flags.env",
)  # fmt: skip
NODE_FOLDERS = ("etc/cron.d", "var/spool/cron/crontabs", "etc/kubernetes/manifests")
NODE_COMMANDS = {
    "ps.txt": "ps -eo user,pid,ppid,lstart,args -ww",
    "ss.txt": "ss -tanpH; ss -uanpH",
    "iptables-save.txt": "iptables-save",
    "ip6tables-save.txt": "ip6tables-save",
    "nft.json": "nft -j list ruleset",
    "cgroups.txt": 'for p in /proc/[0-9]*; do echo "${p#/proc/} $(grep :memory: $p/cgroup)"; done 2>/dev/null',
    "exe.txt": 'for p in /proc/[0-9]*; do echo "${p#/proc/} $(readlink $p/exe)"; done 2>/dev/null',
    "listing.txt": "ls -laR --time-style=full-iso /tmp /var/tmp /root 2>/dev/null",
}


def rbac(cluster: Cluster) -> list[Any]:
    """All RBAC objects, as lists of the API."""
    return [cluster.plane.get(f"/apis/rbac.authorization.k8s.io/v1/{resource}") for resource in RBAC]


class Recorder:
    """Collects from `cluster` while it runs, then writes the folder `target`."""

    def __init__(self, cluster: Cluster, script: Script, actors: dict[str, Actor], target: Path) -> None:
        self._cluster = cluster
        self._script = script
        self._actors = actors
        self._target = target
        self._evidence = target / "evidence"
        self._rbac_before = rbac(cluster)
        self._rbac_after = list[Any]()
        self._processes = dict[str, dict[int, tuple[int, str]]]()  # node → process id → parent, command
        self._owners = dict[tuple[str, int], tuple[str, str, str]]()
        self._pod_addresses = dict[str, set[str]]()

    def collect(self) -> None:
        """Take what only a running cluster can tell; call it before anything is stopped."""
        shutil.rmtree(self._evidence, ignore_errors=True)
        self._rbac_after = rbac(self._cluster)
        if self._script.keeping.host:
            for node in self._cluster.nodes.values():
                self._collect_node(node)
        self._owners = dict(self._pod_owners())

    def write(self, name: str, deeds: Iterable[Deed]) -> Labels:
        """Write logs and labels after the cluster was stopped; returns the labels."""
        deeds = tuple(deeds)
        plane = self._evidence / "control-plane"
        plane.mkdir(parents=True, exist_ok=True)
        write_gzip(plane / "rbac-before.json.gz", json.dumps(self._rbac_before).encode())
        write_gzip(plane / "rbac-after.json.gz", json.dumps(self._rbac_after).encode())
        (plane / "flags.txt").write_text(self._flags())
        lines = self._cluster.plane.audit_log.read_bytes().splitlines(keepends=True)
        if gap := self._script.keeping.gap:
            lines = _without(lines, gap, deeds)
        for path, content in _rotated(lines, self._script.keeping.rotate_kib * 1024):
            write_gzip(plane / path, content)
        if self._cluster.webhook:
            write_gzip(plane / "webhook.jsonl.gz", self._cluster.webhook.path.read_bytes())
        if self._script.keeping.host:
            for node in self._cluster.nodes.values():
                for service in ("kubelet", "containerd"):
                    write_gzip(self._evidence / "nodes" / node.name / f"{service}.log.gz", node.log(service).encode())
        requests = tuple(self._requests(lines, deeds))
        labels = Labels(
            scenario=name,
            recorded=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            kubernetes=VERSIONS[self._script.kubernetes],
            actors=self._labelled_actors(requests),
            steps=tuple(labelled_steps(deeds)),
            requests=requests,
            processes=tuple(self._labelled_processes(lines, requests, deeds)),
            lines=tuple(self._labelled_lines(deeds)) if self._script.keeping.host else (),
        )
        self._leave_out()
        write_labels(self._target / "labels.json", labels)
        return labels

    def _collect_node(self, node: Node) -> None:
        folder = self._evidence / "nodes" / node.name
        folder.mkdir(parents=True)
        for name, command in NODE_COMMANDS.items():
            (folder / name).write_text(node.run(["sh", "-c", command]).stdout)
        found = [node.root / path for path in NODE_FILES]
        found += [path for part in NODE_FOLDERS for path in sorted((node.root / part).rglob("*"))]
        logs = node.root / "var/log/pods"
        found += [path for path in sorted(logs.rglob("*.log")) if path.stat().st_size < 200_000]
        for path in found:
            if path.is_file() and not path.is_symlink():
                target = folder / path.relative_to(node.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        rows = (line.split(None, 8) for line in (folder / "ps.txt").read_text().splitlines()[1:])
        self._processes[node.name] = {int(row[1]): (int(row[2]), row[8]) for row in rows if len(row) == 9}

    def _pod_owners(self) -> Iterator[tuple[tuple[str, int], tuple[str, str, str]]]:
        """(node, pid) → (resource, namespace, name) of the object at the top of the pod's owners."""
        plane = self._cluster.plane
        pods = plane.get("/api/v1/pods")["items"]
        for node in self._cluster.nodes.values():
            text = node.run(["sh", "-c", NODE_COMMANDS["cgroups.txt"]]).stdout
            uids = {uid.replace("_", "-"): set[int]() for uid in re.findall(r"/pod([0-9a-f_-]{36})", text)}
            for line in text.splitlines():
                if found := re.match(r"(\d+) .*/pod([0-9a-f_-]{36})", line):
                    uids[found[2].replace("_", "-")].add(int(found[1]))
            for pod in pods:
                for pid in uids.get(pod["metadata"]["uid"], ()):
                    yield (node.name, pid), _top(plane.get, pod)

    def _flags(self) -> str:
        folder = self._cluster.work
        text = "".join(f"{name} {' '.join(flags)}\n" for name, flags in self._cluster.plane.flags.items())
        for real, usual in (
            (folder / "pki", "/etc/kubernetes/pki"),
            (folder / "control-plane/audit", "/var/log/kubernetes/audit"),
            (folder / "control-plane/etcd", "/var/lib/etcd"),
            (folder / "control-plane", "/etc/kubernetes"),
        ):
            text = text.replace(str(real), usual)
        return text

    def _requests(self, lines: list[bytes], deeds: tuple[Deed, ...]) -> Iterator[LabelledRequest]:
        """Whose every request of the log is; notes the addresses of actors inside pods."""
        by_address = {actor.address: name for name, actor in self._actors.items() if actor.address}
        by_id = {audit_id: deed for deed in deeds for audit_id in deed.audit_ids}
        seen = set[str]()
        for line in lines:
            event = json.loads(line)
            audit_id = event["auditID"]
            if audit_id in seen:
                continue
            seen.add(audit_id)
            address = (event.get("sourceIPs") or [""])[-1]
            actor = by_address.get(address, "")
            if not actor and audit_id in by_id:
                actor = by_id[audit_id].actor
                self._pod_addresses.setdefault(actor, set()).add(address)
            time = datetime.fromisoformat(event["requestReceivedTimestamp"])
            step = next((deed.step for deed in deeds if deed.actor == actor and deed.started <= time <= deed.ended), "")
            yield LabelledRequest(audit_id, actor or "cluster", step)

    def _labelled_actors(self, requests: tuple[LabelledRequest, ...]) -> dict[str, LabelledActor]:
        active = {request.actor for request in requests}
        actors = {
            name: LabelledActor(actor.role, (actor.address,) if actor.address else self._in_pods(name))
            for name, actor in self._actors.items()
            if name in active or actor.role == "intruder"
        }
        addresses = [node.address for node in self._cluster.nodes.values()]
        return {**actors, "cluster": LabelledActor("system", tuple(addresses))}

    def _in_pods(self, name: str) -> tuple[str, ...]:
        return tuple(sorted(self._pod_addresses.get(name, ())))

    def _labelled_processes(
        self, lines: list[bytes], requests: tuple[LabelledRequest, ...], deeds: tuple[Deed, ...]
    ) -> Iterator[LabelledProcess]:
        left = {place: deed for deed in deeds if deed.step for place in deed.processes}
        labelled = {request.audit_id: request for request in requests if request.step}
        made = dict[tuple[str, str, str], LabelledRequest]()
        for line in lines:
            event = json.loads(line)
            request = labelled.get(event["auditID"])
            if (
                request
                and event["verb"] in {"create", "patch", "update"}
                and event.get("responseStatus", {}).get("code", 0) < 300
            ):
                thing = event.get("objectRef", {})
                name = thing.get("name") or (event.get("requestObject") or {}).get("metadata", {}).get("name", "")
                made.setdefault((thing.get("resource", ""), thing.get("namespace", ""), name), request)
        for node, processes in self._processes.items():
            mine = dict[int, tuple[str, str]]()
            for pid, (parent, command) in sorted(processes.items()):  # a child's number is nearly always the higher one
                place = (node, pid)
                if place in left and _worth_labelling(command):
                    mine[pid] = (left[place].actor, left[place].step)
                elif self._owners.get(place) in made:
                    request = made[self._owners[place]]
                    mine[pid] = (request.actor, request.step)
                elif parent in mine:
                    mine[pid] = mine[parent]
                if pid in mine:
                    yield LabelledProcess(node, pid, command, *mine[pid])

    def _labelled_lines(self, deeds: tuple[Deed, ...]) -> Iterator[LabelledLine]:
        """Lines of the nodes' logs that a step into a container caused: they name it, at that time."""
        into = [deed for deed in deeds if deed.containers and deed.step]
        for node in self._cluster.nodes.values():
            for service in ("kubelet", "containerd"):
                for number, line in enumerate(node.log(service).splitlines(), 1):
                    time = _log_time(line)
                    deed = time and next(
                        (
                            deed
                            for deed in into
                            if deed.started <= time <= deed.ended and any(name in line for name in deed.containers)
                        ),
                        None,
                    )
                    if deed:
                        yield LabelledLine(f"nodes/{node.name}/{service}.log.gz", number, deed.actor, deed.step)

    def _leave_out(self) -> None:
        for pattern in self._script.keeping.leave_out:
            for path in sorted(self._evidence.rglob("*"), reverse=True):
                if fnmatch.fnmatch(str(path.relative_to(self._evidence)), pattern) and path.is_file():
                    path.unlink()


def _worth_labelling(command: str) -> bool:
    """Whether a new process is the step's own: kernel threads and the runtime's shims come and go by themselves."""
    return not command.startswith(("[", "ps ", "/usr/bin/containerd-shim", "runc"))


def _top(get: Any, thing: dict[str, Any], resource: str = "pods") -> tuple[str, str, str]:
    """Resource, namespace and name of the object that owns `thing` in the end."""
    meta = thing["metadata"]
    owners = meta.get("ownerReferences", [])
    if not owners:
        return resource, meta.get("namespace", ""), meta["name"]
    owner = owners[0]
    plural = owner["kind"].lower() + "s"
    prefix = "/api/v1" if owner["apiVersion"] == "v1" else f"/apis/{owner['apiVersion']}"
    above = (
        get(f"{prefix}/namespaces/{meta['namespace']}/{plural}/{owner['name']}") if owner["kind"] != "Node" else None
    )
    return _top(get, above, plural) if above else (plural, meta.get("namespace", ""), owner["name"])


def labelled_steps(deeds: tuple[Deed, ...]) -> Iterator[LabelledStep]:
    """The named steps in the order they began; deeds of one name are one step."""
    found = dict[tuple[str, str], LabelledStep]()
    for deed in sorted(deeds, key=lambda deed: deed.started):
        if deed.step:
            key = (deed.actor, deed.step)
            before = found.get(key)
            started = before.started if before else _stamp(deed.started)
            found[key] = LabelledStep(
                deed.actor, deed.step, before.phase if before else deed.phase, started, _stamp(deed.ended)
            )
    yield from found.values()


def _without(lines: list[bytes], gap: Gap, deeds: tuple[Deed, ...]) -> list[bytes]:
    inside = [deed for deed in deeds if deed.phase == gap.phase]
    if not inside:
        return lines
    first, last = min(deed.started for deed in inside), max(deed.ended for deed in inside)
    return [
        line
        for line in lines
        if not first <= datetime.fromisoformat(json.loads(line)["requestReceivedTimestamp"]) <= last
    ]


def _rotated(lines: list[bytes], size: int) -> Iterator[tuple[str, bytes]]:
    """The log as the API server rotates it: full files bear the time they were closed at, the last is audit.log."""
    files, used = [list[bytes]()], 0
    for line in lines:
        if size and used and used + len(line) > size:
            files.append([])
            used = 0
        files[-1].append(line)
        used += len(line)
    for number, part in enumerate(files, 1):
        closed = json.loads(part[-1])["stageTimestamp"][:23].replace(":", "-") if part else ""
        yield ("audit.log.gz" if number == len(files) else f"audit-{closed}.log.gz"), b"".join(part)


def _log_time(line: str) -> datetime | None:
    """The time of a klog or containerd line."""
    if found := re.match(r"[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{6})", line):
        return datetime.fromisoformat(f"{datetime.now(UTC).year}-{found[1]}-{found[2]}T{found[3]}+00:00")
    if found := re.match(r'time="([^"]{26})\d*Z"', line):
        return datetime.fromisoformat(f"{found[1]}+00:00")
    return None


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def write_gzip(path: Path, content: bytes) -> None:
    """Write `content` compressed, the same bytes every time; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 9, mtime=0))
