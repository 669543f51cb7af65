"""What sensors said."""

from __future__ import annotations

from typing import Any

from kubewitness.detect.host.judging import judge
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostEvent
from kubewitness.sources.host import falco
from tests.corpus import CORPUS, needs_corpus
from tests.detect.host.making import CONTAINER, found, process
from tests.sources.host.reading import context, lines


def alert(severity: str, rule: str = "Terminal shell in container", **more: Any) -> HostEvent:
    return HostEvent("alert", "falco", Place("falco.json", 1, 0), rule=rule, severity=severity, message="m", **more)


def test_grave_alerts_are_one_activity_a_rule_and_container_and_never_more_than_medium() -> None:
    events = [
        alert("Critical", container="a", time="2024-01-02T00:00:00.000000Z", count=3, address="203.0.113.9"),
        alert("Critical", container="a", time="2024-01-01T00:00:00.000000Z"),
        alert("Emergency", container="b"),
        alert("Error", "Write below etc"),
        alert("High", "Anti-Debug"),
    ]
    findings = found(Host("n", events=events), "sensor_alert")
    assert sorted((one.severity, one.kind, one.count, one.container) for one in findings) == [
        ("low", "activity", 1, ""), ("medium", "activity", 1, ""), ("medium", "activity", 1, "b"),
        ("medium", "activity", 4, "a"),
    ]  # fmt: skip
    first = next(one for one in findings if one.container == "a")
    assert (first.first[:10], first.last[:10], first.addresses) == ("2024-01-01", "2024-01-02", ("203.0.113.9",))
    assert "falco says Critical, 4 times" in first.reasons[0].en


def test_a_container_that_was_cut_is_found_among_the_processes() -> None:
    machine = Host(
        "n",
        processes=[process("sh", container=CONTAINER, pod_uid="u")],
        events=[alert("Critical", container=CONTAINER[:12])],
    )
    (finding,) = found(machine, "sensor_alert")
    assert (finding.container, finding.pod_uid) == (CONTAINER, "u")


def test_lower_priorities_are_context_together() -> None:
    events = [alert("Notice"), alert("Warning", "Other", count=5), alert("", "x"), alert("Informational", "y")]
    (finding,) = found(Host("n", events=events), "sensor_alert")
    assert (finding.severity, finding.kind, finding.count) == ("informational", "context", 8)
    assert "5 times: Other" in finding.reasons[0].en


def test_events_of_sensors_that_are_no_alerts_say_nothing() -> None:
    event = HostEvent("process_creation", "falco", Place("x", 1, 0), severity="Critical", rule="x")
    assert not judge(Host("n", events=[event]))


def test_thousands_of_rules_are_a_bounded_list_that_counts_all() -> None:
    findings = found(Host("n", events=[alert("Critical", f"r{n}") for n in range(3000)]), "sensor_alert")
    assert (len(findings), sum(one.count for one in findings)) == (100, 3000)


@needs_corpus
def test_the_alerts_of_falcos_documentation() -> None:
    assert CORPUS
    text = (CORPUS / "falcosecurity__falco-website/falco_alerts_from_docs.jsonl").read_text()
    events = [fact for fact in falco.read(lines(text), context()) if isinstance(fact, HostEvent)]
    findings = judge(Host("n", events=events))
    assert [(one.severity, one.count) for one in findings] == [("medium", 2), ("low", 1), ("informational", 15)]
