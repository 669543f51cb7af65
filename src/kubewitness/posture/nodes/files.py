"""Who may read the credentials on a machine, and who may change what its components are started with.

Judged are files that a collector copied with their modes, and files of listings. The limits are those under which
kubeadm, K3s and the clouds write them; a configuration everybody may read is none of our business. A file that root
does not own can be changed by its owner, whatever its mode.

Source: CIS Kubernetes Benchmark, sections 1.1 and 4.1; cmd/kubeadm/app/util/kubeconfig (0600).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from kubewitness.model.host import FileEntry, HostFile
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Remedy, Result
from kubewitness.model.text import Text
from kubewitness.posture.check import Machine, NodeCheck, Snapshot
from kubewitness.posture.kubelet_file import looks_like_configuration
from kubewitness.posture.nodes.telling import at_file, beside_the_point, failed, passed, same, unknown

_MOST: Final = 200
_CREDENTIAL: Final = re.compile(r"\b(?:client-key-data|token|password|id-token|refresh-token)[\"']?\s{0,20}:")


class Kind(Struct, frozen=True):
    """Files of one kind."""

    path: re.Pattern[str]
    is_secret: bool
    severity: Severity


KINDS: Final = (
    Kind(
        re.compile(
            r"/etc/kubernetes/(?:super-)?admin\.conf|/etc/rancher/(?:k3s|rke2)/(?:k3s|rke2)\.yaml|(?:/root|/home/[^/]{1,64})/\.kube/config"
        ),
        True,
        "high",
    ),
    Kind(
        re.compile(
            r"/etc/kubernetes/(?:[^/]{1,100}/){0,3}[^/]{1,100}\.key|/etc/kubernetes/pki/sa\.key"
            r"|/var/lib/kubelet/pki/[^/]{1,100}\.(?:key|pem)|/var/lib/rancher/(?:k3s|rke2)/server/(?:tls|cred)/[^/]{1,100}"
            r"(?:\.key|\.kubeconfig)"
        ),
        True,
        "high",
    ),
    Kind(
        re.compile(
            r"/etc/kubernetes/(?:kubelet|bootstrap-kubelet|controller-manager|scheduler|kube-proxy)\.(?:conf|kubeconfig)"
            r"|/var/lib/kubelet/(?:bootstrap-)?kubeconfig|/var/lib/kube-proxy/kubeconfig(?:\.conf)?"
            r"|/var/lib/rancher/k3s/agent/[^/]{1,64}\.kubeconfig|/etc/cni/net\.d/[^/]{1,64}kubeconfig"
        ),
        True,
        "medium",
    ),
    Kind(
        re.compile(
            r"/var/lib/kubelet/(?:config\.yaml|kubeadm-flags\.env)|/etc/kubernetes/kubelet(?:/[^/]{1,64})?\.(?:json|ya?ml|conf)"
            r"|/etc/kubernetes/manifests/[^/]{1,100}|/etc/kubernetes/pki/(?:etcd/)?[^/]{1,100}\.crt"
            r"|(?:/etc|/usr/lib|/lib|/run)/systemd/system/(?:kubelet|containerd|docker|k3s(?:-agent)?)\.service(?:\.d/[^/]{1,100}\.conf)?"
            r"|/etc/default/kubelet|/etc/sysconfig/kubelet|/etc/docker/daemon\.json|/etc/containerd/config\.toml"
        ),
        False,
        "high",
    ),
)


def _modes(machine: Machine, _: Snapshot) -> Iterator[Result]:
    """Modes and owners of the files that matter."""
    seen = dict[str, FileEntry]()
    for entry in (*machine.host.copied, *machine.host.listing):
        if entry.kind == "file" and len(entry.mode) >= 10 and entry.path not in seen:
            seen[entry.path] = entry
    texts = {file.path: file for file in machine.host.files}
    folders = {one.path: one.mode for one in machine.host.listing if one.kind == "directory"}
    judged = 0
    for path in sorted(seen):
        kind = next((one for one in KINDS if one.path.fullmatch(path)), None)
        if kind is None:
            continue
        judged += 1
        if judged > _MOST:
            break
        entry = seen[path]
        text = texts.get(path)
        if text and looks_like_configuration(text):  # OpenShift calls the kubelet's configuration kubelet.conf
            kind = _CONFIGURATION
        wrong = list(_wrong(entry, kind))
        keyless = kind.is_secret and text is not None and _is_bare(text)
        severity = kind.severity
        if keyless and wrong == [_READABLE]:
            wrong, severity = [_NAMES_FILES], "low"
        elif wrong == [_READABLE] and path.startswith("/root/") and not _may_be_entered(folders.get("/root", "")):
            wrong, severity = [_BEHIND_ROOT], "low"
        observed = same(f"{entry.mode} {entry.owner}".strip())
        if wrong:
            yield failed(
                machine,
                path,
                observed,
                _SECRET if kind.is_secret else _FIXED,
                at_file(entry),
                reason=Text("; ".join(one.en for one in wrong), "；".join(one.zh for one in wrong)),
                severity=severity,
                remedy=_remedy(entry, kind, keyless=keyless),
            )
        else:
            yield passed(machine, path, observed, at_file(entry))
    if not judged and machine.host.collected:
        none = Text("the collector found none of these files on the machine", "收集器在该机器上未发现这些文件")
        yield beside_the_point(machine, "files", none)
    elif not judged:
        reason = Text(
            "the evidence tells no modes of these files: an archive of `kubewitness collect` does",
            "证据中没有这些文件的权限：`kubewitness collect` 的归档中包含",
        )
        yield unknown(machine, "files", reason)


def _may_be_entered(mode: str) -> bool:
    """Whether everybody gets into a folder. Of /root no system lets them unless somebody changed it."""
    return mode[9:10] in {"x", "t"}


def _is_bare(file: HostFile) -> bool:
    """A kubeconfig whose credential lies in another file, as the kubelet's does once it renews its certificate."""
    return "current-context" in file.text and _CREDENTIAL.search(file.text) is None


