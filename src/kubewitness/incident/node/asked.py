"""What the audit log knows of calls that went straight to a kubelet: the kubelet's questions to the authorizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubewitness.correlate.links import edge
from kubewitness.detect.detection import Detection
from kubewitness.detect.reading import event_of
from kubewitness.incident.when import moment
from kubewitness.model.incident import Edge, Entity, Evidence
from kubewitness.model.text import Text

_ASKED = tuple(
    f"k8s_audit/initial_access/{name}"
    for name in ("kubelet_probed_anonymously", "kubelet_command_tried_anonymously", "kubelet_open_to_anonymous")
)


def asked_by(found: Iterable[Detection], hashes: Mapping[str, str]) -> dict[str, list[Edge]]:
    """Questions of kubelets whether a caller without a credential may use them, by node.

    A kubelet that asks the API server (authorization mode Webhook) leaves a SubjectAccessReview for each such call: the
    only trace of it in the audit log.
    """
    out = dict[str, list[Edge]]()
    for one in found:
        if one.rule.id not in _ASKED or not one.identity.startswith("system:node:"):
            continue
        node = one.identity.removeprefix("system:node:")
        for number, (place, original) in enumerate(one.places):
            event = event_of(original, place) if original else None
            known = one.ids[number] if number < len(one.ids) else ""
            audit_id = event.audit_id if event else known
            if not audit_id:
                continue
            evidence = Evidence(
                audit_id, place.item, place.line, place.offset, one.first, sha256=hashes.get(place.item, "")
            )
            keys = {"system:node": one.identity, "user": "system:anonymous"}
            source, target = Entity("request", audit_id), Entity("node", node)
            made = edge("access_review", source, target, keys, (evidence,), user="system:anonymous")
            out.setdefault(node, []).append(made)
    return out


def said_of(asked: Sequence[Edge]) -> tuple[Text, ...]:
    """What the audit log tells of the calls, in a sentence."""
    if not asked:
        return ()
    first, count = asked[0], len(asked)
    en = f"{first.why.en.rstrip('.')} ({count} such questions in the audit log, the first at "
    zh = f"{first.why.zh.rstrip('。')}（审计日志中此类询问 {count} 次，首次为 "
    when = moment(first.evidence[0].time)
    return (Text(f"{en}{when}).", f"{zh}{when}）。"),)
