"""The cluster's certificate authority and the key pairs of its parts and people, made with openssl for one run."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from range.sandbox import RangeError


class Authority:
    """A CA of a day in `folder`; `ca.crt` is the certificate that everything in the cluster trusts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=kubernetes", "-keyout", self.key, "-out", self.certificate,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,digitalSignature",
        )  # fmt: skip

    def sign(
        self, name: str, user: str, groups: tuple[str, ...] = (), addresses: tuple[str, ...] = ()
    ) -> tuple[Path, Path]:
        """Certificate and key `name` for common name `user`; a server's too if `addresses` (IP or DNS) are given."""
        certificate = self.folder / f"{name}.crt"
        request, key = self.request(name, user, groups)
        usage = "clientAuth,serverAuth" if addresses else "clientAuth"
        extensions = f"keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage={usage}\n"
        if addresses:
            names = (f"IP:{word}" if word.replace(".", "").isdigit() else f"DNS:{word}" for word in addresses)
            extensions += f"subjectAltName={','.join(names)}\n"
        (self.folder / f"{name}.ext").write_text(extensions)
        _openssl(
            "x509", "-req", "-days", "2", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-set_serial", f"0x{secrets.token_hex(16)}", "-extfile", self.folder / f"{name}.ext", "-out", certificate,
        )  # fmt: skip
        return certificate, key

    def request(self, name: str, user: str, groups: tuple[str, ...] = ()) -> tuple[Path, Path]:
        """A certificate signing request and its key, both called `name`."""
        request, key = self.folder / f"{name}.csr", self.folder / f"{name}.key"
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        _openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", subject, "-keyout", key, "-out", request,
        )  # fmt: skip
        return request, key

    def key_pair(self, name: str) -> Path:
        """An RSA key, as service-account tokens are signed with."""
        path = self.folder / f"{name}.key"
        _openssl("genrsa", "-out", path, "2048")
        return path


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RangeError(f"openssl {words[0]}: {done.stderr.strip()}")
