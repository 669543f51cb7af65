"""The ruleset of nftables as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import Firewall
from kubewitness.sources.host.context import Context
from kubewitness.sources.host.formats import BY_KIND
from kubewitness.sources.host.packet_filter import unprotected_families
from tests.sources.host.reading import context, folder, lines, only

RULESET = """\
# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
	chain KUBE-SERVICES {
		meta l4proto tcp ip daddr 10.96.0.1 # xt_comment
		tcp dport 443 counter packets 12 bytes 720 jump KUBE-SVC
	}
}
table inet filter { # handle 1
	set blocked {
		type ipv4_addr
		elements = { 192.0.2.1,
		192.0.2.2 }
	}
	map m { type inet_service : verdict
		elements = { 22 : accept }
	}
	chain INPUT { # handle 1
		type filter hook input priority filter; policy drop;
		ct state { established, related } accept
		iifname "lo}{" accept comment "drop { it"
	}
	chain out {
		type filter hook output priority 0;
	}
}
"""
PS = "USER PID COMMAND\nroot 1 init\n"


def read(text: str) -> tuple[list[Firewall | ParseFailure], Context]:
    told = context()
    facts = BY_KIND["nft text"].read(lines(text), told)
    return [fact for fact in facts if isinstance(fact, Firewall | ParseFailure)], told


def test_each_family_has_its_policies_and_rules() -> None:
    (ip, inet), told = read(RULESET)
    assert isinstance(ip, Firewall)
    assert isinstance(inet, Firewall)
    assert [(rule.table, rule.chain, rule.text, rule.place.line) for rule in ip.rules] == [
        ("nat", "KUBE-SERVICES", "meta l4proto tcp ip daddr 10.96.0.1 # xt_comment", 4),
        ("nat", "KUBE-SERVICES", "tcp dport 443 counter jump KUBE-SVC", 5),
    ]
    assert (inet.family, inet.source) == ("inet", "nft")
    assert inet.policies == (("filter", "INPUT", "DROP"), ("filter", "out", "ACCEPT"))
    assert [rule.text for rule in inet.rules] == [
        "ct state { established, related } accept",
        'iifname "lo}{" accept comment "drop { it"',
    ]
    assert told.notes == []


def test_a_table_that_is_dormant_does_nothing() -> None:
    text = RULESET.replace("table inet filter { # handle 1\n", "table inet filter {\n\tflags dormant\n")
    (ip, inet), told = read(text)
    assert isinstance(ip, Firewall)
    assert isinstance(inet, Firewall)
    assert (inet.policies, inet.rules, len(ip.rules)) == ((), (), 2)
    assert "table inet filter is dormant" in told.notes[0].reason


def test_a_ruleset_cut_off_and_junk_are_told() -> None:
    _, told = read(RULESET[: RULESET.index("chain out")])
    assert "cut off" in told.notes[0].reason
    facts, _ = read(RULESET + "junk\n")
    assert [type(one) for one in facts] == [ParseFailure, Firewall, Firewall]


@pytest.mark.parametrize(
    ("ruleset", "open_to"), [(RULESET, ()), (RULESET.replace("policy drop", "policy accept"), ("ip", "ip6"))]
)
def test_a_policy_that_accepts_protects_nothing(tmp_path: Path, ruleset: str, open_to: tuple[str, ...]) -> None:
    host = only(folder(tmp_path, {"n/live_response/network/nft_list_ruleset.txt": ruleset, "n/ps.txt": PS}))
    assert unprotected_families(host) == open_to


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n/etc/nftables.conf", RULESET),
        ("nftables.conf", "#!/usr/sbin/nft -f\n" + RULESET),
        ("rules.nft", "flush ruleset\n" + RULESET),
        ("table.txt", "table of contents {\n"),
        ("x.js", "table {\n  border: 1px\n}\n"),
    ],
)
def test_scripts_and_stored_files_are_no_live_ruleset(tmp_path: Path, name: str, text: str) -> None:
    assert "nft text" not in folder(tmp_path, {name: text}).items.values()


@given(
    st.lists(st.sampled_from(["table ip a {", "\tchain b {", "\t}", "}", "\tset c {", "\t\taccept", '"', "{{{", "é"]))
)
def test_no_order_of_lines_breaks_it(pieces: list[str]) -> None:
    read("\n".join(pieces))
