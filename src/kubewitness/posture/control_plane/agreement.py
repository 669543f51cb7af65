"""What runs is not what the machine would start: a change nobody restarted for, or a process started by other means.

Only what was read on one machine at one time is compared: a dump of the API may be older than an archive of the node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.control_plane.flags import PROGRAMS, Flag
from kubewitness.posture.control_plane.judging import passed, told, unknown
from kubewitness.posture.control_plane.nouns import Component, Start

_COUNTS: Final = frozenset(  # what decides who gets in and what is kept of it
    ("anonymous-auth", "authentication-config", "authorization-mode", "authorization-config", "client-ca-file",
     "enable-admission-plugins", "disable-admission-plugins", "token-auth-file", "basic-auth-file", "insecure-port",
     "insecure-bind-address", "audit-policy-file", "audit-log-path", "audit-webhook-config-file",
     "authentication-token-webhook-config-file", "authorization-webhook-config-file", "encryption-provider-config",
     "service-account-lookup", "service-account-key-file", "client-cert-auth", "listen-client-urls", "trusted-ca-file",
     "bind-address", "etcd-servers", "oidc-issuer-url", "requestheader-client-ca-file")
)  # fmt: skip
_SHOWN: Final = 3


def started_otherwise(snapshot: Snapshot) -> Iterator[Result]:
    """Each component that runs beside what its manifest or unit says."""
    compared = False
    for component in snapshot.components:
        running = next((one for one in component.starts if one.kind == "process" and one.complete), None)
        written = next((one for one in component.starts if one.kind in {"manifest", "unit"} and one.complete), None)
        if running is None or written is None or running.distribution:
            continue
        compared = True
        yield _compared(component, running, written)
    if not compared:
        found = snapshot.components
        reason = Text(
            "no machine shows both a running component and the manifest or unit that starts it",
            "没有任何机器同时提供了运行中的组件及启动它的清单或 unit",
        )
        # Nothing to compare is not a weakness of each component: it is told once.
        program = PROGRAMS[0]
        yield unknown(found[0], reason) if len(found) == 1 else Result("not_evaluated", CLUSTER, program, reason=reason)


def _compared(component: Component, running: Start, written: Start) -> Result:
    names = sorted({*running.flags, *written.flags})
    differing = [name for name in names if _differ(running.flags.get(name), written.flags.get(name))]
    if not differing:
        text = Text("what runs is what is written", "运行的与写明的一致")
        return passed(component, text, running.where, written.where)
    differing.sort(key=lambda name: (name not in _COUNTS, name))
    pairs = [(name, running.flags.get(name), written.flags.get(name)) for name in differing[:_SHOWN]]
    en = "; ".join(
        f"--{name}: runs {_shown(now, 'without it')}, written {_shown(then, 'nowhere')}" for name, now, then in pairs
    )
    zh = "；".join(
        f"--{name}：运行中为 {_shown(now, '未设置')}，写明的为 {_shown(then, '未设置')}" for name, now, then in pairs
    )
    more = len(differing) - _SHOWN
    if more > 0:
        en, zh = f"{en}; and {more} more", f"{zh}；另有 {more} 项"
    first = differing[0]
    sides = (running.flags.get(first), written.flags.get(first))
    where = [one.where if one else start.where for one, start in zip(sides, (running, written), strict=True)]
    return told(
        component,
        Text(en, zh),
        Text("the same flags in both", "两者参数一致"),
        *where,
        severity="medium" if first in _COUNTS else "low",
    )


def _differ(one: Flag | None, other: Flag | None) -> bool:
    if (one and one.unresolved) or (other and other.unresolved):
        return False
    if one is None or other is None:
        return True
    if one.truth is not None and other.truth is not None:
        return one.truth != other.truth and one.value != other.value
    return one.value != other.value


def _shown(flag: Flag | None, none: str) -> str:
    return flag.value[:120] if flag else none
