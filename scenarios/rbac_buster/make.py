"""Write the demo scenario: `python -m scenarios.rbac_buster.make`.

The timeline is that of a honeypot's audit log published after 2022-10-23 (the campaign later called "RBAC Buster"):
times, verbs, objects, programs and answers of the intruder are kept; the cluster, its nodes, addresses and the benign
day around it are invented. In that log the intruder deletes the binding that let it in, and its own: what is left on
the cluster afterwards shows neither.
"""

from __future__ import annotations

from typing import Any

from scenarios.shipping import ship
from scenarios.synthetic import bodies
from scenarios.synthetic.day import Day
from scenarios.synthetic.intruders import Intruder, rbac_buster
from scenarios.synthetic.wire import dump, ref, stamp

ADDRESS = "203.0.113.77"  # RFC 5737, documentation
DOOR, RBAC = "cluster-system-anonymous", "rbac.authorization.k8s.io"
ACCOUNT = "system:serviceaccount:kube-system:default"
BEGIN = "17:30:24.602"

# step: what it is in ATT&CK, how it touches its objects, which objects
STEPS: tuple[tuple[str, list[str], str, list[str]], ...] = (
    ("list_all_secrets", ["T1190", "T1078.001", "T1552.007"], "read", ["secrets"]),
    ("backdoor_binding", ["T1098.006"], "create", ["clusterrolebindings/kube-controller-manager"]),
    ("steal_token", ["T1552.007"], "read", ["kube-system/secrets"]),
    ("discovery", ["T1613"], "read", []),
    (
        "rival_cleanup", ["T1531"], "delete",
        [
            "default/deployments/worker-deployment", "kube-system/deployments/api-proxy",
            "default/pods/kube-secure-fhgxtsjh", "default/pods/kube-secure-fhgxt", "kube-sytem/daemonsets/api-proxy",
        ],
    ),
    ("deploy_miner", ["T1610", "T1036.005", "T1496.001"], "create", ["kube-system/daemonsets/kube-controller"]),
    ("close_door", ["T1070"], "delete", [f"clusterrolebindings/{DOOR}"]),
    ("delete_backdoor", ["T1070"], "delete", ["clusterrolebindings/kube-controller-manager"]),
    ("refused_storm", ["T1613"], "refused", []),
)  # fmt: skip


def expectation(
    him: Intruder, made: dict[str, str], pods: list[tuple[str, str]], day: Day, events: int
) -> dict[str, Any]:
    """What an investigation has to say about this log."""
    by_step: dict[str, list[str]] = {}
    for label in him.labels:
        by_step.setdefault(label.step, []).append(label.audit_id)
    steps = [
        {"step": name, "techniques": techniques, "act": act, "objects": objects, "audit_ids": by_step[name]}
        for name, techniques, act, objects in STEPS
    ]
    incident = {
        "addresses": [ADDRESS],
        "identities": ["system:anonymous", ACCOUNT],
        "agents": ["python-requests/2.27.1", "curl/7.64.0", "kubectl/v1.24.4 (linux/amd64) kubernetes/95ee5ab"],
        "entry_point": {
            "audit_id": by_step["list_all_secrets"][0],
            "time": stamp(day.at(BEGIN)),
            "identity": "system:anonymous",
            "address": ADDRESS,
        },
        "root_causes": [
            {
                "kind": "ClusterRoleBinding",
                "name": DOOR,
                "role": "ClusterRole cluster-admin",
                "subject": "User system:anonymous",
                "created_by": "kubernetes-admin",
                "created_audit_id": made["door"],
                "deleted_by": ACCOUNT,
                "deleted_audit_id": by_step["close_door"][0],
            }
        ],
        "steps": steps,
        "objects": {
            "created": ["clusterrolebindings/kube-controller-manager", "kube-system/daemonsets/kube-controller"],
            "deleted": [f"clusterrolebindings/{DOOR}", "clusterrolebindings/kube-controller-manager"],
        },
        "image": "kubrnetesio/kube-controller:1.0.1",
        "pods": [f"kube-system/{pod}" for pod, _ in pods],
        "nodes": [node for _, node in pods],
        "audit_ids": [label.audit_id for label in him.labels],
    }
    return {"scenario": "rbac_buster", "events": events, "incidents": [incident]}


def main() -> None:
    """Write log and expectation."""
    day = Day(20221023, "2022-10-23")
    made: dict[str, str] = {}
    found: list[tuple[Intruder, list[tuple[str, str]]]] = []
    door_uid = day.log.uuid()

    def open_door(at: int) -> None:
        """The administrator's mistake, forty minutes before."""
        grant = bodies.cluster_role_binding(DOOR, "cluster-admin", [bodies.user_subject("system:anonymous")])
        made["door"] = day.log.request(
            at, day.admin, "create", f"/apis/{RBAC}/v1/clusterrolebindings?fieldManager=kubectl-create",
            ref("clusterrolebindings", "", DOOR, group=RBAC), code=201, level="RequestResponse", sent=dump(grant),
            returned=dump(bodies.stored(day.log, grant, at, "kubectl-create", door_uid)),
        )  # fmt: skip
        day.door = DOOR

    def shut_door(_: int) -> None:
        day.door = ""

    def break_in(at: int) -> None:
        found.append(rbac_buster(day.traffic, at, ADDRESS, door=DOOR, door_uid=door_uid))

    day.clock.once(day.at("16:50:11.938"), open_door)
    day.clock.once(day.at(BEGIN), break_in)
    day.clock.once(day.at("17:39:40.748"), shut_door)
    lines = day.lines()
    him, pods = found[0]
    expected = expectation(him, made, pods, day, len(lines))
    folder = ship("rbac_buster", lines, expected, "What an investigation has to find here. Written by make.py.")
    print(f"{folder}: {len(lines)} events, {(folder / 'audit.log.gz').stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
