"""Whether the log tells with which clients requests were made.

A client names itself (the User-Agent header), and the cluster's own parts name themselves by their programs: kubelet,
kube-controller-manager. Hence kubectl in their name is a credential in other hands. That holds only where the text is
the client's own. A proxy in front of the API server, or whoever made a log anonymous, may have written one text for
all. It shows in the cluster's own parts: an intruder has the credentials of one or two, never those of all, and while
the cluster runs their programs go on asking.

Source: DefaultKubernetesUserAgent in k8s.io/client-go/rest/config.go.
"""

from __future__ import annotations

from typing import Final, Literal

from kubewitness.detect.profile import Profile
from kubewitness.detect.run import Scan
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.ir import CorrelationRule, Rule

Told = Literal["own", "alike", "none"]

_HANDS: Final = ("kubectl", "oc/", "curl", "wget", "python-requests", "python-urllib", "httpie", "peirates", "k9s")
_PARTS: Final = 4  # of the cluster, all of them with a person's tool: more than anybody steals
_ENOUGH: Final = 50  # requests without any agent: fewer may well be of clients that send none


def by_hand(profile: Profile) -> bool:
    """A tool that people use, not a program of the cluster."""
    return profile.key.agent.lower().startswith(_HANDS)


def is_part(identity: str) -> bool:
    """The name of one of the cluster's own parts."""
    return kind_of_name(identity) in ("node", "controlPlane")


def agents_of(scan: Scan) -> Told:
    """Whose the names of clients are: the clients' own, the same for all (so somebody else's), or not logged."""
    profiles = scan.profiles.by_key.values()
    if not any(profile.key.agent for profile in profiles):
        return "none" if sum(profile.requests for profile in profiles) >= _ENOUGH else "own"
    parts = [profile for profile in profiles if is_part(profile.key.identity)]
    if len({profile.key.identity for profile in parts}) >= _PARTS and all(map(by_hand, parts)):
        return "alike"
    return "own"


def rests_on_agent(rule: Rule | CorrelationRule) -> bool:
    """Whether a rule asks for the client's name."""
    return isinstance(rule, Rule) and any(field == "userAgent" or field.startswith("agent.") for field in rule.fields)
