"""A step has the rules that match any of its requests: shortcuts find the same as asking every rule of each request."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from kubewitness.detect.collect import Collector
from kubewitness.incident.requests import requests_of
from kubewitness.incident.step_rules import StepRules
from kubewitness.incident.steps import StepDraft, drafts
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet
from tests.detect.scanning import scan_paths

SHIPPED = Path(__file__).parents[2] / "src/kubewitness/content/scenarios"


def wrapped(lines: Sequence[bytes]) -> list[bytes]:
    """Within JSON text that escapes letters for no reason: words of the event do not stand there as they are."""
    out = list[bytes]()
    for line in lines:
        text = msgspec.json.encode({"@timestamp": "2026-03-02T12:00:00Z", "message": line.decode()}).decode()
        begin, inner = text.split('"message":')
        escaped = re.sub(r"(?<!\\)[hmx](?=[a-z])", lambda found: rf"\u{ord(found[0]):04x}", inner)
        out.append(f'{begin}"message":{escaped}'.encode())
    return out


@pytest.mark.recordings
@pytest.mark.parametrize("as_written", [True, False])
def test_a_step_has_the_rules_of_all_its_requests(as_written: bool, rules: RuleSet, tmp_path: Path) -> None:
    lines = gzip.decompress((SHIPPED / "rbac_buster" / "audit.log.gz").read_bytes()).splitlines()
    lines = [line for line in lines if b'"patch"' not in line and b'"update"' not in line]
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(lines if as_written else wrapped(lines)) + b"\n")
    scan = scan_paths([path], rules)
    matcher = Matcher(rules.rules)
    requests = requests_of(Collector(scan).of(scan.profiles.by_key))
    asker, steps = StepRules(scan, matcher), drafts(requests)

    def asked_of_each(step: StepDraft) -> list[str]:
        every = {rule.id for one in step.requests for rule in matcher.match(one.final) if rule.first_seen is None}
        return sorted(every)

    found = [[rule.id for rule in asker.of(step)] for step in steps]
    assert found == [asked_of_each(step) for step in steps]
    assert len({name for some in found for name in some}) > 20
    assert any(len(step.requests) > 1 and some for step, some in zip(steps, found, strict=True))


def test_an_event_whose_bytes_were_let_go_is_judged_all_the_same(rules: RuleSet, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    body = {"spec": {"containers": [{"name": "c", "image": "i", "securityContext": {"privileged": True}}]}}
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": "a", "verb": "create",
        "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/x/pods", "user": {"username": "u"},
        "sourceIPs": ["203.0.113.9"], "objectRef": {"resource": "pods", "namespace": "x", "apiVersion": "v1"},
        "responseStatus": {"code": 201}, "requestObject": body,
        "requestReceivedTimestamp": "2026-03-02T12:00:00.000000Z", "stageTimestamp": "2026-03-02T12:00:00.000000Z",
    }  # fmt: skip
    path.write_bytes(msgspec.json.encode(event) + b"\n")
    scan = scan_paths([path], rules)
    (step,) = drafts(requests_of(Collector(scan).of(scan.profiles.by_key)))
    asker = StepRules(scan, Matcher(rules.rules))
    expected = asker.of(step)
    step.first.final.original = b""
    assert expected
    assert asker.of(step) == expected
