"""Checks of the credentials that lie on machines: an administrator's where no API server runs, for how long, how often.

The certificate of a group that may do everything cannot be taken back: `system:masters` is let through before RBAC, and
an API server knows no list of revoked certificates. Where it may lie without a word are the places that kubeadm, K3s,
RKE2, k0s and MicroK8s themselves put it on a machine of the control plane; who has that machine has the CA's key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from kubewitness.model.event import parse_time
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.check import FLEET, Machine, Snapshot, not_evaluated
from kubewitness.posture.credentials.material import Material, is_control_plane, materials
from kubewitness.posture.filling import filled

MASTERS: Final = "system:masters"
KUBEADM: Final = "kubeadm:cluster-admins"
_ADMINISTRATORS: Final = frozenset({MASTERS, KUBEADM})
_OWN_PLACES: Final = (
    "/etc/kubernetes/", "/etc/rancher/", "/var/lib/rancher/", "/var/snap/microk8s/", "/var/lib/k0s/",
    "/srv/kubernetes/", "/var/lib/minikube/", "/etc/ssl/etcd/", "/var/lib/kubelet/",
)  # fmt: skip
_YEAR: Final = timedelta(days=398)  # the longest that authorities of the web issue
_NO_CLOCK: Final = 2000


def administrators(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    """Credentials of administrators, by where they lie."""
    here = is_control_plane(machine.host)
    found = list(materials((machine,)))
    yield from _nothing_seen(machine, found)
    for one in found:
        if one.kind == "kubeconfig" and one.means == "certificate" and one.certificate is None:
            reason = Text(
                "the certificate it points to is not in the evidence, or cannot be read",
                "它指向的证书不在证据中，或无法读取",
            )
            yield Result("not_evaluated", machine.target, _subject(one), where=(one.where,), reason=reason)
            continue
        groups = _ADMINISTRATORS.intersection(one.groups)
        if not groups or "etcd" in one.issuer.lower():  # etcd's own authority makes nobody at the API server
            continue
        name = "、".join(sorted(groups))
        observed = Text(
            f"certificate of {one.user or '?'} in {', '.join(sorted(groups))} at {one.path}",
            f"{one.path} 处有用户 {one.user or '?'} 的证书，所属组为 {name}",
        )
        if _is_over(one, snapshot):
            text = Text(f"{observed.en}; it has expired", f"{observed.zh}；该证书已过期")
            yield Result("pass", machine.target, _subject(one), text, where=(one.where,))
        elif here is None:
            reason = Text(
                "whether an API server runs on this machine cannot be told from the evidence",
                "根据证据无法判断该机器上是否运行 API server",
            )
            yield Result("not_evaluated", machine.target, _subject(one), observed, where=(one.where,), reason=reason)
        elif here and one.path.startswith(_OWN_PLACES):
            yield Result("pass", machine.target, _subject(one), observed, where=(one.where,))
        else:
            yield _misplaced(one, machine, observed, here=here)


def _nothing_seen(machine: Machine, found: Sequence[Material]) -> Iterator[Result]:
    """Only where a collector looked for them is it known that there are none."""
    if not found and not machine.host.collected:
        reason = Text(
            "no kubeconfig and no client certificate is among the files of this machine",
            "该机器的文件中没有 kubeconfig，也没有客户端证书",
        )
        yield not_evaluated(machine.target, "", reason)


def _misplaced(one: Material, machine: Machine, observed: Text, *, here: bool) -> Result:
    severity: Severity = "high" if MASTERS in one.groups else "medium"
    reason = Text(
        "no API server runs on this machine: whoever gets hold of it gets the whole cluster",
        "该机器上没有运行 API server：控制了这台机器的人就控制了整个集群",
    )
    if here:
        severity = "low"
        reason = Text(
            "a copy beside the original, as kubeadm tells to make it; it goes into backups and home folders",
            "这是原件之外的副本（kubeadm 会提示这样复制），它会进入备份和主目录",
        )
    elif one.path.startswith("/etc/kubernetes/pki/") or one.path.startswith("/var/lib/kubelet/"):
        severity = "medium" if severity == "high" else "low"
    expected = Text("only on machines of the control plane, where it was made", "只存在于签发它的控制平面机器上")
    remedy = filled("credentials/administrator", {"PATH": one.path})
    return Result("fail", machine.target, _subject(one), observed, expected, (one.where,), reason, severity, remedy)


def lifetimes(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    """Certificates that have ended, and those of persons that live for years."""
    found = list(materials((machine,)))
    yield from _nothing_seen(machine, found)
    for one in found:
        made = one.certificate
        if made is None:
            continue
        begins, ends = parse_time(made.not_before), parse_time(made.not_after)
        if ends is None:
            continue
        # openssl reads no kubeconfig
        remedy = filled("credentials/lifetime", {"PATH": one.path}) if one.kind != "kubeconfig" else None
        observed = Text(
            f"certificate of {one.user or '?'}, valid until {made.not_after}",
            f"用户 {one.user or '?'} 的证书，有效期至 {made.not_after}",
        )
        if _is_over(one, snapshot):
            reason = Text("it opens nothing any more, and hides what does", "它已不能用于登录，却会掩盖真正有效的凭据")
            yield Result(
                "fail", machine.target, _subject(one), observed, _NOT_OVER, (one.where,), reason, "informational",
                remedy, aspect="expired",
            )  # fmt: skip
        elif begins is not None and ends - begins > _YEAR and not one.user.startswith("system:"):
            days = (ends - begins).days
            text = Text(f"{observed.en}: issued for {days} days", f"{observed.zh}：签发有效期为 {days} 天")
            severity: Severity = "medium" if MASTERS in one.groups else "low"
            yield Result(
                "fail", machine.target, _subject(one), text, _A_YEAR, (one.where,), severity=severity, remedy=remedy
            )
        else:
            yield Result("pass", machine.target, _subject(one), observed, where=(one.where,))


_NOT_OVER: Final = Text("removed once it has expired", "过期后即删除")
_A_YEAR: Final = Text("a year at most, for a person", "个人使用的证书最长一年")


def shared(snapshot: Snapshot) -> Iterator[Result]:
    """The same certificate, and so the same key, on several machines."""
    found = defaultdict[str, list[Material]](list)
    for one in materials(snapshot.machines):
        if one.certificate is not None and one.certificate.fingerprint:
            found[one.certificate.fingerprint].append(one)
    if not found:
        reason = Text("no certificate of a client is among the files", "文件中没有客户端证书")
        yield not_evaluated(FLEET, "", reason)
        return
    for fingerprint, places in sorted(found.items()):
        targets = sorted({one.target for one in places})
        first = places[0]
        if len(targets) < 2:
            continue
        severity: Severity | None = "low"
        if MASTERS in first.groups:
            severity = "high"
        elif KUBEADM in first.groups or "system:nodes" in first.groups:
            severity = "medium"
        elif first.user.startswith("system:"):
            severity = "informational"  # kube-proxy's is made once for all in installations by hand
        named = [one.removeprefix("node/") for one in targets[:10]]
        more = len(targets) - len(named)
        observed = Text(
            f"certificate of {first.user or '?'} on {len(targets)} machines: {', '.join(named)}"
            + (f" and {more} more" if more else ""),
            f"用户 {first.user or '?'} 的同一证书出现在 {len(targets)} 台机器上：{'、'.join(named)}"
            + (f"，另有 {more} 台" if more else ""),
        )
        expected = Text("a certificate of its own on each machine", "每台机器使用各自的证书")
        yield Result(
            "fail", FLEET, f"certificate {fingerprint[:16]}", observed, expected,
            tuple(one.where for one in places[:10]), severity=severity,
        )  # fmt: skip


def _subject(one: Material) -> str:
    return f"{one.path} {one.name}".rstrip()


def _is_over(one: Material, snapshot: Snapshot) -> bool:
    ends = parse_time(one.certificate.not_after) if one.certificate else None
    return ends is not None and snapshot.now.year >= _NO_CLOCK and ends < snapshot.now
