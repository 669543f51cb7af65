"""Real wrappers nobody here wrote: how many events come out of each, of which format, and what the rest is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewitness.evidence.documents import frame_documents
from kubewitness.evidence.opening import walk
from kubewitness.model.event import Event
from kubewitness.model.evidence import Note, ParseFailure
from kubewitness.sources.records import Seen, read_record
from tests.corpus import CORPUS, needs_corpus

pytestmark = needs_corpus

OPENSHIFT = "openshift__cluster-logging-operator/hack/logsamples"
KHI = "GoogleCloudPlatform__khi/test/logs"


def readings(*paths: str) -> tuple[list[Event], list[ParseFailure], list[Note], Counter[str]]:
    """Everything in files of the corpus."""
    assert CORPUS is not None
    events: list[Event] = []
    failures: list[ParseFailure] = []
    notes: list[Note] = []
    seen = Seen()
    for source in walk([str(CORPUS / path) for path in paths]):
        assert not source.error
        for frame in frame_documents(source.open(), source.name):
            if isinstance(frame, ParseFailure):
                failures.append(frame)
                continue
            for reading in read_record(frame.data, frame.place, seen):
                if isinstance(reading, Event):
                    events.append(reading)
                elif isinstance(reading, ParseFailure):
                    failures.append(reading)
                else:
                    notes.append(reading)
    return events, failures, notes, seen.formats


@pytest.mark.parametrize(
    ("path", "formats"),
    [
        (f"{OPENSHIFT}/otlp_audit_kube.json", {"OTLP": 3}),
        (f"{OPENSHIFT}/otlp_audit_openshift.json", {"OTLP": 3}),
        (f"{OPENSHIFT}/raw_audit_kubernetes.json", {"audit.k8s.io/v1": 1}),
        (f"{OPENSHIFT}/raw_audit_oauth-apiserver.json", {"audit.k8s.io/v1": 1}),
        (f"{OPENSHIFT}/raw_audit_openshift.json", {"audit.k8s.io/v1": 1}),
        (f"{OPENSHIFT}/viaq_audit_kubernetes.json", {"OpenShift viaq": 1}),
        (f"{OPENSHIFT}/viaq_audit_openshift.json", {"OpenShift viaq": 1}),
        ("openshift__cluster-logging-operator/test/functional/filters/apiaudit/vrl/testdata/audit_in.log",
         {"audit.k8s.io/v1": 50}),
        ("sysdiglabs__aks-audit-log/samples/sample_EventHubs_event.json", {"AKS diagnostic records": 1}),
        ("sysdiglabs__aks-audit-log/samples/sample_KubeAuditLog_event.json", {"audit.k8s.io/v1": 1}),
        ("sysdiglabs__stackdriver-webhook-bridge/converter/test_files", {"audit.k8s.io/v1beta1": 25}),
        (f"{KHI}/k8s_audit/container_recorder_test_1_1.yaml", {"GKE LogEntry": 1}),
        (f"{KHI}/k8s_audit/container_recorder_test_1_2.yaml", {"GKE LogEntry": 1}),
        (f"{KHI}/k8s_audit/container_recorder_test_1_3.yaml", {"GKE LogEntry": 1}),
        (f"{KHI}/oss/test-log.yaml", {"audit.k8s.io/v1": 1}),
        ("liggitt__audit2rbac/testdata/demo.log", {"audit.k8s.io/v1": 37}),
        ("alcideio__rbac-tool/testdata/auditgen", {"audit.k8s.io/v1": 6}),
        ("afcollins__kube-audit-log-tool/single-event.json", {"audit.k8s.io/v1": 1}),
    ],
)  # fmt: skip
def test_all_events_come_out_and_nothing_is_damaged(path: str, formats: dict[str, int]) -> None:
    events, failures, _, found = readings(path)
    assert failures == []
    assert dict(found) == formats
    for event in events:
        assert event.audit_id
        assert event.verb
        assert event.time is not None
        assert event.record.level in ("Metadata", "Request", "RequestResponse")


def test_the_falco_traces_lose_only_the_one_that_is_no_event() -> None:
    events, failures, _, formats = readings("falcosecurity__falco/test/trace_files/k8s_audit")
    assert len(events) == 51
    assert [failure.reason for failure in failures] == ["JSON object that is no audit event (members: kind)"]
    assert set(formats) == {"audit.k8s.io", "audit.k8s.io/v1", "audit.k8s.io/v1beta1"}
    assert all(event.time for event in events)


def _audits() -> Iterator[Path]:
    if CORPUS:
        yield from sorted((CORPUS / "ConfigButler__gitops-reverser").rglob("audit.*.yaml"))


@pytest.mark.parametrize("path", list(_audits()), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_yaml_fixtures_with_placeholders_are_read_and_their_times_noted(path: Path) -> None:
    assert CORPUS is not None
    events, failures, notes, _ = readings(str(path.relative_to(CORPUS)))
    assert (len(events), failures) == (1, [])
    assert [note.reason for note in notes] == ["requestReceivedTimestamp cannot be read as a time"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"{OPENSHIFT}/otlp_audit_host.json", "Linux auditd record"),
        (f"{OPENSHIFT}/otlp_audit_ovn.json", "OVN network policy log"),
        (f"{OPENSHIFT}/otlp_container.json", "klog"),
        (f"{OPENSHIFT}/otlp_journal.json", "klog"),
        (f"{OPENSHIFT}/raw_auditd.log", "Linux auditd record"),
        (f"{OPENSHIFT}/raw_container.log", "container log"),
        (f"{OPENSHIFT}/viaq_audit_host.json", "Linux auditd record"),
        (f"{OPENSHIFT}/viaq_audit_ovn.json", "OVN network policy log"),
        (f"{OPENSHIFT}/viaq_container.json", "container log"),
        (f"{OPENSHIFT}/viaq_journal.json", "systemd journal"),
        (f"{KHI}/gke_audit", "google.container.v1.ClusterManager."),
        (f"{KHI}/k8s_node", "log entry of k8s_node"),
        ("liggitt__audit2rbac/testdata/demo-policy.yaml", "audit policy"),
    ],
)
def test_other_logs_are_named_never_read_as_audit_events(path: str, reason: str) -> None:
    events, failures, _, _ = readings(path)
    assert events == []
    assert failures
    for failure in failures:
        assert reason in failure.reason


def test_the_shell_script_with_an_event_in_quotes_gives_the_event() -> None:
    events, failures, _, _ = readings("sysdiglabs__aks-audit-log/samples/curl.txt")
    assert [event.audit_id for event in events] == ["4e2a4193-cb3d-4ff7-bf37-32c392fbc23b"]
    assert failures