def _wrong(entry: FileEntry, kind: Kind) -> Iterator[Text]:
    mode, (user, _, group) = entry.mode, entry.owner.replace(" ", ":").partition(":")
    home = re.match(r"/home/([^/]{1,64})/", entry.path)
    if mode[8] == "w":
        yield Text("everybody on the machine may change it", "该机器上的任何用户都可以修改它")
    elif mode[5] == "w" and group not in {"", "0", "root"}:
        yield Text(f"group {group[:60]} may change it", f"用户组 {group[:60]} 可以修改它")
    if kind.is_secret and mode[7] == "r":
        yield _READABLE
    elif kind.is_secret and mode[4] == "r" and group not in {"", "0", "root"} and not home:
        yield Text(f"group {group[:60]} may read the credential", f"用户组 {group[:60]} 可以读取该凭据")
    if user not in {"", "0", "root"} and not home:
        yield Text(f"it belongs to {user[:60]}, not to root", f"其所有者是 {user[:60]}，而不是 root")


def _remedy(entry: FileEntry, kind: Kind, *, keyless: bool) -> Remedy:
    """The command for this file. Safe where nobody has to read the file but root."""
    path, user = entry.path, entry.owner.replace(" ", ":").partition(":")[0]
    mode = "600" if kind.is_secret else "go-w"
    quoted = "'" + path.replace("'", "'\\''") + "'" if path.isprintable() else _PATH
    owner = "" if path.startswith("/home/") else f"chown root:root {quoted}\n"
    again = f"# {_AGAIN.en}\n" if path.startswith(_RANCHER) else ""
    safe = not kind.is_secret and user in {"", "0", "root"}
    return Remedy(
        Text("Take the rights away from others", "收回其他用户的权限"),
        Text(
            "Whoever could read a credential may have it: issue a new one and make the old one worthless.",
            "曾能读取凭据的人可能已持有它：请重新签发，并使旧凭据失效。",
        )
        if kind.is_secret and not keyless
        else Text("", ""),
        f"{again}{owner}chmod {mode} {quoted}",
        safe=safe,
        breaks=Text("", "") if safe else _BREAKS,
        fix="file_modes",
        comments=(_AGAIN,) if again else (),
        blanks=(_PATH,) if quoted == _PATH else (),
    )


_PATH: Final = "PATH"  # in place of one that a screen could obey
_AGAIN: Final = Text(
    "K3s and RKE2 write it anew: take --write-kubeconfig-mode away, too",
    "K3s 和 RKE2 会重新写入该文件：请同时去掉 --write-kubeconfig-mode",
)
_RANCHER: Final = "/etc/rancher/"
_BREAKS: Final = Text(
    "People and programs that use the file without being root, such as another user's kubectl.",
    "不以 root 身份使用该文件的人和程序，例如其他用户的 kubectl。",
)
_SECRET: Final = Text("read and written by root alone (600)", "仅 root 可读写（600）")
_CONFIGURATION: Final = KINDS[-1]
_READABLE: Final = Text("everybody on the machine may read the credential", "该机器上的任何用户都可以读取该凭据")
_NAMES_FILES: Final = Text(
    "everybody on the machine may read it; it holds no key itself, but names other files",
    "该机器上的任何用户都可以读取它；它本身不含密钥，只引用其他文件",
)
_BEHIND_ROOT: Final = Text(
    "everybody may read the credential who gets into /root; as a rule that is root alone",
    "能进入 /root 的任何用户都可以读取该凭据；通常只有 root 能进入",
)
_FIXED: Final = Text("owned by root, written by root alone", "归 root 所有，且仅 root 可写")

CHECKS: Final = (NodeCheck("checks/nodes/file_modes", _modes),)
