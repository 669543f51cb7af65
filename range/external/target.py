"""A user's own cluster as the ground that steps act on.

It is asked with the user's kubeconfig: for the label that opts in, for tokens, and for client certificates by way of
its CertificateSigningRequest API (signer kubernetes.io/kube-apiserver-client, which any conformant cluster with a
signing controller has; the API server refuses O=system:masters there, see the admission plugin
CertificateSubjectRestriction). All of kubectl's requests are made with --v=8, which prints the answers' headers and so
their Audit-Id.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from range.build import cache_folder
from range.certificates import Authority
from range.external.created import Created, created_by
from range.ground import finished
from range.node import Node
from range.sandbox import RangeError
from range.script import Actor, Credential

LABEL, LABEL_VALUE = "kubewitness.io/disposable-cluster", "yes"
SIGNER = "kubernetes.io/kube-apiserver-client"
MASTERS = "system:masters"
_USAGES = ["digital signature", "client auth"]


class Refused(RangeError):
    """Nothing was done; the message is one sentence that says why and what to do."""


class OwnCluster:
    """The cluster of `kubeconfig`'s current context; `work` takes the clients' files.

    `stand_ins` are the credentials that the user's own kubeconfig stands in for; `claims` are the actors whose
    addresses are claimed with X-Forwarded-For.

    Raises:
        Refused: a program is missing or the kubeconfig cannot be used.
    """

    traced = True

    def __init__(
        self, kubeconfig: Path, work: Path, stand_ins: frozenset[str] = frozenset(), claims: Mapping[str, Actor] = {}
    ) -> None:
        self.kubectl = _program("kubectl")
        _program("curl")
        _program("openssl")
        self.nodes: Mapping[str, Node] = {}
        self.folder = work / "clients"
        self.created = list[Created]()
        self.own_requests = list[str]()
        self._signed = dict[str, Path]()
        self._kubeconfig, self._work, self._stand_ins, self._claims = kubeconfig, work, stand_ins, claims
        self._files = work / "kubeconfigs"
        self._files.mkdir(mode=0o700)
        self._authority = Authority(work / "pki")  # for its signing requests
        context = self._view()
        self._access = context["clusters"][0]["cluster"]
        self._user = context["users"][0]["user"]
        self.server = str(self._access["server"]).rstrip("/")
        self.trust = self._trust()
        self.shown_to_curl = bool(self._user.keys() & {"token", "client-certificate-data"})

    def opted_in(self) -> None:
        """Return if the cluster carries the label.

        Raises:
            Refused: it does not, or it does not answer.
        """
        try:
            namespace = self.get("/api/v1/namespaces/kube-system")
        except RangeError as error:
            raise Refused(f"{self.server} does not answer: {error}") from error
        labels = namespace["metadata"].get("labels", {}) if namespace else {}
        if labels.get(LABEL) != LABEL_VALUE:
            raise Refused(
                f"{self.server} is not marked as disposable; if it is yours and may be attacked and broken, run: "
                f"kubectl --kubeconfig {self._kubeconfig} label namespace kube-system {LABEL}={LABEL_VALUE}"
            )

    def have_signed(self, credentials: Mapping[str, Credential]) -> None:
        """Have a certificate made for each of `credentials`, now so that none is lacking later.

        Raises:
            Refused: one cannot be had; the message says which.
        """
        self._signed |= {key: self._sign(key, credential) for key, credential in credentials.items()}

    # -- what a ground has -----------------------------------------------------------------------------------------

    def run(self, actor: str, command: list[str], text: str | None, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a client here: all actors share this machine's address."""
        done = finished(command, text, seconds)
        self.created += [Created(path, datetime.now(UTC), actor) for path in created_by(command, done)]
        return done

    def claimed(self, actor: str) -> Mapping[str, str]:
        """The actor's address of the script, if the user wants it claimed; curl alone can add a header."""
        return {"X-Forwarded-For": self._claims[actor].address} if actor in self._claims else {}

    def get(self, path: str) -> Any:
        """The JSON at API path `path` as the user sees it; None if there is nothing (404).

        Raises:
            RangeError: any other answer, or none.
        """
        done = self._ask("get", "--raw", path)
        if done.returncode == 0:
            return json.loads(done.stdout) if done.stdout[:1] in {"{", "["} else done.stdout
        said = _last_words(done.stderr)
        if "NotFound" in said or "could not find the requested resource" in said:
            return None
        raise RangeError(f"GET {path}: {said}")

    def token(self, namespace: str, account: str) -> str:
        """A token of a service account.

        Raises:
            RangeError: there is no such account.
        """
        done = self._ask("create", "token", account, "-n", namespace)
        if done.returncode:
            raise RangeError(f"token of {namespace}/{account}: {_last_words(done.stderr)}")
        return done.stdout.strip()

    def ended(self) -> str:
        """Nothing: an API server that is gone is told by the requests that fail."""
        return ""

    def request(self, name: str, credential: Credential) -> tuple[Path, Path]:
        """A signing request for a key that openssl makes here."""
        return self._authority.request(name, credential.user, credential.groups)

    def administrator(self, name: str) -> Path:
        """The user's own credential."""
        identity = dict(self._user)
        for part in ("client-certificate", "client-key"):
            if content := identity.pop(f"{part}-data", None):
                path = self._files / f"{name}.{part}"
                path.touch(mode=0o600)
                path.write_bytes(base64.b64decode(content))
                identity[part] = str(path)
        return self._write(name, identity)

    def signed(self, name: str, key: str, credential: Credential) -> Path:
        """The kubeconfig that was made for the credential before the script began."""
        del credential
        return self.administrator(name) if key in self._stand_ins else self._signed[key]

    def with_certificate(self, name: str, certificate: str, key: Path) -> Path:
        """A kubeconfig with a client certificate in PEM that came from elsewhere."""
        path = self._files / f"{name}.crt"
        path.write_text(certificate)
        return self._write(name, {"client-certificate": str(path), "client-key": str(key)})

    def with_token(self, name: str, token: str) -> Path:
        """A kubeconfig with a bearer token, or with no credential if it is empty."""
        return self._write(name, {"token": token} if token else {})

    def delete(self, path: str, uid: str) -> str:
        """Delete the object at `path` if it still is the one with `uid`; returns what went wrong."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        options["propagationPolicy"] = "Background"
        done = self._ask("delete", "--raw", path, "-f", "-", text=json.dumps(options))
        return _last_words(done.stderr) if done.returncode else ""

    # -- inside ----------------------------------------------------------------------------------------------------

    def _ask(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the recorder itself, with the user's kubeconfig."""
        home = self._work / "recorder"
        home.mkdir(exist_ok=True)
        command = ["env", f"HOME={home}", self.kubectl, "--kubeconfig", str(self._kubeconfig), "--v=8", *words]
        done = finished(command, text, 60)
        self.own_requests += audit_ids(done.stderr)
        self.created += [Created(path, datetime.now(UTC), "") for path in created_by(command, done)]
        return done

    def _view(self) -> dict[str, Any]:
        command = [self.kubectl, "--kubeconfig", str(self._kubeconfig), "config", "view"]
        done = finished([*command, "--raw", "--minify", "--flatten", "-o", "json"], None, 20)
        if done.returncode:
            raise Refused(f"{self._kubeconfig}: {_last_words(done.stderr)}")
        view: dict[str, Any] = json.loads(done.stdout)
        if not view.get("clusters") or not view.get("users"):
            raise Refused(f"{self._kubeconfig}: its current context has no cluster or no user")
        user = view["users"][0]["user"]
        if path := user.pop("tokenFile", None):
            user["token"] = Path(path).read_text().strip()
        return view

    def _trust(self) -> tuple[str, ...]:
        for setting in ("tls-server-name", "proxy-url"):
            if setting in self._access:
                raise Refused(f"{self._kubeconfig}: {setting} is not supported; give a kubeconfig without it")
        if not self.server.startswith("https://"):
            raise Refused(f"{self._kubeconfig}: {self.server} is no https address; credentials would go in the clear")
        if self._access.get("insecure-skip-tls-verify"):
            return ("-k",)
        if content := self._access.get("certificate-authority-data"):
            path = self._files / "ca.crt"
            path.write_bytes(base64.b64decode(content))
            return ("--cacert", str(path))
        return ()

    def _write(self, name: str, identity: dict[str, Any]) -> Path:
        path = self._files / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "own", "cluster": self._access}],
            "users": [{"name": "user", "user": identity}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "user"}}],
            "current-context": "own",
        }
        path.write_text(json.dumps(config))
        return path

    def _sign(self, key: str, credential: Credential) -> Path:
        """Have the cluster sign a certificate that is good for a day."""
        what = f"the credential {key!r} (user {credential.user})"
        slug = re.sub(r"[^a-z0-9-]", "-", key.lower())
        name = f"kubewitness-range-{slug}-{secrets.token_hex(4)}"
        request, private = self.request(f"signed-{slug}", credential)
        spec = {"signerName": SIGNER, "usages": _USAGES, "expirationSeconds": 86400}
        manifest = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": {**spec, "request": base64.b64encode(request.read_bytes()).decode()},
        }
        for words, text in ((("create", "-f", "-"), json.dumps(manifest)), (("certificate", "approve", name), None)):
            done = self._ask(*words, text=text)
            if done.returncode:
                raise Refused(f"{what} cannot be had: kubectl {words[0]}: {_last_words(done.stderr)}")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            status = self.get(f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}").get("status", {})
            if certificate := status.get("certificate"):
                return self.with_certificate(f"signed-{slug}", base64.b64decode(certificate).decode(), private)
            failed = [one for one in status.get("conditions", []) if one["type"] == "Failed"]
            if failed:
                raise Refused(f"{what} cannot be had: {SIGNER} refuses: {failed[0].get('message', '')}")
            time.sleep(0.3)
        raise Refused(f"{what} cannot be had: nothing in this cluster signs for {SIGNER}")


def audit_ids(trace: str) -> tuple[str, ...]:
    """The Audit-Id headers in what kubectl --v=8 prints."""
    return tuple(dict.fromkeys(re.findall(r"(?i)audit-id[:=]\s*\[?\"?([0-9a-f-]{36})", trace)))


def _last_words(trace: str) -> str:
    """What kubectl has to say itself, without the trace: its last line."""
    lines = trace.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _program(name: str) -> str:
    found = shutil.which(name)
    cached = cache_folder() / "usr/bin" / name
    if found or not cached.exists():
        if not found:
            raise Refused(f"{name} is not on the PATH; install it and try again")
        return found
    return str(cached)
