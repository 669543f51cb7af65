"""What a rule of the packet filter does to a new connection from outside to a port of the machine: if it speaks of it.

Three answers: yes, no, perhaps. "From outside" is somebody of whom nothing is known: a rule for one source address or
a set of them does not speak of him, its negation does. What is not understood makes the answer "perhaps", so that
nobody is accused, and nothing is called safe, by a rule that was not understood.

Forms: the words of iptables-save (also what `iptables -L` was turned into), and those of nft, as `nft list ruleset`
writes them and as `sources.host.nft` writes them back from JSON. Source: iptables-extensions(8), nft(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

Match = Literal["yes", "no", "perhaps"]
Kind = Literal["accept", "drop", "jump", "goto", "return", "none", "unclear"]

_WORD: Final = re.compile(r'"[^"]{0,4096}"|\{[^{}]{0,4096}\}|[^\s"{}]{1,512}|[{}"]')
_WORDS: Final = 400
_ANYWHERE: Final = frozenset(("0.0.0.0/0", "::/0", "0/0", "anywhere", "0.0.0.0", "::"))  # noqa: S104 - read, not bound
# Interfaces that nobody outside is behind.
_INSIDE: Final = re.compile(
    r"(?:lo|cni\d|docker\d|br-|cali|flannel|veth|virbr|cilium|lxc|tunl|weave|kube-|vxlan|genev|podman|nodelocaldns)"
)
_REFUSE: Final = frozenset(("DROP", "REJECT", "TARPIT", "STEAL"))
# Targets that let the packet go on to the next rule.
_PASSING: Final = frozenset(
    ("LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "TRACE", "CT", "NOTRACK", "TCPMSS", "AUDIT", "SET", "TOS", "DSCP",
     "CLASSIFY", "CHECKSUM", "TTL", "HL", "NFQUEUE", "SECMARK", "CONNSECMARK")
)  # fmt: skip
# What somebody from outside fits by chance at most.
_BY_CHANCE: Final = frozenset(
    ("--sport", "--sports", "--source-port", "--source-ports", "--mac-source", "--src-range", "--mark", "--icmp-type",
     "--icmpv6-type")
)  # fmt: skip
_FLAGS: Final = frozenset(("reject", "accept", "drop", "return", "continue"))


class Meaning(Struct, frozen=True):
    """What a rule means for that connection."""

    match: Match
    kind: Kind
    target: str = ""  # chain of a jump


_SPEAKS_OF_OTHERS: Final = Meaning("no", "none")


class Visitor(Struct, frozen=True):
    """A connection from outside."""

    port: int
    protocol: str = "tcp"
    outer: frozenset[str] = frozenset()  # interfaces with a public address; empty: not known


def meaning(text: str, visitor: Visitor) -> Meaning:
    """Of one rule."""
    words = _words(text)
    return _saved(words, visitor) if words[:1] == ("-A",) or " -j " in text or " -g " in text else _nft(words, visitor)


@lru_cache(maxsize=32_768)
def _words(text: str) -> tuple[str, ...]:
    """Cut once, though every port is led through the same rules."""
    return tuple(_WORD.findall(text[:8192])[:_WORDS])


def _saved(words: Sequence[str], visitor: Visitor) -> Meaning:
    answers: list[Match] = []
    at, negated = 0, False
    while at < len(words):
        word = words[at]
        value = words[at + 1] if at + 1 < len(words) else ""
        at += 2
        if word == "!":
            negated, at = True, at - 1
            continue
        if word in {"-j", "--jump", "-g", "--goto"}:
            return Meaning(_all(answers), *_target(value, goto=word in {"-g", "--goto"}))
        answer: Match | None
        if word in {"-A", "-m", "--match", "--comment"}:
            answer = None
        elif word in {"-p", "--protocol"}:
            answer = _is(value.lower() in {visitor.protocol, "all", "6" if visitor.protocol == "tcp" else "17"})
        elif word in {"-s", "--source", "--src"}:
            answer = _is(value in _ANYWHERE)
        elif word in {"-d", "--destination", "--dst"}:
            answer = "yes" if value in _ANYWHERE else "no" if value.startswith(("127.", "::1", "224.")) else "perhaps"
        elif word in {"-i", "--in-interface"}:
            answer = _interface(value, visitor)
        elif word in {"--dport", "--dports", "--destination-port", "--destination-ports", "--ports"}:
            answer = _ports(value, visitor)
        elif word in _BY_CHANCE:
            answer = "no"  # by chance at most
        elif word in {"--state", "--ctstate"}:
            answer = _is("NEW" in value.split(","))
        elif word == "--match-set":
            answer, at = ("no" if words[at : at + 1] == ("src",) else "perhaps"), at + 1
        elif word == "--src-type":
            answer = _is(value == "UNICAST")
        elif word == "--dst-type":
            answer = _is(value == "LOCAL")
        elif word == "--syn":
            answer, at = "yes", at - 1
        elif word == "--tcp-flags":
            answer, at = ("yes" if words[at : at + 1] == ("SYN",) else "no"), at + 1
        else:
            answer, at = "perhaps", at - 1
        if answer is not None:
            answers.append(_not(answer) if negated else answer)
            if answers[-1] == "no":
                return _SPEAKS_OF_OTHERS
        negated = False
    return Meaning(_all(answers), "none")


def _target(name: str, *, goto: bool) -> tuple[Kind, str]:
    if goto:
        return "goto", name
    if name in _REFUSE:
        return "drop", ""
    if name in {"ACCEPT", "RETURN"}:
        return ("accept" if name == "ACCEPT" else "return"), ""
    return ("none", "") if name in _PASSING else ("jump", name)


def _nft(words: Sequence[str], visitor: Visitor) -> Meaning:
    answers: list[Match] = []
    at = 0
    if "vmap" in words or '"vmap"' in words:
        return _by_map(words)

    def operand() -> tuple[bool, str]:
        """Whether it is negated, and the value, which may go on behind a comma."""
        nonlocal at
        negated = at < len(words) and words[at] == "!="
        at += negated
        if at < len(words) and words[at] == "==":
            at += 1
        value = words[at] if at < len(words) else ""
        at += 1
        if value.startswith("["):  # a list of JSON
            while at < len(words) and "]" not in value:
                value += words[at]
                at += 1
        while at < len(words) and (value.endswith(",") or words[at].startswith(",")):
            value += words[at]
            at += 1
        return negated, value.strip('"')

    while at < len(words):
        word = words[at]
        at += 1
        if word in {"jump", "goto"}:
            return Meaning(_all(answers), "jump" if word == "jump" else "goto", operand()[1])
        if word in _FLAGS:
            kind: Kind = "drop" if word in {"drop", "reject"} else word if word in {"accept", "return"} else "none"  # type: ignore[assignment]
            return Meaning(_all(answers), kind)
        if word in {"counter", "log", "#"}:
            at = _past(words, at)
            continue
        if word == "comment":
            at += 1
            continue
        if word == "xt":  # an extension of iptables, of which JSON tells no more than its name
            kind_, name = "".join(words[at : at + 1]), "".join(words[at + 1 : at + 2])
            at += 2
            if kind_ == "target":
                return Meaning(_all(answers), *_target(name, goto=False))
            answers += ["perhaps"] if name != "comment" else []
            continue
        field = words[at] if at < len(words) else ""
        answer: Match
        if word == "meta" and field in {"iifname", "iif", "l4proto", "protocol", "nfproto"}:
            word, at = field, at + 1
            field = ""
        if word in {"iif", "iifname"}:
            negated, value = operand()
            names = _members(value)
            found = [_interface(name, visitor) for name in names]
            answer = "yes" if "yes" in found else "perhaps" if "perhaps" in found else "no"
        elif word == "l4proto" or (word in {"ip", "ip6"} and field in {"protocol", "nexthdr"}):
            at += word != "l4proto"
            negated, value = operand()
            answer = _is(visitor.protocol in _members(value) or ("6" in _members(value) and visitor.protocol == "tcp"))
        elif word in {"nfproto", "protocol"}:
            negated, _ = operand()
            answer = "yes"
        elif word in {"tcp", "udp", "th"} and field == "dport":
            at += 1
            negated, value = operand()
            if word not in {visitor.protocol, "th"}:
                negated, answer = False, "no"
            else:
                answer = "perhaps" if value.startswith("@") else _ports(value.strip("{} "), visitor)
        elif word in {"icmp", "icmpv6", "udp", "igmp", "sctp"} and word != visitor.protocol:
            return Meaning("no", "none")
        elif word == "tcp" and field == "flags":
            return Meaning("perhaps", _last(words))
        elif word in {"ip", "ip6"} and field == "saddr":
            at += 1
            negated, value = operand()
            answer = _is(any(one in _ANYWHERE for one in _members(value)))
        elif word == "ct" and field == "state":
            at += 1
            negated, value = operand()
            answer = _is("new" in _members(value))
        elif word in {"ip", "ip6"} and field == "daddr":
            at += 1
            negated, value = operand()
            answer = "no" if value.startswith(("127.", "::1", "224.", "ff0")) else "perhaps"
        elif (word == "ct" and field == "status") or (word in {"ct", "meta"} and field == "mark"):
            at += 1
            negated, _ = operand()
            answer = "no"
        else:
            negated, answer = False, "perhaps"
        answers.append(_not(answer) if negated else answer)
        if answers[-1] == "no":
            return _SPEAKS_OF_OTHERS
    return Meaning(_all(answers), "none")


def _by_map(words: Sequence[str]) -> Meaning:
    """A map of verdicts: the one by the connection's state is understood."""
    text = " ".join(words)
    if re.search(r'ct state vmap|"key":"state"', text.replace(" : ", ":").replace('" : "', '":"')):
        new = re.search(r'new"?\s{0,9}[:,]\s{0,9}(?:\{\s{0,9}")?(accept|drop)', text)
        return Meaning("yes", "none" if new is None else "accept" if new[1] == "accept" else "drop")
    return Meaning("perhaps", "unclear")


