"""The parts of a cut: which the intruder's requests offer, whom each concerns, and how the document names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from kubewitness.correlate.rbac.counterfactual import Asked, Part, Replay, Support, narrower
from kubewitness.detect.profile import Profile
from kubewitness.model.incident import CutPart, ObjectName, RootCause
from kubewitness.posture.rbac.nouns import GROUP, Binding, Key, Subject
from kubewitness.rules.features.identity import kind_of_name, service_account

ANONYMOUS = "system:anonymous"
NOBODY = Part("credential", (), (f"identity {ANONYMOUS}",))  # to come with no credential at all
_FORMS = ("JTI", "X509SHA256")
_IDS = 10  # credentials of one identity that are named
_RIGHTS = 40  # rights of a role that are judged
SHIPPED = ("system:", "kubeadm:")  # begin the names of what Kubernetes and its installer bring


def narrower_cuts(
    binding: Part, asked: Sequence[Asked], supports: Sequence[Support], replay: Replay
) -> list[frozenset[Part]]:
    """Less than a whole binding: the subjects that the intruder was, if there are others, and rights of its role."""
    out = []
    subjects, rights = narrower(binding, supports)
    assert isinstance(binding.key, Key)
    found = (replay.binding(binding.key, one.when) for one in (asked[0], asked[-1]))
    if subjects and any(len(one.subjects) > len(subjects) for one in found if one):
        out.append(subjects)
    if 0 < len(rights) <= _RIGHTS:
        out.append(rights)
    return out


def credentials(causes: Iterable[RootCause], asked: Sequence[Asked]) -> list[frozenset[Part]]:
    """The credentials with which the intruder came in: by their ids where it always showed one."""
    given = {name for one in asked for name in one.gave}
    out = []
    for cause in causes:
        name = f"identity {cause.name}"
        own = [one for one in asked if name in one.shown]
        if cause.kind != "Credential" or not own or name in given:
            continue
        shown = [[id_ for id_ in one.shown if "=" in id_ and id_.partition("=")[0] in _FORMS] for one in own]
        ids = sorted({id_ for some in shown for id_ in some} - given)
        named = all(shown) and 0 < len(ids) <= _IDS
        out.append(frozenset(Part("credential", (), (one,)) for one in (ids if named else [name])))
    return out


def subjects_of(parts: Iterable[Part], asked: Sequence[Asked], replay: Replay) -> set[Subject]:
    """Whom the parts concerned while the intruder was there; its own identities, if that is not known."""
    out, moments = set[Subject](), (asked[0].when, asked[-1].when)
    for part in parts:
        if part.kind == "credential":
            out.update(Subject("User", one.who) for one in asked if not set(part.what).isdisjoint(one.shown))
        elif part.kind == "subject":
            kind, name, namespace = part.what
            out.add(Subject(kind, name, namespace))
        elif part.kind == "right":
            for when in moments:
                objects = replay.history.around(when).policy.objects.values()
                bound = (one for one in objects if isinstance(one, Binding) and one.role == part.key)
                out.update(subject for one in bound for subject in one.subjects)
        elif isinstance(part.key, Key):
            found = [replay.binding(part.key, when) for when in moments]
            out.update(subject for binding in found if binding for subject in binding.subjects)
            if not any(found):
                out.update(Subject("User", one.who) for one in asked)
    return out


def let_through(profile: Profile, theirs: Counter[tuple[str, str]], parts: Collection[Part]) -> int:
    """Requests of an accessor that may have needed these, as its counts tell, without what is `theirs`."""
    through = profile.asked(refused=False) - theirs
    if any(part.kind != "right" for part in parts):
        return through.total()
    if any("*" in one or "," in one for part in parts for one in part.what):
        return through.total()  # a whole rule
    wanted = {
        (verb, part.what[2] if len(part.what) > 2 else "")  # else a path
        for part in parts for verb in part.what[0].split("/")
    }  # fmt: skip
    return sum(count for kind, count in through.items() if kind in wanted)


def may_be(subject: Subject, identity: str) -> bool:
    """Whether the subject may be this identity; the groups of a person are not in the profile, so any will do."""
    if subject.kind == "User":
        return subject.name == identity
    account = service_account(identity)
    if subject.kind == "ServiceAccount":
        return account is not None and account[1] == subject.name and subject.namespace in {"", account[0]}
    match subject.name:
        case "system:unauthenticated":
            return kind_of_name(identity) == "anonymous"
        case "system:authenticated":
            return kind_of_name(identity) not in {"anonymous", "rejected"}
        case "system:serviceaccounts":
            return account is not None
    if subject.name.startswith("system:serviceaccounts:"):
        return account is not None and subject.name == f"system:serviceaccounts:{account[0]}"
    return account is None and kind_of_name(identity) not in {"anonymous", "rejected"}


def named(parts: Iterable[Part], asked: Sequence[Asked]) -> tuple[CutPart, ...]:
    """The parts as the document has them."""
    return tuple(_named(part, asked) for part in sorted(parts))


def _named(part: Part, asked: Sequence[Asked]) -> CutPart:
    if part.kind == "credential":
        name = part.what[0]
        who = next((one.who for one in asked if name in one.shown), "")
        return CutPart("credential", ObjectName("users", "", who), "" if name.startswith("identity ") else name)
    assert isinstance(part.key, Key)
    key = ObjectName(part.key.resource, part.key.namespace, part.key.name, GROUP)
    if part.kind == "subject":
        kind, name, namespace = part.what
        return CutPart("subject", key, f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}")
    if part.kind == "right":
        return CutPart("right", key, f"{part.what[0]} {part.what[-1]}")
    return CutPart("binding", key)


def best_of_family(
    whole: frozenset[Part], measured: Mapping[frozenset[Part], tuple[int, int]], family: Iterable[frozenset[Part]]
) -> list[frozenset[Part]]:
    """What is worth telling of a binding and of less than it: `measured` are requests refused and others broken.

    Less than the binding is told where it does less harm; its subjects also where they refuse as much, for that changes
    less. The binding is then not told if it refuses no more.
    """
    kept = [whole]
    for less in family:
        refused, harmed = measured[less]
        if not refused:
            continue
        subject = all(part.kind == "subject" for part in less)
        better = [
            harmed < measured[one][1] or (subject and one == whole and (refused, harmed) == measured[one])
            for one in kept
        ]  # fmt: skip
        if all(better):
            kept = [one for one in kept if measured[one][0] > refused]
            kept.append(less)
    return kept
