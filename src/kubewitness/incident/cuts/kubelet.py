"""What other settings of a kubelet would have stopped of the commands that came straight to it.

Without anonymous access who shows no credential is turned away; with the authorizer Webhook the API server's roles and
bindings decide, and those are known where they are among the evidence. Commands through the API server carry its own
certificate and would have been let in all the same, so only incidents that never reached it are judged.

Who else uses a kubelet is seldom recorded: at -v=3 and above it logs each request with its address, never with an
identity. Where it does, that is the most that could break; where it does not, nothing is known. What was read through
the read-only port leaves no trace at all, so there is nothing that closing it could be shown to refuse.

Source: pkg/kubelet/server/auth.go (verbs and resource of a request), k8s.io/apiserver/pkg/server/httplog.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from kubewitness.correlate.rbac.state import History
from kubewitness.incident.node.story import COMMANDS
from kubewitness.incident.node.view import NodeView
from kubewitness.model.event import parse_time
from kubewitness.model.host import Host
from kubewitness.model.incident import Cut, CutPart, Incident, ObjectName
from kubewitness.posture.exposed import ANONYMOUS, MODE
from kubewitness.posture.rbac.evaluate import evaluate
from kubewitness.posture.rbac.nouns import Attributes

_BY: Final = 10
_CLOSED: Final = (f"{ANONYMOUS}=false", f"{MODE}=Webhook")
_COMMAND: Final = re.compile(r"/(?:exec|run|attach|portForward|cri)/")
_REFUSED: Final = frozenset(("401", "403"))
_PORT: Final = re.compile(r":\d{1,5}$")


def kubelet_cuts(incident: Incident, views: Sequence[NodeView], history: History) -> Iterator[Cut]:
    """What each setting of the kubelets concerned would have refused. `history`: roles and bindings."""
    if incident.audit_ids:
        return
    for view in views:
        settings = view.settings and (view.settings.running or view.settings.after_restart)
        commands = _commands(incident, view.host.name)
        if not settings or not commands:
            continue
        node = ObjectName("nodes", "", view.host.name)
        others, recorded = _others(view.host)
        anonymous, always = settings.value(ANONYMOUS) == "true", settings.value(MODE) == "AlwaysAllow"
        webhook = always and not (anonymous and _granted(incident, view.host.name, history))
        for setting in [one for one, wrong in zip(_CLOSED, (anonymous, webhook), strict=True) if wrong]:
            yield Cut(
                (node,), commands, commands, others.total(), dict(others.most_common(_BY)), len(others),
                at_most=recorded, uncertain=True, parts=(CutPart("kubelet", node, setting),), of="commands",
                unknown=not recorded,
            )  # fmt: skip


def _commands(incident: Incident, host: str) -> int:
    """Commands that the kubelet of the machine is known to have been asked for."""
    steps = (step for step in incident.steps if not set(COMMANDS).isdisjoint(step.rules))
    return sum(step.requests for step in steps if step.identity.endswith((f" {host}", f"@{host}")))


def _granted(incident: Incident, host: str, history: History) -> bool:
    """Whether roles and bindings would have let in who shows no credential."""
    when = parse_time(incident.first)
    if when is None:
        return False
    policy = history.around(when).policy
    asked = Attributes("system:anonymous", ("system:unauthenticated",), "create", "", "nodes", "proxy", host)
    return any(evaluate(policy, asked._replace(verb=verb)).allowed for verb in ("create", "get"))


def _others(host: Host) -> tuple[Counter[str], bool]:
    """Requests to the kubelet that its log tells of and that are no commands, by address; whether it tells of any."""
    found, recorded = Counter[str](), False
    for line in host.logs:
        fields = line.fields
        if line.component != "kubelet" or line.message != "HTTP" or "URI" not in fields:
            continue
        recorded = True
        if fields.get("resp") not in _REFUSED and not _COMMAND.search(fields["URI"][:2000]):
            found[_PORT.sub("", fields.get("srcIP", ""))[:80]] += 1
    return found, recorded
