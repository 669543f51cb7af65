"""Documents are evidence: whatever they hold, there is an answer, and it does not grow beyond them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.posture.pod_security import Level, configuration_of, evaluate, levels_of, pod_of, sentence
from kubewitness.posture.pod_security.wording import go_quote
from tests.posture.pod_security.made_up import changed, clean, container, failed

_KEYS = (
    "metadata", "annotations", "spec", "template", "jobTemplate", "securityContext", "containers", "initContainers",
    "ephemeralContainers", "volumes", "hostPath", "name", "ports", "hostPort", "containerPort", "hostNetwork",
    "hostPID", "hostUsers", "os", "privileged", "capabilities", "add", "drop", "seccompProfile", "appArmorProfile",
    "type", "seLinuxOptions", "user", "role", "procMount", "sysctls", "windowsOptions", "hostProcess",
    "runAsUser", "runAsNonRoot", "allowPrivilegeEscalation", "livenessProbe", "lifecycle", "preStop", "httpGet", "host",
    "kind", "plugins", "configuration", "exemptions", "container.apparmor.security.beta.kubernetes.io/a",
)  # fmt: skip
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["windows", "Unconfined", "ALL", "Pod", "Deployment", "AdmissionConfiguration", 10**40, -1])
)  # fmt: skip
_DOCUMENTS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS) | st.integers(), inner, max_size=5)
    ),
    max_leaves=30,
)


@settings(max_examples=60, deadline=None)
@given(
    document=st.dictionaries(st.sampled_from(_KEYS), _DOCUMENTS, max_size=6),
    inner=_DOCUMENTS,
    minor=st.integers(-1, 50),
)
def test_nothing_raises(document: dict[str, Any], inner: Any, minor: int) -> None:
    levels: tuple[Level, ...] = ("baseline", "restricted")
    for level in levels:
        for pod in (document, {"metadata": inner, "spec": document}, {"spec": {"containers": [inner, document]}}):
            sentence(evaluate(pod, level, (1, minor)))
    pod_of(document)
    levels_of(document)
    configuration_of(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.hostPID", "true"),
        ("spec.hostPID", 1),
        ("spec.containers[0].securityContext.privileged", "yes"),
        ("spec.containers[0].securityContext.runAsUser", False),
        ("spec.containers[0].securityContext.runAsUser", 0.0),
        ("spec.containers[0].ports[0].hostPort", "80"),
        ("spec.containers[0].ports[0].hostPort", 2**31),
        ("spec.volumes[0].hostPath", "/"),
        ("spec.volumes", {"hostPath": {}}),
        ("spec.initContainers", "ab"),
        ("metadata.annotations", ["container.apparmor.security.beta.kubernetes.io/app"]),
    ],
)
def test_a_value_of_another_type_is_as_if_it_were_not_there(path: str, value: Any) -> None:
    """An API server refuses the whole document, so no pod of it ever ran."""
    assert evaluate(changed((path, value)), "restricted") == []


def test_a_number_too_long_to_be_written_is_no_port() -> None:
    assert evaluate(changed(("spec.containers[0].ports[0].hostPort", 10**5000)), "baseline") == []


def test_a_null_in_a_list_is_an_empty_element_as_go_reads_it() -> None:
    pod = clean()
    pod["spec"]["containers"].append(None)
    assert {one.detail.split('"')[1] for one in evaluate(pod, "restricted")} == {""}
    pod["spec"]["containers"][1] = 7
    assert evaluate(pod, "restricted") == []


def test_a_container_that_cannot_be_read_does_not_shift_the_paths_of_the_next() -> None:
    pod = changed(("spec.containers", [7, container("a")]), ("spec.containers[1].securityContext.privileged", True))
    assert evaluate(pod, "baseline")[0].paths == ("spec.containers[1].securityContext.privileged",)


def test_two_thousand_containers_with_long_names_cost_what_they_are() -> None:
    pod = {"spec": {"containers": [{"name": "x" * 500} for _ in range(2_000)]}}
    found = evaluate(pod, "restricted")
    assert len(found) == 4
    assert len(sentence(found)) < 4 * len(json.dumps(pod))


def test_a_value_of_an_annotation_is_quoted_as_go_quotes_it() -> None:
    text = 'a"\\\n\x00\x7f\u200b\u00e9\u4e2d\u00a0\U0001f600\U000e0001\ud800'
    expected = r'"a\"\\\n\x00\x7f\u200b' + "\u00e9\u4e2d" + r"\u00a0" + "\U0001f600" + r'\U000e0001\ufffd"'
    assert go_quote(text) == expected
    path = 'metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"]'
    assert failed(changed((path, text)), "baseline", (1, 18)) == {"seccompProfile_baseline"}
