"""Kubernetes 1.20, the generation of the incidents: what it does that 1.34 no longer does, live."""

from __future__ import annotations

import re
from typing import Any

import pytest

from range.build import cache_folder, defect
from tests.range_live.played import Played, play

_MISSING = defect(cache_folder("1.20"))
pytestmark = pytest.mark.skipif(bool(_MISSING), reason=f"{cache_folder('1.20')}: {_MISSING}; run make range")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One node whose kubelet has no configuration file; its script says which answers there have to be."""
    return play("old_generation", tmp_path_factory.mktemp("old"))


def answered(old: Played, actor: str, wanted: str = "") -> list[dict[str, Any]]:
    """Events of an actor, or of one step, once each."""
    return [
        event
        for event, step in old.of(actor)
        if event["stage"] == "ResponseComplete" and (not wanted or step == wanted)
    ]


def test_the_labels_tell_the_version_that_ran_and_so_do_the_clients(old: Played) -> None:
    assert old.labels.kubernetes == "v1.20.2"
    agents = {event["userAgent"].split()[0] for event, _ in old.of("ops")}
    assert agents == {"kubectl/v1.20.2"}


def test_a_command_in_the_form_of_run_is_executed_in_the_pod(old: Played) -> None:
    """What it printed became the value of a config map."""
    (made,) = [event for event in answered(old, "ops") if event.get("objectRef", {}).get("resource") == "configmaps"]
    assert made["requestObject"]["data"] == {"said": "read from the form"}


def test_a_command_that_fails_is_in_the_kubelets_log_as_a_line_of_text_and_labelled(old: Played) -> None:
    file = "nodes/node1/kubelet.log.gz"
    lines = old.text(file).splitlines()
    found = [
        number
        for number, line in enumerate(lines, 1)
        if re.match(
            r"E\d{4} .* remote_runtime\.go:\d+\] ExecSync [0-9a-f]{64} 'yum install -y curl' from runtime", line
        )
    ]
    assert found
    assert {(file, number, "runs what fails") for number in found} <= {
        (one.file, one.line, one.step) for one in old.labels.lines
    }


def test_the_token_in_the_secret_is_the_accounts(old: Played) -> None:
    used = answered(old, "worm", "uses the token")
    assert {event["user"]["username"] for event in used} == {"system:serviceaccount:kube-system:default"}
    assert "/api/v1/nodes" in {event["requestURI"].partition("?")[0] for event in used}
    assert all(event["responseStatus"]["code"] == 200 for event in used)


def test_the_ports_without_tls_are_closed_as_kubeadm_did(old: Played) -> None:
    flags = old.text("control-plane/flags.txt")
    assert re.search(r"^kube-apiserver .*--insecure-port 0\b", flags, re.M)
    assert len(re.findall(r"^kube-(?:scheduler|controller-manager) .*--port 0\b", flags, re.M)) == 2
