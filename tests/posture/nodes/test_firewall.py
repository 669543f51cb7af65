"""Is there a packet filter, does it stand before the ports that matter, and does it fail open?"""

from __future__ import annotations

import pytest

from kubewitness.model.host import Firewall
from tests.posture.machine import file, listening
from tests.posture.nodes.made import PRIVATE, PUBLIC, addressed, clean, filtered, judged, node_object, one, said

KUBE = "-A INPUT -j KUBE-FIREWALL\n-A KUBE-FIREWALL -j DROP\n-A INPUT -j cali-INPUT\n-A cali-INPUT -j DROP"
SAVED = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"


@pytest.mark.parametrize(
    ("address", "dump", "expected"),
    [
        (PRIVATE, filtered(""), "fail low"),
        (PRIVATE, filtered(KUBE), "fail low"),
        (PUBLIC, filtered(KUBE), "fail medium"),
        (PUBLIC, filtered("", "DROP"), "pass"),
        (PUBLIC, filtered("-A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 10250 -j DROP"), "pass"),
        (PUBLIC, filtered("-A INPUT -p tcp -m tcp --dport 22 -j DROP"), "fail medium"),  # refuses, but not this
        (PRIVATE, filtered("-A INPUT -p tcp -m tcp --dport 22 -j DROP"), "fail low"),
        (PUBLIC, filtered("-A INPUT -m u32 --u32 0 -j DROP"), "not_evaluated"),
        (PUBLIC, filtered("", other_backend=True), "not_evaluated"),
    ],
)
def test_a_packet_filter_is_judged_by_the_ports_behind_it(address: str, dump: Firewall, expected: str) -> None:
    machine = addressed(clean(), address)
    machine.firewalls = [dump]
    assert said("firewall", machine) == expected


def test_what_was_not_dumped_is_not_evaluated() -> None:
    assert said("firewall", clean()) == "not_evaluated"


def test_an_address_that_a_cloud_translates_leaves_the_absence_low() -> None:
    machine = clean()
    machine.firewalls = [filtered("")]
    node = node_object(machine.name, addresses=[{"type": "ExternalIP", "address": PUBLIC}])
    result = one("firewall", machine, node)
    assert (result.status, result.severity) == ("fail", "low")
    assert "security group" in result.reason.en
    assert "安全组" in result.reason.zh


def test_a_node_of_a_managed_cluster_stands_behind_its_clouds_firewall() -> None:
    machine = addressed(clean(), "2001:db8::5")  # of EKS with IPv6, which translates no address
    machine.firewalls = [filtered("", family="ip6")]
    node = node_object(machine.name)
    assert one("firewall", machine, node).severity == "medium"
    node.document["metadata"]["labels"] = {"eks.amazonaws.com/nodegroup": "n"}
    result = one("firewall", machine, node)
    assert result.severity == "low"
    assert "EKS" in result.reason.zh


def test_rules_kept_in_a_file_and_not_in_force_weigh_more_than_none() -> None:
    machine = addressed(clean(), PRIVATE)
    machine.firewalls = [filtered("")]
    machine.files.append(file("/etc/iptables/rules.v4", SAVED))
    result = one("firewall", machine)
    assert (result.severity, result.where[0].path, result.where[0].line) == ("medium", "/etc/iptables/rules.v4", 2)
    machine.files[-1] = file("/etc/iptables/rules.v4", "*filter\n:INPUT ACCEPT [0:0]\n-A KUBE-FIREWALL -j DROP\n")
    assert said("firewall", machine) == "fail low"


def test_ipv6_counts_where_the_machine_has_a_public_address_of_it() -> None:
    machine = addressed(clean(), "2001:db8::5")
    machine.firewalls = [filtered("", "DROP"), filtered("", family="ip6")]
    assert {one.aspect: one.status for one in judged("firewall", machine)} == {"IPv4": "pass", "IPv6": "fail"}
    assert {one.aspect: one.status for one in judged("firewall", addressed(machine, PUBLIC))} == {
        "IPv4": "pass",
        "IPv6": "not_applicable",
    }


