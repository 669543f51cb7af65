"""`kubewitness state`: the roles and bindings of a moment, who changed them, and who could do what.

Only the writes of RBAC objects are looked for in the logs; everything else of the evidence is passed over, and dumps of
the cluster are the base, or else the defaults of its version. What is not known is said with each answer.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from datetime import datetime

import click
import msgspec
from msgspec.structs import replace

from kubewitness.cli.main import FINDINGS, INCOMPLETE, context_settings
from kubewitness.cli.output import to_stdout
from kubewitness.cli.session import language_of
from kubewitness.correlate.rbac.changes import Change, changes_in
from kubewitness.correlate.rbac.state import History, State
from kubewitness.detect.ledger import LEDGER_RULE
from kubewitness.detect.run import Scan, scan
from kubewitness.evidence.opening import anything_there, walk
from kubewitness.incident.cuts.dumps import dumps_of
from kubewitness.model.errors import EvidenceError, UsageError
from kubewitness.model.event import parse_time
from kubewitness.model.text import Language
from kubewitness.posture.bootstrap.defaults import defaults
from kubewitness.posture.bootstrap.known import Version, version_of
from kubewitness.posture.rbac.evaluate import Answer, evaluate
from kubewitness.posture.rbac.nouns import Attributes, Binding, Role
from kubewitness.report import state_words
from kubewitness.report.hostile import inert
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet, shipped_rules
from kubewitness.sources.host.hosts import read_hosts
from kubewitness.sources.kube_cluster import read_cluster
from kubewitness.sources.kube_objects import KIND, MANIFEST_KIND, read_objects

_EPILOG = """\b
Examples:
  kubewitness state audit.log rbac.json --at 2026-11-22T04:06:00Z
  kubewitness state evidence/ --at 2026-11-22T04:06:00Z --who system:anonymous
  kubewitness state audit.log --defaults 1.28
  kubewitness state evidence/ --at 2026-11-22T04:06:00Z \\
      --can "get secrets -n payments --as system:serviceaccount:ci:deployer"

\b
Exit codes: 0 told, and with --can: allowed; 1 with --can: refused; 2 wrong call,
3 some evidence could not be read (what it tells is still printed)."""


# Who they are cannot be made up by a request; only what they call themselves can.
_COMPONENTS = {
    "kube-apiserver": ("system:apiserver",),
    "kube-controller-manager": ("system:kube-controller-manager",),
}


class _Question(msgspec.Struct, frozen=True):
    question: str
    decision: str
    by: str
    rule: int
    uncertain: tuple[str, ...]


class _Change(msgspec.Struct, frozen=True):
    time: datetime
    verb: str
    object: str
    identity: str
    address: str
    audit_id: str
    item: str
    line: int


class _Told(msgspec.Struct, frozen=True):
    """What `--format json` gives."""

    time: datetime
    base: str
    bindings: tuple[Binding, ...]
    roles: tuple[Role, ...]
    unknown: tuple[str, ...]
    changes: tuple[_Change, ...]
    answer: _Question | None = None
    defaults: str = ""


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--at", "moment", metavar="TIME", help="The moment, as 2026-11-22T04:06:00Z  [default: end of the log]")
@click.option("--who", metavar="USER", help="Only bindings of this user, group or system:serviceaccount:NS:NAME.")
@click.option("--can", "question", metavar="QUESTION", help='As kubectl auth can-i: "VERB RESOURCE [-n NS] --as USER".')
@click.option(
    "--defaults",
    "release",
    metavar="VERSION",
    help="Without a dump, begin with the defaults of Kubernetes VERSION, as 1.28  [default: the evidence's]",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Language  [default: from the locale]")
def state(
    *, paths: tuple[str, ...], moment: str | None, who: str | None, question: str | None, release: str | None,
    form: str, language: Language | None,
) -> int:  # fmt: skip
    """Show roles and bindings at a moment, who changed them until then, and who could do what.

    PATH holds audit logs and, if there is one, a dump of the cluster's roles and bindings (kubectl get -o json).
    Without a dump only what the log tells is known, over the defaults of the cluster's version, and that is said.
    """
    if not anything_there(paths):
        raise UsageError(f"{inert(', '.join(paths[:3]))}: no such file or directory")
    asked = parsed(question) if question else None
    when = parse_time(moment) if moment else None
    if moment and when is None:
        raise UsageError(f"--at {moment!r} is no time such as 2026-11-22T04:06:00Z")
    version = version_of(release) if release else None
    if release and version is None:
        raise UsageError(f"--defaults {release!r} is no version such as 1.28")
    history, read, incomplete = _read(paths, version)
    when = when or parse_time(read.last)
    if when is None:
        if unread := next((item for item in read.items if item.skipped), None):
            raise EvidenceError(f"{inert(unread.name)}: {inert(unread.skipped)}")
        raise UsageError("the evidence has no audit event that tells a time: give one with --at")
    found = history.at(when)
    answer = evaluate(found.policy, asked) if asked else None
    tongue = language or language_of(os.environ)
    if form == "json":
        to_stdout(msgspec.json.format(msgspec.json.encode(_told(found, history, who, question, answer))) + b"\n")
    else:
        lines = state_words.answer(question or "", answer, found, tongue) if answer else []
        if answer is None or who:
            lines += state_words.told(found, history.changes, _names(who), tongue)
        to_stdout("".join(f"{inert(line)}\n" for line in lines).encode())
    if incomplete:
        return INCOMPLETE
    return FINDINGS if answer and not answer.allowed else 0


def _read(paths: Sequence[str], version: Version | None) -> tuple[History, Scan, bool]:
    everything = list(walk(paths))
    machines = read_hosts(everything, 2000)
    objects = read_objects([source for source in everything if source.name not in machines.items])
    logs = [source for source in everything if source.name not in machines.items and source.name not in objects.items]
    shipped = shipped_rules()
    rules = replace(
        RuleSet(), rules=tuple(rule for rule in shipped.rules if rule.id == LEDGER_RULE), errors=shipped.errors
    )
    read = scan(logs, rules, Matcher(rules.rules), os.cpu_count() or 1, lambda *_: None)
    dumps = [source for source in everything if objects.items.get(source.name) == KIND]
    # A file that holds no audit event is none of our logs.
    broken = any(item.skipped or (item.events and item.failures) for item in read.items)
    collected = [
        source
        for source in everything
        if source.name.endswith("cluster/version.json") or objects.items.get(source.name) == MANIFEST_KIND
    ]
    cluster = read_cluster(collected).cluster if collected else None
    version = version or _version(read) or version_of(cluster.version if cluster else "")
    made = defaults(version) if version else None
    return History(changes_in(read.ledger), dumps_of(dumps), made), read, broken or bool(objects.failures)


def _version(read: Scan) -> Version | None:
    """The version that the control plane's own agents tell, the first in the log: it may have been upgraded since."""
    found = [
        (profile.first, version)
        for key, profile in read.profiles.by_key.items()
        for component, identities in _COMPONENTS.items()
        if key.identity in identities and key.agent.startswith(f"{component}/")
        if (version := version_of(key.agent.removeprefix(f"{component}/").partition(" ")[0]))
    ]
    return min(found)[1] if found else None


