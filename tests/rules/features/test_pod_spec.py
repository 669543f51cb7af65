"""Claims about pod specs: every place and form in which a request can carry one, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.rules.features.pod_spec import pod_specs, registry_of
from tests.corpus import CORPUS, needs_corpus
from tests.rules.features.events import event, first_event, read, request

PRIVILEGED = {"name": "miner", "image": "evil/x", "securityContext": {"privileged": True}}
PLAIN = {"name": "web", "image": "nginx:1.27"}
FALCO = "falcosecurity__falco/test/trace_files/k8s_audit"


@pytest.mark.parametrize(
    ("resource", "body", "verb", "subresource"),
    [
        ("pods", {"spec": {"containers": [PLAIN, PRIVILEGED]}}, "create", ""),
        ("pods", {"spec": {"containers": [PLAIN], "initContainers": [PRIVILEGED]}}, "create", ""),
        ("deployments", {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}}, "update", ""),
        (
            "cronjobs",
            {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}}}},
            "create",
            "",
        ),
        ("podtemplates", {"template": {"spec": {"containers": [PRIVILEGED]}}}, "create", ""),
        # A custom resource with a pod template (Argo Rollouts, Knative).
        ("rollouts", {"spec": {"template": {"spec": {"containers": [PRIVILEGED]}}}}, "create", ""),
        # Strategic merge patch that adds an init container.
        (
            "deployments",
            {
                "spec": {
                    "template": {
                        "spec": {
                            "$setElementOrder/initContainers": [{"name": "miner"}],
                            "initContainers": [PRIVILEGED],
                        }
                    }
                }
            },
            "patch",
            "",
        ),
        # Merge patch that turns an existing container privileged: no image, no name needed.
        ("pods", {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}, "patch", ""),
        # Server-side apply: the whole manifest as JSON.
        (
            "daemonsets",
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "metadata": {"name": "a"},
                "spec": {"template": {"spec": {"containers": [PRIVILEGED]}}},
            },
            "patch",
            "",
        ),
        # JSON patches, from the whole object down to the one boolean.
        ("deployments", [{"op": "add", "path": "/spec/template/spec/containers/-", "value": PRIVILEGED}], "patch", ""),
        (
            "deployments",
            [
                {"op": "test", "path": "/spec/replicas", "value": 1},
                {
                    "op": "replace",
                    "path": "/spec/template/spec/containers/0/securityContext",
                    "value": {"privileged": True},
                },
            ],
            "patch",
            "",
        ),
        (
            "deployments",
            [{"op": "add", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": True}],
            "patch",
            "",
        ),
        ("pods", [{"op": "replace", "path": "", "value": {"spec": {"containers": [PRIVILEGED]}}}], "patch", ""),
        # A later operation reaches into the value of an earlier one.
        (
            "deployments",
            [
                {"op": "add", "path": "/spec/template/spec/containers/1", "value": PLAIN},
                {
                    "op": "add",
                    "path": "/spec/template/spec/containers/1/securityContext",
                    "value": {"privileged": True},
                },
            ],
            "patch",
            "",
        ),
        ("pods", {"spec": {"ephemeralContainers": [PRIVILEGED]}}, "patch", "ephemeralcontainers"),
        ("pods", {"kind": "EphemeralContainers", "ephemeralContainers": [PRIVILEGED]}, "update", "ephemeralcontainers"),
        (
            "pods",
            [{"op": "add", "path": "/spec/ephemeralContainers/-", "value": PRIVILEGED}],
            "patch",
            "ephemeralcontainers",
        ),
        ("", {"kind": "PodList", "items": [{"kind": "Pod", "spec": {"containers": [PRIVILEGED]}}]}, "create", ""),
        (
            "",
            {"kind": "List", "items": [{}, {"kind": "Pod", "spec": {"containers": [PRIVILEGED]}}]},
            "create",
            "",
        ),
    ],
)
def test_a_privileged_container_is_seen_in_every_form(resource: str, body: Any, verb: str, subresource: str) -> None:
    assert read("podSpec.privileged", request(resource, body, verb, subresource)) == (True,)


@pytest.mark.parametrize(
    ("resource", "body", "verb", "subresource"),
    [
        ("deployments", {"spec": {"replicas": 3}}, "patch", ""),
        ("deployments", {"spec": {"template": {"metadata": {"annotations": {"restartedAt": "now"}}}}}, "patch", ""),
        ("deployments", {"spec": {"replicas": 0}}, "patch", "scale"),
        ("pods", {"status": {"phase": "Running"}}, "patch", "status"),
        # The API server drops a spec sent to status.
        ("pods", {"spec": {"containers": [PRIVILEGED]}}, "patch", "status"),
        ("pods", {"kind": "Eviction", "spec": {"containers": [PRIVILEGED]}}, "create", "eviction"),
        ("nodes", {"spec": {"podCIDR": "10.0.0.0/24"}}, "update", ""),
        ("machinedeployments", {"spec": {"template": {"spec": {"bootstrap": {}}}}}, "create", ""),
        ("configmaps", {"data": {"pod.yaml": "privileged: true"}}, "create", ""),
        ("deployments", [{"op": "remove", "path": "/spec/template/spec/containers/0"}], "patch", ""),
        ("pods", None, "create", ""),
    ],
)
def test_a_body_without_a_pod_spec_has_no_pod_fields(resource: str, body: Any, verb: str, subresource: str) -> None:
    without = request(resource, body, verb, subresource)
    assert pod_specs(without) == ()
    assert read("podSpec.privileged", without) == read("podSpec.hasLimits", without) == ()


@pytest.mark.parametrize(
    "container",
    [
        PLAIN,
        {**PLAIN, "securityContext": {"privileged": False}},
        {**PLAIN, "securityContext": {"privileged": "true"}},
        {**PRIVILEGED, "$patch": "delete"},
        "privileged",
    ],
)
def test_a_pod_that_is_not_privileged_says_so(container: Any) -> None:
    assert read("podSpec.privileged", request("pods", {"spec": {"containers": [container]}})) == (False,)


def test_everything_a_spec_says_is_read() -> None:
    spec = {
        "hostNetwork": True,
        "hostPID": True,
        "serviceAccountName": "admin",
        "nodeName": "n1",
        "priorityClassName": "system-node-critical",
        "tolerations": [{"key": "a", "operator": "Equal"}, {"operator": "Exists"}],
        "securityContext": {"runAsUser": 0},
        "volumes": [
            {"name": "root", "hostPath": {"path": "//"}},
            {"name": "log", "hostPath": {"path": "/var/log/"}},
            {"name": "gone", "hostPath": {"path": "/gone"}, "$patch": "delete"},
            {"name": "token", "projected": {"sources": []}},
        ],
        "containers": [
            {
                "name": "c",
                "image": "quay.io/a/b:1",
                "command": ["sh", "-c"],
                "args": ["xmrig -o pool:3333"],
                "env": [{"name": "WALLET", "value": "44x"}, {"name": "FROM", "valueFrom": {}}],
                "ports": [{"hostPort": 8080}, {"containerPort": 1}],
                "lifecycle": {"postStart": {"exec": {"command": ["curl", "evil"]}}},
                "securityContext": {
                    "allowPrivilegeEscalation": True,
                    "procMount": "Unmasked",
                    "runAsUser": 1000,
                    "capabilities": {"add": ["SYS_ADMIN", "CAP_net_raw"], "drop": ["ALL"]},
                },
                "resources": {"limits": {"cpu": "1"}},
            },
            {"name": "d", "image": "busybox"},
        ],
    }
    pod = request("pods", {"spec": spec})
    expected = {
        "hostNetwork": (True,),
        "hostPID": (True,),
        "hostIPC": (False,),
        "shareProcessNamespace": (False,),
        "tolerateAll": (True,),
        "allowPrivilegeEscalation": (True,),
        "hasLimits": (False,),
        "ephemeral": (False,),
        "hostPath": ("/", "/var/log"),
        "volumeTypes": ("hostPath", "projected"),
        "capabilities": ("SYS_ADMIN", "NET_RAW"),
        "images": ("quay.io/a/b:1", "busybox"),
        "registries": ("quay.io", "docker.io"),
        "commands": ("sh -c xmrig -o pool:3333", "curl evil"),
        "env": ("WALLET=44x", "FROM="),
        "serviceAccountName": ("admin",),
        "nodeName": ("n1",),
        "containerNames": ("c", "d"),
        "runAsUser": (0, 1000),
        "procMount": ("Unmasked",),
        "hostPorts": (8080,),
        "priorityClassName": ("system-node-critical",),
    }
    assert {name: read(f"podSpec.{name}", pod) for name in expected} == expected


def test_limits_are_judged_on_whole_containers_only() -> None:
    limited = {**PLAIN, "resources": {"limits": {"cpu": "1"}}}
    debug = {"name": "d", "image": "busybox"}
    assert read("podSpec.hasLimits", request("pods", {"spec": {"containers": [limited]}})) == (True,)
    attached = {"spec": {"containers": [limited], "ephemeralContainers": [debug]}}
    assert read("podSpec.hasLimits", request("pods", attached, "patch", "ephemeralcontainers")) == (True,)
    retag = [{"op": "replace", "path": "/spec/containers/0/name", "value": "x"}]
    assert read("podSpec.hasLimits", request("pods", retag, "patch")) == ()


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
        ({"operator": "Exists", "key": "node-role.kubernetes.io/control-plane"}, False),
        ({"operator": "Equal"}, False),
    ],
)
def test_only_a_toleration_without_key_tolerates_all(toleration: dict[str, str], expected: bool) -> None:
    pod = request("pods", {"spec": {"containers": [], "tolerations": [toleration]}})
    assert read("podSpec.tolerateAll", pod) == (expected,)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("nginx", "docker.io"),
        ("library/nginx:1", "docker.io"),
        ("index.docker.io/a/b", "docker.io"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io"),
        ("localhost/a", "localhost"),
        ("10.0.0.1:5000/a@sha256:00", "10.0.0.1:5000"),
        ("nginx:1.27", "docker.io"),
    ],
)
def test_the_registry_of_an_image(image: str, registry: str) -> None:
    assert registry_of(image) == registry


def test_reading_a_patch_leaves_the_body_as_it_was() -> None:
    body = [
        {"op": "add", "path": "/spec/containers/0", "value": {"name": "a"}},
        {"op": "add", "path": "/spec/containers/0/image", "value": "b"},
    ]
    patch = request("pods", body, "patch")
    assert read("podSpec.images", patch) == ("b",)
    assert patch.request_object == body


def test_the_response_of_a_read_is_no_pod_that_was_made() -> None:
    listing = event(
        verb="list",
        objectRef={"resource": "pods"},
        responseObject={"kind": "PodList", "items": [{"spec": {"containers": [PRIVILEGED]}}]},
    )
    assert pod_specs(listing) == ()


@needs_corpus
@pytest.mark.parametrize(
    ("trace", "field", "expected"),
    [
        ("create_nginx_pod_privileged", "podSpec.privileged", (True,)),
        ("create_nginx_pod_privileged_2nd_container", "podSpec.privileged", (True,)),
        ("create_nginx_pod_no_secctx_1st_container_privileged_2nd_container", "podSpec.privileged", (True,)),
        ("create_nginx_pod_unprivileged", "podSpec.privileged", (False,)),
        ("create_nginx_pod_hostnetwork", "podSpec.hostNetwork", (True,)),
        ("create_nginx_pod_nohostnetwork", "podSpec.hostNetwork", (False,)),
        ("create_nginx_pod_sensitive_mount_2nd_container", "podSpec.hostPath", ("/etc",)),
        ("create_deployment", "podSpec.images", ("nginx",)),
    ],
)
def test_real_pods(trace: str, field: str, expected: tuple[object, ...]) -> None:
    assert CORPUS is not None
    assert read(field, first_event(CORPUS / FALCO / f"{trace}.json")) == expected