SYNC = "#!/bin/bash\niptables -F\niptables -P INPUT ACCEPT\ncurl -s http://config/rules | iptables-restore\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SYNC, "fail medium"),
        (SYNC.replace("iptables -F", "nft flush ruleset"), "fail medium"),
        (SYNC.replace("\niptables -F", "\nset -euo pipefail\niptables -F"), "pass"),
        ("#!/bin/sh\ncurl -so /run/new http://config/rules\niptables -F\niptables-restore /run/new\n", "pass"),
        ("#!/bin/sh\niptables -F\niptables -P INPUT DROP\ncurl http://config/\n", "pass"),
        ("#!/bin/sh\niptables -F\ncurl -o /run/x http://config/x\niptables-restore < /run/x\n", "fail medium"),
        (
            "#!/bin/sh\niptables -F\nfor ip in $(curl http://a/x); do\n  iptables -A INPUT -s $ip -j ACCEPT\n",
            "fail medium",
        ),
        ("#!/bin/sh\nufw disable\ncurl -sfL https://get.k3s.io | sh -\n", "pass"),  # as its manual says
        ("#!/bin/sh\nsystemctl stop firewalld\niptables -F\ncurl -fsSL https://a.example/docker.repo\n", "pass"),
        ("#!/bin/sh\niptables -F\ncurl -O https://a/b\necho net.bridge.bridge-nf-call-iptables=1\n", "pass"),
        ("#!/bin/sh\n# iptables -F\ncurl http://config/\n", "pass"),
        ("#!/bin/sh\niptables -t nat -F\ncurl http://config/\n", "pass"),
        ("#!/bin/sh\niptables -F DOCKER-USER\ncurl http://config/\n", "pass"),
        ("#!/bin/sh\necho hello\n", "pass"),
    ],
)
def test_a_script_that_empties_before_it_fetches_fails_open(text: str, expected: str) -> None:
    machine = clean()
    machine.files.append(file("/opt/sync-firewall.sh", text))
    assert said("firewall_fails_open", machine) == expected


def test_both_lines_of_such_a_script_are_cited() -> None:
    machine = clean()
    machine.files.append(file("/opt/sync-firewall.sh", SYNC))
    assert [place.line for place in one("firewall_fails_open", machine).where] == [2, 4]


def test_without_a_script_nothing_is_passed() -> None:
    assert said("firewall_fails_open", clean()) == "not_evaluated"


@pytest.mark.parametrize(
    ("port", "owner", "address", "expected"),
    [
        (2379, "etcd", PUBLIC, "fail medium"),
        (6443, "kube-apiserver", PUBLIC, "fail informational"),
        (2379, "etcd", PRIVATE, "pass"),
        (22, "sshd", PUBLIC, ""),
        (2379, "nginx", PUBLIC, ""),  # the owner decides, not the port
    ],
)
def test_a_component_that_the_whole_internet_reaches_is_told(
    port: int, owner: str, address: str, expected: str
) -> None:
    machine = addressed(clean(), address)
    machine.firewalls = [filtered("")]
    machine.sockets = [listening(port, "*", owner)]
    found = [one for one in judged("open_ports", machine) if one.subject]
    told = [f"{one.status} {one.severity}" if one.status == "fail" else one.status for one in found]
    assert told == ([expected] if expected else [])


def test_ports_are_not_passed_unseen_nor_through_an_unseen_filter() -> None:
    machine = addressed(clean(), PUBLIC)
    assert said("open_ports", machine) == "not_evaluated"  # no dump of the packet filter
    machine.sockets = []
    assert said("open_ports", machine) == "not_evaluated"
    assert said("kubectl_proxy", machine) == "not_evaluated"


def test_many_sockets_of_one_name_hide_no_component() -> None:
    machine = addressed(clean(), PUBLIC)
    machine.firewalls = [filtered("")]
    machine.sockets = [
        *(listening(port, "*", "dashboard") for port in range(2000, 2200)),
        listening(2379, owner="etcd"),
    ]
    found = judged("open_ports", machine)
    assert "etcd port 2379" in {one.subject for one in found}
    assert len(found) <= 40


def test_a_proxy_of_kubectl_for_others_is_told_and_one_on_loopback_is_not() -> None:
    machine = clean()
    machine.sockets.append(listening(8001, "0.0.0.0", "kubectl"))
    assert said("kubectl_proxy", machine) == "fail high"
    machine.sockets[-1] = listening(8001, "127.0.0.1", "kubectl")
    assert said("kubectl_proxy", machine) == "pass"


def test_public_addresses_are_told_and_none_is_passed_only_where_they_were_listed() -> None:
    assert said("public_address", addressed(clean(), PRIVATE, "fe80::1", "100.64.0.9", PUBLIC)) == "fail informational"
    assert said("public_address", addressed(clean(), PRIVATE)) == "pass"
    assert said("public_address", clean()) == "not_evaluated"
