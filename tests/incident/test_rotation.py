"""Whatever lay open is among what to rotate: in the list, in the state and in the advice."""

from __future__ import annotations

from typing import Any

from kubewitness.model.incident import Incident
from tests.incident.conftest import Investigate
from tests.incident.exposure.test_exposure import SPEC, _log
from tests.incident.identity.test_attribution import only
from tests.incident.logs import Log
from tests.incident.verdicts.test_pace import STOLEN


def _entered(log: Log, command: str = "id") -> None:
    body: dict[str, Any] = {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}, "spec": SPEC}
    log.request("get", "pods", at="14:02", namespace="shop", name="web-1", response=body, **STOLEN)
    log.request("create", "pods", at="14:03", namespace="shop", name="web-1", subresource="exec", code=101,
                query=f"?command={command}", **STOLEN)  # fmt: skip


def _listed(incident: Incident) -> list[str]:
    return [f"{one.namespace}/{one.name}" for one in incident.secrets]


def _advice(incident: Incident) -> list[str]:
    return [action.command for action in incident.actions if action.title.en.startswith("Rotate")]


def test_a_token_and_secrets_of_a_pod_that_was_entered_are_rotated(judged: Investigate) -> None:
    log = _log()
    _entered(log, "cat%20/var/run/secrets/kubernetes.io/serviceaccount/token")
    incident = only(judged(log))
    assert {"shop/web", "shop/db", "shop/gateway"} <= set(_listed(incident))
    assert _listed(incident) == sorted(_listed(incident))
    assert f"{len(incident.secrets)} to rotate" in [said.en for _, said in incident.status]
    (command,) = _advice(incident)
    assert "# shop/web: its token lies in pod shop/web-1, which the intruder entered" in command
    assert sum(line.startswith("# ") for line in command.splitlines()) == len(incident.secrets)


def test_what_a_list_of_all_secrets_has_is_not_told_again_by_name(judged: Investigate) -> None:
    log = _log()
    log.request("list", "secrets", at="14:01", namespace="shop", **STOLEN)
    _entered(log)
    listed = _listed(only(judged(log)))
    assert {"shop/", "shop/web"} <= set(listed)  # a token is no Secret of the list
    assert not {"shop/db", "shop/gateway"} & set(listed)


def test_a_right_that_was_not_used_is_nothing_to_rotate(judged: Investigate) -> None:
    incident = only(judged(_log()))
    exposed = {(one.object.namespace, one.object.name) for one in incident.exposures if one.detail == "possible"}
    assert not exposed & {(one.namespace, one.name) for one in incident.secrets}
