"""The kubelet's running configuration, asked from itself on the loopback with a credential the machine already has.

GET /configz answers to whoever may use nodes/proxy (or nodes/configz): on a control plane that is the API server's own
client certificate; a plain node's kubelet certificate is usually refused, and the refusal is the record. Where the
kubelet keeps its certificate under another name than kubeadm's, its kubeconfig says so. Nothing is
asked without a credential, nothing but 127.0.0.1 is asked, and the key is used by the TLS library, not read or kept.
The kubelet's own certificate is not verified: it is often self-signed, and what answers is evidence, not trusted.
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
import time
from pathlib import Path
from typing import Final

from kubewitness.collect.archive import About, Archive
from kubewitness.collect.rooted import Root
from kubewitness.collect.secrets import Redactor
from kubewitness.model.collection import Command

_CREDENTIALS: Final = (
    ("/etc/kubernetes/pki/apiserver-kubelet-client.crt", "/etc/kubernetes/pki/apiserver-kubelet-client.key"),
    ("/var/lib/rancher/k3s/server/tls/client-kube-apiserver.crt",
    "/var/lib/rancher/k3s/server/tls/client-kube-apiserver.key"),
    ("/var/lib/rancher/rke2/server/tls/client-kube-apiserver.crt",
    "/var/lib/rancher/rke2/server/tls/client-kube-apiserver.key"),
    ("/var/lib/kubelet/pki/kubelet-client-current.pem", "/var/lib/kubelet/pki/kubelet-client-current.pem"),
    ("/var/lib/rancher/k3s/agent/client-kubelet.crt", "/var/lib/rancher/k3s/agent/client-kubelet.key"),
    ("/var/lib/rancher/rke2/agent/client-kubelet.crt", "/var/lib/rancher/rke2/agent/client-kubelet.key"),
)  # fmt: skip
_KUBECONFIGS: Final = ("/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/kubeconfig")
_NAMED: Final = re.compile(r"""\bclient-(certificate|key)["']?\s{0,20}:\s{0,20}["']?(/[^\s"',}]{1,500})""")
_LIMIT: Final = 1024 * 1024
_TIMEOUT: Final = 5.0
MEMBER: Final = "live_response/kubelet/configz.json"


def take(root: Root, archive: Archive, port: int = 10250) -> bool:
    """Ask with one credential after another until one is let in; whether one was."""
    named = [pair for path in _KUBECONFIGS if (pair := _of_kubeconfig(root.text(path)))]
    for certificate, key in dict.fromkeys((*_CREDENTIALS, *named)):
        if not (_is_readable(root.outer(certificate)) and _is_readable(root.outer(key))):
            continue
        begun = time.monotonic()
        status, answer, error = _get(root.outer(certificate), root.outer(key), port)
        path = ""
        if status == http.client.OK:
            path = MEMBER
            archive.add(MEMBER, Redactor(configuration=True).whole(answer), About(f"https://127.0.0.1:{port}/configz"))
        archive.command(
            Command(
                ("GET", f"https://127.0.0.1:{port}/configz", certificate), 0 if path else status or 1,
                round(time.monotonic() - begun, 3), path, error,
            )
        )  # fmt: skip
        if path:
            return True
    return False


def _of_kubeconfig(text: str) -> tuple[str, str] | None:
    """Certificate and key that the first user of a kubeconfig names; a kubelet's has one."""
    named: dict[str, str] = {}
    for kind, path in _NAMED.findall(text):
        named.setdefault(kind, path)
    return (named["certificate"], named["key"]) if len(named) == len(("certificate", "key")) else None


def _is_readable(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.R_OK)  # a pipe would keep us waiting


def _get(certificate: str, key: str, port: int) -> tuple[int, bytes, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection: http.client.HTTPSConnection | None = None
    try:
        context.load_cert_chain(certificate, key, password="")  # never asks on the terminal
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT, context=context)
        connection.request("GET", "/configz")
        answer = connection.getresponse()
        data = answer.read(_LIMIT + 1)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        return 0, b"", str(problem)[:500]
    finally:
        if connection is not None:
            connection.close()
    if len(data) > _LIMIT:
        return 0, b"", "the answer is too long"
    return answer.status, data, "" if answer.status == http.client.OK else f"{answer.status} {answer.reason}"[:500]
