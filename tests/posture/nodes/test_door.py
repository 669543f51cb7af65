"""Whether the packet filter lets somebody from outside reach a port."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import Place
from kubewitness.model.host import Firewall, FirewallRule, Host
from kubewitness.posture.nodes.door import door
from kubewitness.posture.nodes.rule_words import Visitor, meaning
from kubewitness.sources.host.formats import BY_KIND
from tests.posture.nodes.made import filtered
from tests.sources.host.reading import context, lines

UFW = """
    -A INPUT -j ufw-before-input
    -A ufw-before-input -i lo -j ACCEPT
    -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    -A ufw-before-input -m conntrack --ctstate INVALID -j DROP
    -A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
    -A ufw-before-input -j ufw-user-input
    -A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
    -A ufw-user-input -s 10.0.0.0/24 -j ACCEPT
"""


@pytest.mark.parametrize(
    ("rules", "policy", "state"),
    [
        ("", "ACCEPT", "open"),
        ("", "DROP", "closed"),
        (UFW, "DROP", "closed"),
        (UFW, "ACCEPT", "open"),
        (UFW.replace("--dport 22", "-m multiport --dports 22,10000:10300"), "DROP", "open"),
        ("-A INPUT -p tcp -m tcp --dport 10250 -j DROP", "ACCEPT", "closed"),
        ("-A INPUT -p udp -m udp --dport 10250 -j DROP", "ACCEPT", "open"),
        ("-A INPUT -p tcp -m tcp --dport 10255 -j DROP", "ACCEPT", "open"),
        ("-A INPUT ! -s 10.0.0.0/24 -p tcp -m tcp --dport 10250 -j REJECT --reject-with tcp-reset", "ACCEPT", "closed"),
        ("-A INPUT -s 198.51.100.7/32 -j DROP", "ACCEPT", "open"),
        ("-A INPUT -s 10.0.0.0/8 -j ACCEPT\n-A INPUT -j DROP", "ACCEPT", "closed"),
        ("-A INPUT -j ACCEPT\n-A INPUT -j DROP", "ACCEPT", "open"),
        ("-A INPUT -p tcp -m set ! --match-set admins src -m tcp --dport 10250 -j DROP", "ACCEPT", "closed"),
        ("-A INPUT -p tcp -m set --match-set bad src -j DROP", "ACCEPT", "open"),
        ("-A INPUT -m string --string x --algo bm -j DROP", "ACCEPT", "unclear"),
        ('-A INPUT -m comment --comment "no -j DROP yet" -j ACCEPT', "DROP", "open"),
        ("-A INPUT -j KUBE-FIREWALL\n-A KUBE-FIREWALL -j DROP", "ACCEPT", "open"),
        ("-A INPUT -j own\n-A own -j own\n-A own -j DROP", "ACCEPT", "closed"),
        ("-A INPUT -j own\n-A own -p tcp -j RETURN\n-A own -j DROP", "ACCEPT", "open"),
        ("-A INPUT -g own\n-A INPUT -j DROP", "ACCEPT", "open"),
        ("-A INPUT -i eth9 -j DROP", "ACCEPT", "open"),
        ("-A INPUT -i eth0 -j DROP", "ACCEPT", "closed"),
        ("-A unused -j DROP", "ACCEPT", "open"),
    ],
)
def test_the_connection_is_led_through_the_rules(rules: str, policy: str, state: str) -> None:
    machine = Host("n", firewalls=[filtered(rules, policy)])
    assert door(machine, 10250, outer=("eth0",)).state == state


def test_an_interface_whose_side_is_not_known_makes_it_unclear() -> None:
    machine = Host("n", firewalls=[filtered("-A INPUT -i eth1 -j DROP")])
    assert door(machine, 10250).state == "unclear"


def test_without_a_dump_and_with_half_of_it_nothing_is_claimed() -> None:
    assert door(Host("n"), 10250).state == "unseen"
    assert door(Host("n", firewalls=[filtered("", other_backend=True)]), 10250).state == "unclear"
    assert door(Host("n", firewalls=[filtered("", "DROP", other_backend=True)]), 10250).state == "closed"
    assert door(Host("n", firewalls=[filtered("", "DROP")]), 10250, "ip6").state == "unseen"


NFT = """\
table inet guard {
	chain input {
		type filter hook input priority -10; policy accept;
		ct state established,related accept
		iif "lo" accept
		iif != "lo" ip daddr 127.0.0.0/8 drop
		meta l4proto { icmp, ipv6-icmp } accept
		@RULE@
	}
}
"""


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("counter", "open"),
        ("tcp dport 22 accept", "open"),
        ("tcp dport { 2379, 10250-10259 } drop", "closed"),
        ("tcp dport { 2379, 10251 } drop", "open"),
        ("tcp dport != { 22, 443 } counter drop", "closed"),
        ("udp dport 10250 drop", "open"),
        ("ip saddr != 10.0.0.0/8 tcp dport 10250 reject with tcp reset", "closed"),
        ("ip saddr @banned drop", "open"),
        ("ct state new drop", "closed"),
        ("ct state vmap { established : accept, new : drop }", "closed"),
        ("tcp dport vmap { 22 : accept, 10250 : drop }", "unclear"),
        ("meter x { ip saddr limit rate 1/second } drop", "unclear"),
        ('log prefix "drop " drop', "closed"),
    ],
)
def test_rules_of_nft_too(rule: str, state: str) -> None:
    facts = BY_KIND["nft text"].read(lines(NFT.replace("@RULE@", rule)), context())
    machine = Host("n", firewalls=[one for one in facts if isinstance(one, Firewall)])
    assert door(machine, 10250).state == state


def test_what_iptables_save_shows_whole_is_not_read_again_from_nft() -> None:
    place = Place("nft.json", 1, 0)
    copy = Firewall(
        "ip", "nft", place, (("filter", "INPUT", "ACCEPT"),),
        (FirewallRule("filter", "INPUT", "xt match set counter xt target DROP", place),),
    )  # fmt: skip
    save = filtered("-A INPUT -m set --match-set bad src -j DROP")
    assert door(Host("n", firewalls=[save, copy]), 10250).state == "open"
    assert door(Host("n", firewalls=[copy]), 10250).state == "unclear"


@given(st.text(max_size=300))
def test_no_rule_breaks_the_reading(text: str) -> None:
    for words in (text, f"-A INPUT {text} -j DROP"):
        assert meaning(words, Visitor(10250)).match in {"yes", "no", "perhaps"}
