"""Labels of a namespace and the API server's configuration say what is enforced, and what is exempt."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.posture.pod_security import Enforced, LevelVersion, configuration_of, levels_of

_P = "pod-security.kubernetes.io/"
_BASELINE = LevelVersion("baseline")
_RESTRICTED = LevelVersion("restricted")
_NOTHING = LevelVersion("privileged")


def _labels(**modes: object) -> dict[str, object]:
    return {_P + key.replace("_", "-"): value for key, value in modes.items()}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, Enforced()),
        ({"pod-security.kubernetes.io": "restricted", "enforce": "restricted"}, Enforced()),
        (_labels(enforce="baseline"), Enforced(_BASELINE, _NOTHING, _BASELINE)),
        (_labels(enforce="baseline", warn="privileged"), Enforced(_BASELINE)),
        (_labels(enforce="baseline", warn="restricted"), Enforced(_BASELINE, warn=_RESTRICTED)),
        (_labels(audit="restricted"), Enforced(audit=_RESTRICTED)),
        (
            _labels(enforce="baseline", enforce_version="v1.29"),
            Enforced(LevelVersion("baseline", (1, 29)), _NOTHING, LevelVersion("baseline", (1, 29))),
        ),
        (
            _labels(enforce="baseline", enforce_version="v1.29", warn_version="v1.30"),
            Enforced(LevelVersion("baseline", (1, 29)), _NOTHING, LevelVersion("baseline", (1, 30))),
        ),
        (_labels(enforce_version="v1.29"), Enforced(LevelVersion("privileged", (1, 29)))),
        (_labels(enforce="baseline", enforce_version="latest"), Enforced(_BASELINE, _NOTHING, _BASELINE)),
    ],
)
def test_labels_say_the_levels(labels: dict[str, object], expected: Enforced) -> None:
    assert levels_of(labels) == expected


@pytest.mark.parametrize("value", ["Baseline", "baseline ", "strict", ""])
def test_a_level_nobody_can_read_enforces_most_and_audits_and_warns_of_nothing(value: str) -> None:
    found = levels_of(_labels(enforce=value, audit=value, warn=value))
    assert found[:3] == (_RESTRICTED, _NOTHING, _NOTHING)
    assert found.unreadable == tuple(_P + mode for mode in ("enforce", "audit", "warn"))
    assert levels_of(_labels(enforce=value)).warn == _NOTHING


@pytest.mark.parametrize(
    "value", ["1.29", "v1.029", "v2.0", "v1", "v1.29.1", "Latest", "v1.٢٩", "v1.29\n", f"v1.{'9' * 99}"]
)
def test_a_version_nobody_can_read_is_the_latest(value: str) -> None:
    found = levels_of(_labels(enforce="baseline", enforce_version=value))
    assert found.enforce == _BASELINE
    assert found.unreadable == (f"{_P}enforce-version",)


def test_a_label_that_is_no_text_is_no_label() -> None:
    assert levels_of(_labels(enforce=["restricted"], audit=None, warn=1)) == Enforced()


def _configuration(**fields: Any) -> dict[str, Any]:
    return {"kind": "PodSecurityConfiguration", **fields}


def test_the_configuration_of_the_api_server_says_what_labels_do_not() -> None:
    inner = _configuration(
        defaults={"enforce": "baseline", "enforce-version": "v1.30", "audit": "restricted"},
        exemptions={"usernames": ["jane"], "namespaces": ["kube-system"], "runtimeClasses": ["kata"]},
    )
    outer = {"kind": "AdmissionConfiguration", "plugins": [{"name": "PodSecurity", "configuration": inner}]}
    for document in (inner, outer):
        found = configuration_of(document)
        assert found
        assert found.defaults == Enforced(LevelVersion("baseline", (1, 30)), _RESTRICTED)
        assert levels_of({}, found.defaults) == found.defaults
        assert levels_of(_labels(enforce="privileged"), found.defaults).enforce.level == "privileged"
        assert found.exemptions.reason("kube-system", "jane", "") == "namespace"
        assert found.exemptions.reason("shop", "jane", "kata") == "user"
        assert found.exemptions.reason("shop", "eve", "kata") == "runtimeClass"
        assert found.exemptions.reason("kube-system2", "", "") == ""


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "EventRateLimitConfiguration"},
        {"kind": "AdmissionConfiguration", "plugins": [{"name": "PodSecurity", "path": "other.yaml"}]},
        {"kind": "AdmissionConfiguration", "plugins": [{"name": "Other", "configuration": _configuration()}]},
        {"kind": "AdmissionConfiguration", "plugins": [{"name": "PodSecurity", "configuration": {"kind": "Other"}}]},
        {"kind": "AdmissionConfiguration", "plugins": "PodSecurity"},
    ],
)
def test_other_configurations_are_none_of_it(document: dict[str, Any]) -> None:
    assert configuration_of(document) is None


def test_a_configuration_nested_in_itself_is_not_followed() -> None:
    document: dict[str, Any] = {"kind": "AdmissionConfiguration"}
    document["plugins"] = [{"name": "PodSecurity", "configuration": document}]
    assert configuration_of(document) is None


def test_levels_are_written_as_the_api_server_writes_them() -> None:
    assert [str(one) for one in (LevelVersion("baseline", (1, 9)), LevelVersion())] == [
        "baseline:v1.9",
        "privileged:latest",
    ]
