# ruff: noqa: PLR0917
"""Kubernetes objects as they stand in `requestObject` and `responseObject`: what a client sent, what the server made
of it.

Field order follows the Go types (metadata before spec before status), defaults are those the API server fills in.
"""

from __future__ import annotations

from typing import Any

from scenarios.synthetic.wire import Log, dump, stamp_seconds

Object = dict[str, Any]

_TERMINATION = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}


def fields(paths: Any) -> Object:
    """`fieldsV1` of an object: one `f:` key per key of it."""
    if not isinstance(paths, dict):
        return {}
    return {f"f:{key}": fields(value) for key, value in paths.items()}


def managed(manager: str, version: str, at: int, content: Object, operation: str = "Update", sub: str = "") -> Object:
    """One `managedFields` entry."""
    entry: Object = {
        "manager": manager,
        "operation": operation,
        "apiVersion": version,
        "time": stamp_seconds(at),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields(content),
    }
    return entry | ({"subresource": sub} if sub else {})


def stored(log: Log, body: Object, at: int, manager: str, uid: str = "") -> Object:
    """`body` after the server took it: uid, resourceVersion, creationTimestamp, generation, managedFields added."""
    given = dict(body["metadata"])
    meta: Object = {}
    for key in ("name", "generateName", "namespace"):
        if key in given:
            meta[key] = given.pop(key)
    given.pop("creationTimestamp", None)
    meta |= {"uid": uid or log.uuid(), "resourceVersion": log.rv()}
    if "spec" in body and body["kind"] != "Pod":
        meta["generation"] = 1
    meta["creationTimestamp"] = stamp_seconds(at)
    content: Object = {key: body[key] for key in body if key not in ("kind", "apiVersion", "metadata", "status")}
    meta |= given | {"managedFields": [managed(manager, body["apiVersion"], at, content)]}
    return {**body, "metadata": meta}


def container(name: str, image: str, **more: Any) -> Object:
    """A container with the server's defaults."""
    return {"name": name, "image": image, **more, "resources": more.get("resources", {}), **_TERMINATION}


def pod_spec(containers: list[Object], account: str = "default", **more: Any) -> Object:
    """A pod spec with the server's defaults."""
    return {
        **({"volumes": more.pop("volumes")} if "volumes" in more else {}),
        "containers": containers,
        "restartPolicy": more.pop("restartPolicy", "Always"),
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        **({"serviceAccountName": account, "serviceAccount": account} if account != "default" else {}),
        "securityContext": {},
        **more,
        "schedulerName": "default-scheduler",
    }


def owner(version: str, kind: str, name: str, uid: str) -> Object:
    """The controlling `ownerReferences` entry."""
    return {
        "apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def daemon_pod_placement(node: str, tolerations: list[Object]) -> Object:
    """What the DaemonSet controller adds to a pod: affinity to its node and the tolerations of daemons."""
    expression = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    pressure = ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
    return {
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [expression]}}
        },
        "tolerations": [
            *tolerations,
            *(
                {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
                for key in ("not-ready", "unreachable")
            ),
            *({"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoSchedule"} for key in pressure),
        ],
    }


def with_token_volume(spec: Object, suffix: str) -> Object:
    """A pod spec after the ServiceAccount admission plugin mounted the token into every container."""
    name = f"kube-api-access-{suffix}"
    mount = {"name": name, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    down = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    volume = {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [down]}},
            ],
            "defaultMode": 420,
        },
    }
    containers = [{**c, "volumeMounts": [*c.get("volumeMounts", []), mount]} for c in spec["containers"]]
    return {**spec, "volumes": [*spec.get("volumes", []), volume], "containers": containers}


def pod_status_patch(
    log: Log, uid: str, containers: list[Object], node_ip: str, pod_ip: str, at: int, *, finished: int = 0
) -> str:
    """The kubelet's strategic merge patch of `pods/status` once the containers run (or have `finished`)."""
    now = stamp_seconds(at)
    done = bool(finished)
    statuses = []
    for each in containers:
        digest = f"{log.rng.getrandbits(256):064x}"
        state: Object = {"running": {"startedAt": now}}
        if done:
            state = {
                "terminated": {
                    "exitCode": 0, "reason": "Completed", "startedAt": now,
                    "finishedAt": stamp_seconds(finished), "containerID": f"containerd://{digest}",
                }
            }  # fmt: skip
        statuses.append(
            {
                "name": each["name"],
                "state": state,
                "lastState": {},
                "ready": not done,
                "restartCount": 0,
                "image": each["image"] if "." in each["image"].split("/")[0] else f"docker.io/{each['image']}",
                "imageID": f"{each['image'].split(':')[0]}@sha256:{log.rng.getrandbits(256):064x}",
                "containerID": f"containerd://{digest}",
                "started": not done,
            }
        )
    order = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
    conditions: list[Object] = [{"lastTransitionTime": now, "status": "True", "type": kind} for kind in order[1:3]]
    return dump(
        {
            "metadata": {"uid": uid},
            "status": {
                "$setElementOrder/conditions": [{"type": kind} for kind in order],
                "conditions": conditions,
                "containerStatuses": statuses,
                "hostIP": node_ip,
                "phase": "Succeeded" if done else "Running",
                "podIP": pod_ip,
                "podIPs": [{"ip": pod_ip}],
                "startTime": now,
            },
        }
    )


def node_status_patch(at: int) -> str:
    """The kubelet's heartbeat: four conditions with new times."""
    now = stamp_seconds(at)
    conditions = [
        ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available", "False"),
        ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure", "False"),
        ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available", "False"),
        ("Ready", "KubeletReady", "kubelet is posting ready status", "True"),
    ]
    return dump(
        {
            "status": {
                "$setElementOrder/conditions": [{"type": "NetworkUnavailable"}, *({"type": c[0]} for c in conditions)],
                "conditions": [
                    {"lastHeartbeatTime": now, "message": text, "reason": reason, "status": status, "type": kind}
                    for kind, reason, text, status in conditions
                ],
            }
        }
    )


def binding_of_pod(name: str, namespace: str, uid: str, node: str) -> str:
    """What the scheduler posts to `pods/binding`."""
    return dump(
        {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": None},
            "target": {"kind": "Node", "name": node},
        }
    )


def success(kind: str = "", name: str = "", uid: str = "", group: str = "") -> str:
    """The Status answered to a successful request that returns no object."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if kind:
        details = {"name": name, "group": group, "kind": kind, "uid": uid}
        body["details"] = {key: value for key, value in details.items() if value}
    return dump(body if kind else body | {"code": 201})


def cluster_role_binding(name: str, role: str, subjects: list[Object]) -> Object:
    """A ClusterRoleBinding to a ClusterRole."""
    return {
        "kind": "ClusterRoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": name, "creationTimestamp": None},
        "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    }


def user_subject(name: str) -> Object:
    """A subject of kind User."""
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def account_subject(namespace: str, name: str) -> Object:
    """A subject of kind ServiceAccount."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
