"""Every wrapper gives the same event back, untouched."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from kubewitness.sources.records import Seen
from tests.sources.reading import EVENT, compact, event, is_the_event, only, read

TEXT = event().decode()
ROW = {key: value if isinstance(value, str) else json.dumps(value) for key, value in EVENT.items()}
COLUMNS = {
    "TenantId": "t", "TimeGenerated": "2024-05-01T10:00:00Z", "Level": "Request", "AuditId": EVENT["auditID"],
    "Stage": EVENT["stage"], "RequestUri": EVENT["requestURI"], "Verb": "create", "User": EVENT["user"],
    "SourceIps": EVENT["sourceIPs"], "UserAgent": EVENT["userAgent"], "ObjectRef": EVENT["objectRef"],
    "ResponseStatus": EVENT["responseStatus"], "RequestReceivedTime": EVENT["requestReceivedTimestamp"],
    "StageReceivedTime": EVENT["stageTimestamp"], "Annotations": EVENT["annotations"], "PodName": "kube-apiserver-1",
}  # fmt: skip
STRINGED = {key: value if isinstance(value, str) else json.dumps(value) for key, value in COLUMNS.items()}


def _any_value(value: Any) -> dict[str, Any]:
    """An OTLP AnyValue."""
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": _any_value(item)} for key, item in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def _otlp(body: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": [{"body": body}]}]}]}


WRAPPED: dict[str, tuple[str, Any]] = {
    "webhook batch": ("EventList", {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [EVENT]}),
    "items without kind": ("EventList", {"items": [EVENT | {"kind": None}]}),
    "array": ("audit.k8s.io/v1", [EVENT]),
    "S3 export of CloudWatch": ("EKS CloudWatch export", f"2023-01-27T18:28:08.129Z {TEXT}"),
    "aws logs tail": ("EKS CloudWatch export", f"2023-01-27T18:28:08.129000+00:00 kube-apiserver-audit-6 {TEXT}"),
    "subscription": (
        "EKS CloudWatch subscription",
        {"messageType": "DATA_MESSAGE", "logGroup": "/aws/eks/x/cluster", "logEvents": [{"id": "1", "message": TEXT}]},
    ),
    "message text": ("JSON inside message", {"message": TEXT, "timestamp": 1714557600000}),
    "message object": ("JSON inside message", {"message": EVENT, "host": "h"}),
    "Insights": ("CloudWatch Insights export", {"@timestamp": "2024-05-01 10:00:00.000", "@message": TEXT}),
    "Insights API": (
        "CloudWatch Insights export",
        {
            "results": [[{"field": "@timestamp", "value": "x"}, {"field": "@message", "value": TEXT}]],
            "status": "Complete",
        },
    ),
    "Insights CSV": ("EKS CloudWatch export", '2024-05-01 10:00:00.000,"' + TEXT.replace('"', '""') + '"'),
    "FilterLogEvents": (
        "CloudWatch FilterLogEvents",
        {"events": [{"logStreamName": "kube-apiserver-audit-1", "timestamp": 1, "message": TEXT, "eventId": "3"}]},
    ),
    "AKS blob line": ("AKS diagnostic records", {"category": "kube-audit", "properties": {"log": TEXT, "pod": "p"}}),
    "AKS Event Hub": ("Azure records", {"records": [{"category": "kube-audit-admin", "properties": {"log": TEXT}}]}),
    "AKS properties as text": (
        "AKS diagnostic records",
        {"category": "kube-audit", "resourceId": "/X", "properties": json.dumps({"log": TEXT})},
    ),
    "AzureDiagnostics": ("AKS diagnostic records", {"Category": "kube-audit", "log_s": TEXT, "pod_s": "p"}),
    "AKSAudit": ("AKS AKSAudit table", COLUMNS),
    "AKSAudit as text": ("AKS AKSAudit table", STRINGED),
    "Log Analytics": (
        "Log Analytics query result",
        {"tables": [{"columns": [{"name": name} for name in STRINGED], "rows": [list(STRINGED.values())]}]},
    ),
    "SLS row": ("Alibaba SLS", ROW | {"__time__": "1714557600", "__source__": "10.1.1.1", "__topic__": ""}),
    "SLS raw": ("Alibaba SLS", {"__raw__": TEXT, "__time__": "1714557600"}),
    "SLS content": ("Alibaba SLS", {"content": TEXT, "__tag__:__hostname__": "m1"}),
    "dotted columns": (
        "flattened audit columns",
        {key: value for key, value in EVENT.items() if isinstance(value, str)}
        | {
            "user.username": "alice",
            "user.groups[0]": "dev",
            "user.groups[1]": "system:authenticated",
            "sourceIPs[0]": "203.0.113.9",
            "sourceIPs[1]": "10.0.0.7",
            "responseStatus.code": 101,
            "objectRef.resource": "pods",
            "objectRef.subresource": "exec",
            "objectRef.namespace": "shop",
            "objectRef.name": "web",
            "annotations.authorization.k8s.io/decision": "allow",
        },
    ),
    "viaq": ("OpenShift viaq", EVENT | {"level": "default", "k8s_audit_level": "Request", "@timestamp": "x"}),
    "structured": ("OpenShift structured", {"structured": EVENT, "log_type": "audit", "message": ""}),
    "OTLP text": ("OTLP", _otlp({"stringValue": TEXT})),
    "OTLP structure": ("OTLP", _otlp(_any_value(EVENT))),
    "docker": ("container log (Docker)", {"log": TEXT + "\n", "stream": "stdout", "time": "2024-05-01T10:00:00Z"}),
    "CRI": ("container log (CRI)", f"2024-05-01T10:00:00.1Z stdout F {TEXT}"),
    "syslog": ("syslog lines", f"<134>May  1 10:00:00 master-0 audit: {TEXT}"),
    "journald": ("systemd journal", {"MESSAGE": TEXT, "_SYSTEMD_UNIT": "crio.service"}),
    "fluentd": ("JSON inside log", {"log": TEXT, "kubernetes": {"pod_name": "kube-apiserver"}}),
    "fluentd object": ("JSON inside log", {"log": EVENT}),
    "Splunk export": ("Splunk export", {"preview": False, "result": {"_raw": TEXT, "_time": "1714557600"}}),
    "Splunk HEC": ("Splunk export", {"time": 1714557600, "sourcetype": "kube:audit", "event": EVENT}),
    "Elasticsearch": ("Elasticsearch hit", {"_index": "audit", "_id": "1", "_source": EVENT}),
    "Elasticsearch answer": ("Elasticsearch hits", {"took": 1, "hits": {"total": 1, "hits": [{"_source": EVENT}]}}),
    "Elastic integration": ("Elastic kubernetes.audit", {"_source": {"kubernetes": {"audit": EVENT}, "message": "x"}}),
    "Elastic original": ("Elastic event.original", {"_source": {"event": {"original": TEXT}, "message": "no"}}),
    "Loki line": ("Loki line", {"labels": {"job": "audit"}, "line": TEXT, "timestamp": "2024-05-01T10:00:00Z"}),
    "Loki answer": (
        "Loki query result",
        {"status": "success", "data": {"result": [{"stream": {}, "values": [["1714557600000000000", TEXT]]}]}},
    ),
    "Google jsonPayload": ("GKE LogEntry", None),
    "shell quotes": ("lines with a prefix", "curl --data " + json.dumps(TEXT) + " http://localhost"),
    "quoted": ("audit.k8s.io/v1", json.dumps(TEXT)),
    "twice wrapped": ("JSON inside log", {"log": json.dumps({"message": TEXT})}),
}
del WRAPPED["Google jsonPayload"]


@pytest.mark.parametrize("name", WRAPPED)
def test_the_event_comes_out_whole(name: str) -> None:
    form, value = WRAPPED[name]
    result = read(value)
    assert result.reasons == []
    assert len(result.events) == 1
    is_the_event(result.events[0])
    assert result.formats == {form: 1}


@pytest.mark.parametrize("name", [n for n in WRAPPED if TEXT in json.dumps(WRAPPED[n][1]) or "message" in n])
def test_the_original_is_the_inner_text(name: str) -> None:
    assert json.loads(only(WRAPPED[name][1]).original) == EVENT


def test_a_member_of_a_wrapper_keeps_its_very_bytes() -> None:
    odd = event().replace(b'":', b'" :  ')
    assert only(b'{"items": [ ' + odd + b" ]}").original == odd


def test_a_control_message_is_nothing() -> None:
    result = read({"messageType": "CONTROL_MESSAGE", "logEvents": [{"id": "", "message": "CWL CONTROL MESSAGE: x"}]})
    assert (result.events, result.failures) == ([], [])


def test_the_time_of_the_wrapper_is_a_last_resort_and_noted() -> None:
    timeless = event(requestReceivedTimestamp=None, stageTimestamp=None).decode()
    result = read({"logEvents": [{"message": timeless, "timestamp": 1714557600123}]})
    assert result.events[0].record.requestReceivedTimestamp == "2024-05-01T10:00:00.123000Z"
    assert result.noted == ["the event has no time; the time of its wrapper was taken"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("type=SYSCALL msg=audit(1719849199.623:5654): arch=c000003e", "Linux auditd record"),
        (
            {"message": "type=BPF msg=audit(1719849199.623:5654): op=LOAD", "log_source": "auditd"},
            "Linux auditd record",
        ),
        ({"message": "x|00004|acl_log(ovn_pinctrl0)|INFO|verdict=drop"}, "OVN network policy log"),
        ("I0501 10:00:00.123456       1 controller.go:1] hello {x}", "klog"),
        ("2024-05-01T10:00:00.1Z I0501 10:00:00.123456       1 controller.go:1] hello", "klog"),
        ('2024-05-01T10:00:00.1Z time="x" level=info msg="access granted"', "container runtime"),
        ("2024-07-02T12:40:06.6Z stdout F linux/amd64, go1.20.12", "container log"),
        ({"message": "hello", "kubernetes": {"container_name": "c"}}, "container log"),
        ({"_SYSTEMD_UNIT": "sshd.service", "MESSAGE": "hi"}, "systemd journal"),
        ({"kind": "Event", "apiVersion": "v1", "involvedObject": {}, "reason": "Pulled"}, "Kubernetes Event object"),
        ({"kind": "PodList", "items": [{}, {}]}, "Kubernetes list of kind PodList"),
        ({"kind": "Config", "apiVersion": "v1", "clusters": []}, "Kubernetes object of kind Config"),
        ({"kind": "Policy", "apiVersion": "audit.k8s.io/v1", "rules": []}, "audit policy"),
        ({"eventSource": "eks.amazonaws.com", "eventName": "x"}, "AWS CloudTrail"),
        ({"rule": "r", "priority": "Notice", "output": "o"}, "Falco alert"),
        ({"category": "kube-scheduler", "properties": {"log": "x"}}, "category kube-scheduler"),
        ({"insertId": "1", "logName": "x", "resource": {"type": "k8s_node"}, "jsonPayload": {}}, "k8s_node"),
        ({"kind": 0}, "no audit event (members: kind)"),
    ],
)
def test_what_is_no_audit_event_is_named(value: Any, reason: str) -> None:
    result = read(value)
    assert result.events == []
    assert len(result.failures) == 1
    assert reason in result.reasons[0]


def test_a_bad_record_among_good_ones_costs_only_itself() -> None:
    records = [{"category": "kube-audit", "properties": {"log": text}} for text in (TEXT, "{broken", TEXT)]
    result = read({"records": records})
    assert len(result.events) == 2
    assert len(result.failures) == 1


def test_formats_add_up_over_an_item() -> None:
    seen = Seen()
    read(event(), seen)
    assert read({"items": [EVENT, EVENT]}, seen).formats == {"audit.k8s.io/v1": 1, "EventList": 2}


def test_base64_is_not_guessed_at() -> None:
    result = read({"data": base64.b64encode(compact(EVENT)).decode()})
    assert result.events == []
    assert len(result.failures) == 1
