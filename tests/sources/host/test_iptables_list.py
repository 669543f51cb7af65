"""Packet filters as people list them: iptables -L, and -S of another table."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import Firewall
from kubewitness.sources.host.formats import BY_KIND
from kubewitness.sources.host.packet_filter import unprotected_families
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines, only

LONG = """\
Chain INPUT (policy ACCEPT 12 packets, 3456 bytes)
 pkts bytes target     prot opt in     out     source               destination
 4175 1130K ACCEPT     all  --  lo     *       0.0.0.0/0            0.0.0.0/0            ctstate RELATED,ESTABLISHED
    0     0 REJECT     tcp  --  !eth1  *      !10.0.0.0/8           0.0.0.0/0            tcp dpt:22 /* no "ssh -j DROP */ reject-with icmp-port-unreachable
    3   180            udp  --  *      *       0.0.0.0/0            0.0.0.0/0
    3   180 OWN        0    --  *      *       0.0.0.0/0            0.0.0.0/0           [goto]  owner UID match 0

Chain FORWARD (policy DROP 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination

Chain OUTPUT (policy ACCEPT 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination

Chain OWN (1 references)
num   pkts bytes target     prot opt in     out     source               destination
1        0     0 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0
"""  # noqa: E501
EMPTY = "".join(
    f"Chain {chain} (policy ACCEPT)\ntarget     prot opt source               destination         \n\n"
    for chain in ("INPUT", "FORWARD", "OUTPUT")
)


def read(text: str, item: str = "iptables_-L.txt") -> list[Firewall | ParseFailure]:
    facts = BY_KIND["iptables list"].read(lines(text, item), context(item))
    return [fact for fact in facts if isinstance(fact, Firewall | ParseFailure)]


def test_rules_are_written_back_in_the_words_of_iptables_save() -> None:
    [dump] = read(LONG)
    assert isinstance(dump, Firewall)
    assert (dump.family, dump.source, dump.other_backend) == ("ip", "iptables -L", False)
    assert dump.policies == (
        ("filter", "INPUT", "ACCEPT"),
        ("filter", "FORWARD", "DROP"),
        ("filter", "OUTPUT", "ACCEPT"),
    )
    assert [rule.text for rule in dump.rules] == [
        "-A INPUT -i lo ctstate RELATED,ESTABLISHED -j ACCEPT",
        '-A INPUT ! -s 10.0.0.0/8 ! -i eth1 -p tcp tcp dpt:22 --comment "no \'ssh -j DROP" reject-with '
        "icmp-port-unreachable -j REJECT",
        "-A INPUT -p udp",
        "-A INPUT owner UID match 0 -g OWN",
        "-A OWN -j DROP",
    ]
    assert [rule.place.line for rule in dump.rules] == [3, 4, 5, 6, 16]


@pytest.mark.parametrize(
    ("text", "open_to"),
    [
        (EMPTY, ("ip",)),
        (EMPTY.replace("INPUT (policy ACCEPT", "INPUT (policy DROP"), ()),
        (LONG, ()),
        (
            EMPTY.replace(
                "\n\n", "\nDROP       tcp  --  anywhere             anywhere             tcp dpt:10250\n\n", 1
            ),
            (),
        ),
        (EMPTY + "# Warning: iptables-legacy tables present, use iptables-legacy to see them\n", ()),
    ],
)
def test_an_empty_filter_is_recognised_and_one_that_refuses_is_not_called_empty(
    tmp_path: Path, text: str, open_to: tuple[str, ...]
) -> None:
    host = only(folder(tmp_path, {"n/iptables.txt": text, "n/ps.txt": "USER PID COMMAND\nroot 1 init\n"}))
    assert unprotected_families(host) == open_to


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("iptables list", EMPTY.replace("FORWARD", "PREROUTING").replace("OUTPUT", "POSTROUTING")),
        ("iptables", "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT\n"),
    ],
)
def test_another_table_alone_says_nothing_of_what_is_refused(tmp_path: Path, kind: str, text: str) -> None:
    evidence = folder(tmp_path, {"n/fw.txt": text, "n/ps.txt": "USER PID COMMAND\nroot 1 init\n"})
    assert kind in evidence.items.values()
    assert only(evidence).firewalls == []
    assert "table nat only" in evidence.notes[0].reason


def test_the_family_is_told_by_name_or_addresses() -> None:
    six = LONG.replace("0.0.0.0/0", "::/0")
    assert [one.family for one in (*read(six), *read(EMPTY, "n/ip6tables_-L.txt")) if isinstance(one, Firewall)] == [
        "ip6"
    ] * 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.txt", "Chain INPUT (policy ACCEPT)\nis what we saw\n"),
        ("notes.txt", "Chain of events\ntarget prot opt source destination\n"),
        ("iptables.txt", "iptables v1.8.7 (nf_tables): Could not fetch rule set generation id: Permission denied\n"),
    ],
)
def test_other_words_are_no_list(tmp_path: Path, name: str, text: str) -> None:
    assert folder(tmp_path, {name: text}).items == {}


def test_junk_is_counted_and_takes_time_in_proportion() -> None:
    facts = read(LONG + "junk\n" + "1 " * 30_000 + "\n")
    assert [type(one) for one in facts] == [ParseFailure, ParseFailure, Firewall]


@needs_corpus
@pytest.mark.parametrize(
    ("name", "rules", "open_to"),
    [
        ("centos-7.7/iptables-filter-nv", 57, False),
        ("centos-7.7/iptables-filter", 57, False),
        ("ubuntu-18.04/iptables-filter-line-numbers", 9, False),
    ],
)
def test_lists_of_real_machines_are_read_whole(name: str, rules: int, open_to: bool) -> None:
    assert CORPUS
    [dump] = read((CORPUS / f"kellyjonbrazil__jc/tests/fixtures/{name}.out").read_text())
    assert isinstance(dump, Firewall)
    assert (len(dump.policies), len(dump.rules)) == (3, rules)
    assert all(rule.text.startswith(f"-A {rule.chain} ") or rule.text == f"-A {rule.chain}" for rule in dump.rules)
