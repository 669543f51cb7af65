"""Write the benign day: `python -m scenarios.benign_day.make`.

The background is that of rbac_buster, without the night, and without the binding that let the intruder in. In its
place an administrator does what administrators do and what must not look like an intrusion: a cluster-admin binding
for a colleague, `kubectl debug` of a node, a shell in a pod, the removal of a namespace.
"""

from __future__ import annotations

from scenarios.shipping import ship
from scenarios.synthetic import bodies
from scenarios.synthetic.bodies import Object
from scenarios.synthetic.day import Day
from scenarios.synthetic.wire import Log, dump, micros, ref

RBAC = "rbac.authorization.k8s.io"


def administer(day: Day) -> dict[str, list[str]]:
    """What the administrator does on top; auditIDs by deed."""
    deeds: dict[str, list[str]] = {"cluster_admin_for_a_colleague": [], "debug_a_node": []}
    log = day.log

    def bind(at: int) -> None:
        grant = bodies.cluster_role_binding("carol-cluster-admin", "cluster-admin", [bodies.user_subject("carol")])
        path = f"/apis/{RBAC}/v1/clusterrolebindings?fieldManager=kubectl-create"
        target = ref("clusterrolebindings", "", "carol-cluster-admin", group=RBAC)
        kept = dump(bodies.stored(log, grant, at, "kubectl-create"))
        deeds["cluster_admin_for_a_colleague"].append(
            log.request(
                at,
                day.admin,
                "create",
                path,
                target,
                code=201,
                level="RequestResponse",
                sent=dump(grant),
                returned=kept,
            )
        )

    def debug(at: int) -> None:
        deeds["debug_a_node"] += _debug_node(day, log, at)

    day.clock.once(day.at("15:12:48.2"), bind)
    day.clock.once(day.at("14:02:19.6"), debug)
    return deeds


def _debug_node(day: Day, log: Log, at: int) -> list[str]:
    """`kubectl debug node/k8s-worker-2 -it --image=busybox`: a pod with the host's root, then attach."""
    node, name = day.cluster.nodes[2], f"node-debugger-k8s-worker-2-{log.suffix()}"
    path = "/api/v1/namespaces/default/pods"
    mounts = [{"name": "host-root", "mountPath": "/host"}]
    spec = bodies.pod_spec(
        [bodies.container("debugger", "busybox", stdin=True, tty=True, volumeMounts=mounts)],
        volumes=[{"name": "host-root", "hostPath": {"path": "/", "type": ""}}],
        restartPolicy="Never",
        nodeName=node.name,
        hostNetwork=True,
        hostPID=True,
        hostIPC=True,
        tolerations=[{"operator": "Exists"}],
    )
    meta: Object = {"name": name, "namespace": "default", "creationTimestamp": None}
    pod: Object = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": {}}
    kept = bodies.stored(log, pod | {"spec": bodies.with_token_volume(spec, log.suffix())}, at, "kubectl-debug")
    uid = kept["metadata"]["uid"]
    target = ref("pods", "default", name)
    ids = [
        log.request(at, day.admin, "get", f"/api/v1/nodes/{node.name}", ref("nodes", "", node.name)),
        log.request(
            at + 60_000, day.admin, "create", path, target, code=201, level="RequestResponse", sent=dump(pod),
            returned=dump(kept),
        ),
        log.request(
            at + 3_100_000, day.admin, "create",
            f"{path}/{name}/attach?container=debugger&stdin=true&stdout=true&tty=true",
            ref("pods", "default", name, sub="attach"), code=101, level="Request", long=412_000_000,
        ),
    ]  # fmt: skip
    status = bodies.pod_status_patch(log, uid, spec["containers"], node.ip, node.ip, at + 2_000_000)
    log.request(
        at + 2_000_000, node.kubelet, "patch", f"{path}/{name}/status", ref("pods", "default", name, sub="status"),
        level="Request", sent=status,
    )  # fmt: skip
    options = dump({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
    ids.append(
        log.request(at + 430_000_000, day.admin, "delete", f"{path}/{name}", target, level="Request", sent=options)
    )
    log.request(
        at + 432_000_000, node.kubelet, "delete", f"{path}/{name}", target, level="Request",
        sent=dump({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}),
    )  # fmt: skip
    return ids


def main() -> None:
    """Write log and expectation."""
    day = Day(20221023, "2022-10-23")
    deeds = administer(day)
    first, last = micros("2022-10-23T05:00:00Z"), micros("2022-10-23T21:50:00Z")
    lines = day.lines(first, last)
    expected = {
        "scenario": "benign_day",
        "events": len(lines),
        "incidents": [],
        "deeds_of_the_administrator": deeds,
    }
    folder = ship("benign_day", lines, expected, "What an investigation finds here: no incident. Written by make.py.")
    print(f"{folder}: {len(lines)} events, {(folder / 'audit.log.gz').stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