def _names(who: str | None) -> tuple[str, ...]:
    """The name and the groups that come with it."""
    return (who, *_given(who)) if who else ()


def parsed(question: str) -> Attributes:
    """The question in words: "get pods/log web-1 -n shop --as jane --as-group staff", "get /metrics --as jane".

    Raises:
        UsageError: it is none.
    """
    try:
        words = shlex.split(question)
    except ValueError as error:
        raise UsageError(f"--can: {error}") from None
    plain, options = list[str](), dict[str, list[str]]()
    flags = {"-n": "namespace", "--namespace": "namespace", "--as": "as", "--as-group": "group"}
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name in flags and (equals or words):
            options.setdefault(flags[name], []).append(value if equals else words.pop(0))
        elif word.startswith("-"):
            raise UsageError(f"--can: {word} is not known; it takes -n, --as and --as-group")
        else:
            plain.append(word)
    if len(plain) not in {2, 3} or "as" not in options:
        raise UsageError('--can takes "VERB RESOURCE [NAME] [-n NAMESPACE] --as USER", or a URL as RESOURCE')
    user = options["as"][-1]
    asked = Attributes(user, (*options.get("group", ()), *_given(user)), plain[0])
    if plain[1].startswith("/"):
        return asked._replace(path=plain[1])
    resource, _, subresource = plain[1].partition("/")
    # Either way of writing it: deployments.apps/scale, deployments/scale.apps.
    resource, _, group = resource.partition(".")
    subresource, _, behind = subresource.partition(".")
    return asked._replace(
        group=group or behind, resource=resource, subresource=subresource, name=plain[2] if len(plain) == 3 else "",
        namespace=options.get("namespace", [""])[-1],
    )  # fmt: skip


def _given(user: str) -> tuple[str, ...]:
    """The groups that come with a name."""
    if user == "system:anonymous":
        return ("system:unauthenticated",)
    parts = user.split(":")
    if user.startswith("system:serviceaccount:") and len(parts) == 4:
        return ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", "system:authenticated")
    return ("system:authenticated",)


def _told(found: State, history: History, who: str | None, question: str | None, answer: Answer | None) -> _Told:
    bindings = state_words.bindings_of(found, _names(who))
    roles = [one for _, one in sorted(found.policy.objects.items()) if isinstance(one, Role)]
    wanted = {binding.role for binding in bindings}
    kept = [role for role in roles if not who or role.key in wanted]
    shown = [replace(role, rules=found.policy.rules_of(role.key) or ()) for role in kept]
    return _Told(
        found.time,
        found.base,
        tuple(bindings),
        tuple(shown),
        tuple(str(key) for key in sorted(found.policy.doubts)),
        tuple(_change(one) for one in state_words.changes_of(found, history.changes, bindings, some=bool(who))),
        _answered(question or "", answer, found) if answer else None,
        str(found.defaults.version or "") if found.defaults else "",
    )


def _change(one: Change) -> _Change:
    place = one.place
    return _Change(one.time, one.verb, str(one.key), one.identity, one.address, one.audit_id, place.item, place.line)


def _answered(question: str, answer: Answer, found: State) -> _Question:
    grant = answer.grant
    unsure = tuple(state_words.doubts(answer, found))
    return _Question(question, answer.decision, grant.reason if grant else "", grant.rule if grant else -1, unsure)