def _past(words: Sequence[str], at: int) -> int:
    """Behind the words of a statement that decides nothing."""
    own = {"prefix", "level", "group", "flags", "packets", "bytes", "snaplen", "queue-threshold"}
    while at + 1 < len(words) and words[at] in own:
        at += 2
    return at


def _last(words: Sequence[str]) -> Kind:
    return "drop" if {"drop", "reject"} & set(words) else "accept" if "accept" in words else "none"


def _members(value: str) -> list[str]:
    return [one.strip().strip('"') for one in value.strip("{}[] ").split(",")]


def _ports(value: str, visitor: Visitor) -> Match:
    for one in _port_ranges(value):
        if one is None:
            return "perhaps"
        if one[0] <= visitor.port <= one[1]:
            return "yes"
    return "no"


def _port_ranges(value: str) -> Iterator[tuple[int, int] | None]:
    for one in re.sub(r'\{"range":\[(\d{1,5}),(\d{1,5})\]\}?', r"\1-\2", value).split(","):
        found = re.fullmatch(r"(\d{0,5})(?:([:-])(\d{0,5}))?", one.strip().strip('"'))
        if found is None or not (found[1] or found[2]):
            named = _NAMES.get(one.strip().strip('"'))
            yield (named, named) if named else None
        else:
            low = int(found[1] or 0)
            yield low, (int(found[3] or 65535) if found[2] else low)


_NAMES: Final = {"ssh": 22, "http": 80, "https": 443, "domain": 53, "ntp": 123, "snmp": 161, "bgp": 179, "dns": 53}


def _interface(name: str, visitor: Visitor) -> Match:
    name = name.strip('"')
    if _INSIDE.match(name):
        return "no"
    if visitor.outer:
        fits = any(one == name or (name[-1:] in "+*" and one.startswith(name[:-1])) for one in visitor.outer)
        return _is(fits)
    return "perhaps"


def _is(fits: bool) -> Match:
    return "yes" if fits else "no"


def _not(answer: Match) -> Match:
    return {"yes": "no", "no": "yes", "perhaps": "perhaps"}[answer]  # type: ignore[return-value]


def _all(answers: Sequence[Match]) -> Match:
    return "no" if "no" in answers else "perhaps" if "perhaps" in answers else "yes"
