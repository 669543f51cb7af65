"""Whether a machine's own packet filter refuses anything."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Firewall, FirewallRule, Host, HostEvent
from tests.detect.host.making import file, found, iptables, listening, rules

KUBERNETES = """
    -A INPUT -j KUBE-FIREWALL
    -A INPUT -m comment --comment "drop what is not ours" -j KUBE-NODEPORTS
    -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP
    -A FORWARD -j DOCKER-USER
    -A DOCKER-USER -j DROP
    -A INPUT -j cali-INPUT
    -A cali-INPUT -m comment --comment "cali:x" -j DROP
"""
PLACE = Place("nft.json", 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        KUBERNETES,
        "-A INPUT -p tcp --dport 22 -j ACCEPT",
        '-A INPUT -m comment --comment "no -j DROP yet" -j ACCEPT',
        "-A FORWARD -j DROP",
        "-A OUTPUT -j REJECT",
        "-A unused -j DROP",
        "-A INPUT -s 198.51.100.9/32 -j DROP",  # a ban
        "-A INPUT -m conntrack --ctstate INVALID -j DROP",
        "-A INPUT -p tcp -j f2b-sshd\n-A f2b-sshd -j REJECT",
    ],
)
def test_what_refuses_nobody_does_not_protect(text: str) -> None:
    (finding,) = found(Host("n", firewalls=[iptables(text)]), "firewall_unprotected")
    assert (finding.severity, finding.kind) == ("low", "exposure")


@pytest.mark.parametrize(
    "dump",
    [
        iptables("", policy="DROP"),
        iptables("-A INPUT -j REJECT --reject-with icmp-port-unreachable"),
        iptables("-A INPUT -p tcp --dport 10250 ! -s 10.0.0.0/24 -j DROP"),
        iptables(
            KUBERNETES + "-A INPUT -j ufw-before-input\n-A ufw-before-input -j ufw-not-local\n-A ufw-not-local -j DROP"
        ),
        iptables("-A INPUT -g own\n-A own -j own\n-A own -j DROP"),
        Firewall("inet", "nft", PLACE, (("firewalld", "filter_INPUT", "DROP"),)),
        Firewall(
            "inet",
            "nft",
            PLACE,
            (("filter", "input", "ACCEPT"),),
            (
                FirewallRule("filter", "input", "tcp dport 10250 jump guard", PLACE),
                FirewallRule("filter", "guard", "counter reject", PLACE),
            ),
        ),
    ],
)
def test_a_policy_or_rule_that_refuses_protects(dump: Firewall) -> None:
    assert not found(Host("n", firewalls=[dump]), "firewall_unprotected")


def test_without_a_dump_nothing_is_said() -> None:
    assert not {name for name in rules(Host("n", sockets=[listening("*", 10250)])) if "firewall" in name}


def test_ipv6_without_protection_is_told_where_ipv4_has_some() -> None:
    machine = Host("n", firewalls=[iptables("", policy="DROP"), iptables("", family="ip6")])
    (finding,) = found(machine, "firewall_unprotected")
    assert [reason.en for reason in finding.reasons if "IPv" in reason.en] == [
        "no rule refuses what comes in over IPv6"
    ]


def test_a_dump_that_warns_of_the_other_back_end_is_not_evaluated() -> None:
    machine = Host("n", firewalls=[iptables("", other_backend=True)], sockets=[listening("*", 10250)])
    assert rules(machine) == {"firewall_not_evaluated"}


def test_rules_that_are_kept_but_not_in_force_were_flushed() -> None:
    saved = file(
        "/etc/iptables/rules.v4", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 10250 -j DROP\nCOMMIT\n"
    )
    (finding,) = found(Host("n", firewalls=[iptables("")], files=[saved]), "firewall_unprotected")
    assert finding.severity == "medium"
    assert finding.places[0][0].line == 3
    assert any("flushed" in reason.en for reason in finding.reasons)


def test_kept_rules_of_kubernetes_alone_were_never_a_firewall() -> None:
    saved = file("/etc/iptables/rules.v4", "*filter\n:INPUT ACCEPT [0:0]\n-A KUBE-FIREWALL -j DROP\nCOMMIT\n")
    (finding,) = found(Host("n", firewalls=[iptables("")], files=[saved]), "firewall_unprotected")
    assert finding.severity == "low"


@pytest.mark.parametrize("command", ["iptables -F", "sudo ufw disable", "systemctl stop firewalld"])
def test_the_command_that_took_the_rules_away_is_cited(command: str) -> None:
    history = file("/root/.bash_history", f"ls\n{command}\n")
    (finding,) = found(Host("n", firewalls=[iptables("")], files=[history]), "firewall_unprotected")
    assert finding.places[0][1] == command
    assert finding.severity == "medium"


def test_the_kubelets_port_is_context_and_only_without_a_firewall() -> None:
    sockets = [listening("*", 10250)]
    (finding,) = found(Host("n", firewalls=[iptables("")], sockets=sockets), "kubelet_port_open_to_all")
    assert (finding.severity, finding.kind) == ("informational", "context")
    assert not found(Host("n", firewalls=[iptables("", policy="DROP")], sockets=sockets), "kubelet_port_open_to_all")
    assert not found(
        Host("n", firewalls=[iptables("")], sockets=[listening("127.0.0.1", 10250)]), "kubelet_port_open_to_all"
    )


def test_the_read_only_port_is_an_exposure_unless_on_loopback() -> None:
    (finding,) = found(Host("n", sockets=[listening("::", 10255)]), "kubelet_read_only_port")
    assert (finding.severity, finding.kind) == ("medium", "exposure")
    assert not rules(Host("n", sockets=[listening("127.0.0.1", 10255), listening("*", 10248)]))


def test_rules_that_several_dumps_show_count_once() -> None:
    text = "-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -p tcp --dport 80 -j ACCEPT"
    more = text + "\n-A INPUT -j KUBE-FIREWALL"
    (finding,) = found(Host("n", firewalls=[iptables(text), iptables(more)]), "firewall_unprotected")
    said = [reason.en for reason in finding.reasons]
    assert any(reason.startswith("2 rules of its own") for reason in said)
    assert any(reason.startswith("1 rules of Kubernetes") for reason in said)


def emptied(command: str, **more: Any) -> HostEvent:
    told = {"category": "command", "source": "shell_history", "place": Place("history", 3, 30), "user": "root"}
    return HostEvent(**{**told, "command": command, "time": "2026-11-22T03:00:00.000000Z", **more})


@pytest.mark.parametrize(
    "event",
    [
        emptied("iptables -F"),
        emptied("sudo iptables -w -t filter -F INPUT; ls"),
        emptied("/usr/sbin/iptables -F", category="process_creation", source="linux_audit"),
        emptied("sh -c ufw disable", category="process_creation", source="falco"),
    ],
)
def test_who_flushed_the_rules_and_when_is_said_where_it_was_seen(event: HostEvent) -> None:
    (finding,) = found(Host("n", firewalls=[iptables("")], events=[event]), "firewall_unprotected")
    assert (finding.severity, finding.places[0][0]) == ("medium", event.place)
    assert any(
        "took the rules away at 2026-11-22T03:00:00" in reason.en and "(root)" in reason.en
        for reason in finding.reasons
    )


@pytest.mark.parametrize(
    "event",
    [
        emptied("iptables -t nat -F"),
        emptied("iptables -F CNI-1234", category="process_creation"),
        emptied("iptables -F", category="process_creation", succeeded=False),
        emptied("grep 'iptables -F' notes"),
        emptied("iptables -L"),
    ],
)
def test_other_commands_about_the_filter_took_nothing_away(event: HostEvent) -> None:
    (finding,) = found(Host("n", firewalls=[iptables("")], events=[event]), "firewall_unprotected")
    assert finding.severity == "low"
