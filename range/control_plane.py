"""etcd, the API server, the controller manager and the scheduler, as kubeadm sets them up, on one host of the range.

With Kubernetes 1.20 the ports without TLS are closed by flag, as kubeadm did; administrators and the API server's own
client are in system:masters, which a group of their own replaced in 1.29; tokens of service accounts are in Secrets.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from range.certificates import Authority
from range.network import CONTROL_PLANE, on_host
from range.sandbox import RangeError
from range.script import Generation

HOST = "control-plane"
SERVER = f"https://{CONTROL_PLANE}:6443"
OBSERVER = "range:observer"  # the range itself, whom the audit policy leaves out
WEBHOOK = "http://127.0.0.1:8081/audit"


class ControlPlane:
    """A running control plane. `folder` takes its state and logs, `programs` holds the components."""

    def __init__(self, folder: Path, programs: Path, authority: Authority, generation: Generation = "1.34") -> None:
        self.folder = folder
        self.generation = generation
        self.administrators = "system:masters" if generation == "1.20" else "kubeadm:cluster-admins"
        self.authority = authority
        self.audit_log = folder / "audit" / "audit.log"
        self.flags: dict[str, list[str]] = {}
        self._programs = programs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.audit_log.parent.mkdir(parents=True)

    def start(self, policy: dict[str, object], webhook: bool = False) -> None:
        """Start everything and wait until the API server is ready.

        Raises:
            RangeError: a component ended or was not ready in time; the end of its log is in the message.
        """
        sign, folder = self.authority.sign, self.folder
        server, server_key = sign(
            "apiserver", "kube-apiserver", (), (CONTROL_PLANE, "127.0.0.1", "10.96.0.1", "kubernetes.default")
        )
        client, client_key = sign("apiserver-kubelet-client", "kube-apiserver-kubelet-client", (self.administrators,))
        accounts = self.authority.key_pair("sa")
        (folder / "policy.yaml").write_text(json.dumps(policy))
        old = self.generation == "1.20"
        audit: list[str | Path] = ["--audit-policy-file", folder / "policy.yaml", "--audit-log-path", self.audit_log]
        if webhook:
            (folder / "webhook.yaml").write_text(json.dumps(_kubeconfig({"server": WEBHOOK}, {})))
            audit += ["--audit-webhook-config-file", folder / "webhook.yaml", "--audit-webhook-batch-max-wait", "2s"]
        self._run(
            "etcd", "--data-dir", folder / "etcd", "--listen-client-urls", "http://127.0.0.1:2379",
            "--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380",
            "--unsafe-no-fsync", "--log-level", "warn",
        )  # fmt: skip
        self._run(
            "kube-apiserver", "--etcd-servers", "http://127.0.0.1:2379", "--advertise-address", CONTROL_PLANE,
            "--secure-port", "6443", "--allow-privileged", "--authorization-mode", "Node,RBAC",
            "--enable-admission-plugins", "NodeRestriction", "--enable-bootstrap-token-auth",
            "--client-ca-file", self.authority.certificate, "--tls-cert-file", server,
            "--tls-private-key-file", server_key,
            "--kubelet-client-certificate", client, "--kubelet-client-key", client_key,
            "--kubelet-certificate-authority", self.authority.certificate,
            "--kubelet-preferred-address-types", "InternalIP",
            "--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
            "--service-account-key-file", accounts, "--service-account-signing-key-file", accounts,
            "--service-cluster-ip-range", "10.96.0.0/16", *(("--insecure-port", "0") if old else ()), *audit,
        )  # fmt: skip
        self.observer = self.kubeconfig("range-observer", OBSERVER, ("system:masters",))
        self._wait_until_ready()
        manager = self.kubeconfig("controller-manager", "system:kube-controller-manager")
        self._run(
            "kube-controller-manager", "--kubeconfig", manager, "--authentication-kubeconfig", manager,
            "--authorization-kubeconfig", manager, "--use-service-account-credentials", "--controllers", "*",
            "--root-ca-file", self.authority.certificate, "--service-account-private-key-file", accounts,
            "--cluster-signing-cert-file", self.authority.certificate, "--cluster-signing-key-file", self.authority.key,
            *(("--port", "0") if old else ()),
        )  # fmt: skip
        scheduler = self.kubeconfig("scheduler", "system:kube-scheduler")
        self._run(
            "kube-scheduler", "--kubeconfig", scheduler, "--authentication-kubeconfig", scheduler,
            "--authorization-kubeconfig", scheduler, *(("--port", "0") if old else ()),
        )  # fmt: skip

    def kubeconfig(self, name: str, user: str, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig with a client certificate for `user`."""
        certificate, key = self.authority.sign(name, user, groups)
        path = self.folder / f"{name}.kubeconfig"
        identity = {"client-certificate": str(certificate), "client-key": str(key)}
        cluster = {"server": SERVER, "certificate-authority": str(self.authority.certificate)}
        path.write_text(json.dumps(_kubeconfig(cluster, identity)))
        path.chmod(0o600)
        return path

    def certificate_kubeconfig(self, name: str, certificate: str, key: Path) -> Path:
        """A kubeconfig with a client certificate in PEM that came from elsewhere."""
        path, kept = self.folder / f"{name}.kubeconfig", self.folder / f"{name}.crt"
        kept.write_text(certificate)
        identity = {"client-certificate": str(kept), "client-key": str(key)}
        cluster = {"server": SERVER, "certificate-authority": str(self.authority.certificate)}
        path.write_text(json.dumps(_kubeconfig(cluster, identity)))
        path.chmod(0o600)
        return path

    def token_kubeconfig(self, name: str, token: str) -> Path:
        """A kubeconfig with a bearer token, or with no credential if it is empty."""
        path = self.folder / f"{name}.kubeconfig"
        cluster = {"server": SERVER, "certificate-authority": str(self.authority.certificate)}
        path.write_text(json.dumps(_kubeconfig(cluster, {"token": token} if token else {})))
        path.chmod(0o600)
        return path

    def token(self, namespace: str, account: str) -> str:
        """A token of a service account.

        Raises:
            RangeError: there is no such account.
        """
        if self.generation == "1.20":
            return self._secret_token(namespace, account)
        answer = self._kubectl("create", "token", account, "-n", namespace)
        if answer.returncode:
            raise RangeError(f"token of {namespace}/{account}: {answer.stderr.strip()}")
        return answer.stdout.strip()

    def _secret_token(self, namespace: str, account: str) -> str:
        """The token that 1.20's controller manager makes for every account a moment after it was created."""
        core, until = f"/api/v1/namespaces/{namespace}", time.monotonic() + 20
        while time.monotonic() < until:
            found = self.get(f"{core}/serviceaccounts/{account}") or {}
            for name in (one["name"] for one in found.get("secrets", [])):
                token = ((self.get(f"{core}/secrets/{name}") or {}).get("data") or {}).get("token", "")
                if token:
                    return base64.b64decode(token).decode()
            time.sleep(0.2)
        raise RangeError(f"token of {namespace}/{account}: no Secret has one")

    def get(self, path: str) -> Any:
        """The JSON at API path `path` as the range's observer sees it; None if there is nothing (404).

        Raises:
            RangeError: any other answer, or none.
        """
        answer = self._kubectl("get", "--raw", path)
        if answer.returncode == 0:
            return json.loads(answer.stdout) if answer.stdout[:1] in {"{", "["} else answer.stdout
        if "NotFound" in answer.stderr or "could not find the requested resource" in answer.stderr:
            return None
        raise RangeError(f"GET {path}: {answer.stderr.strip()}")

    def apply(self, manifest: str) -> None:
        """Create what `manifest` says, as the observer.

        Raises:
            RangeError: the API server refused.
        """
        answer = self._kubectl("apply", "--server-side", "-f", "-", text=manifest)
        if answer.returncode:
            raise RangeError(f"kubectl apply: {answer.stderr.strip()}")

    def ended(self) -> str:
        """The first component that is no longer running, with the end of its log; empty if all are."""
        for name, process in self._running.items():
            if process.poll() is not None:
                return f"{name} ended with status {process.returncode}:\n{_tail(self.folder / f'{name}.log')}"
        return ""

    def stop(self) -> None:
        """End the components, the API server last but etcd, so that its audit log is complete."""
        for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
            process = self._running.pop(name, None)
            if process:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _run(self, name: str, *words: str | Path) -> None:
        flags = [str(word) for word in words]
        self.flags[name] = flags
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*on_host(HOST), str(self._programs / name), *flags], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def _kubectl(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [*on_host(HOST), str(self._programs / "kubectl"), "--kubeconfig", str(self.observer), *words]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)

    def _wait_until_ready(self, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if ended := self.ended():
                raise RangeError(ended)
            if self._kubectl("get", "--raw", "/readyz").stdout == "ok":
                return
            time.sleep(0.3)
        raise RangeError(
            f"the API server was not ready in {seconds:.0f} s:\n{_tail(self.folder / 'kube-apiserver.log')}"
        )


def _kubeconfig(cluster: dict[str, str], user: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "range", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "range", "context": {"cluster": "range", "user": "user"}}],
        "current-context": "range",
    }


def _tail(path: Path, lines: int = 15) -> str:
    try:
        text: Sequence[str] = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(text[-lines:])
