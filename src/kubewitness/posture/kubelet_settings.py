"""The kubelet's settings that decide who may do what: their flags, and their defaults, which depend on `--config`.

Started without `--config` the kubelet keeps the defaults it had when all was flags: anonymous access, AlwaysAllow,
the read-only port. Started with `--config` the defaults of KubeletConfiguration v1beta1 apply to all the file does
not say: the safe ones.

Source: cmd/kubelet/app/options/options.go (applyLegacyDefaults, AddKubeletConfigFlags) and
pkg/kubelet/apis/config/v1beta1/defaults.go of Kubernetes 1.28 to 1.34.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Form = Literal["bool", "int", "text"]


class Known(Struct, frozen=True):
    """A setting: its path in KubeletConfiguration and its flag."""

    name: str
    flag: str
    form: Form
    without_config: str
    with_config: str
    empty_is_default: bool = True  # a zero value in a file means "not given" (the field is no pointer)


def _same(name: str, flag: str, form: Form, default: str, empty_is_default: bool = True) -> Known:
    return Known(name, flag, form, default, default, empty_is_default)


KNOWN: Final = (
    Known("authentication.anonymous.enabled", "anonymous-auth", "bool", "true", "false", False),
    Known("authentication.webhook.enabled", "authentication-token-webhook", "bool", "false", "true", False),
    _same("authentication.x509.clientCAFile", "client-ca-file", "text", ""),
    Known("authorization.mode", "authorization-mode", "text", "AlwaysAllow", "Webhook"),
    Known("readOnlyPort", "read-only-port", "int", "10255", "0"),
    _same("address", "address", "text", "0.0.0.0"),  # noqa: S104 (the kubelet's default, not an address we bind)
    _same("port", "port", "int", "10250"),
    _same("healthzBindAddress", "healthz-bind-address", "text", "127.0.0.1"),
    _same("healthzPort", "healthz-port", "int", "10248", False),
    _same("tlsCertFile", "tls-cert-file", "text", ""),
    _same("tlsPrivateKeyFile", "tls-private-key-file", "text", ""),
    _same("rotateCertificates", "rotate-certificates", "bool", "false"),
    _same("serverTLSBootstrap", "rotate-server-certificates", "bool", "false"),
    _same("enableDebuggingHandlers", "enable-debugging-handlers", "bool", "true", False),
    _same("protectKernelDefaults", "protect-kernel-defaults", "bool", "false"),
    _same("makeIPTablesUtilChains", "make-iptables-util-chains", "bool", "true", False),
    _same("seccompDefault", "seccomp-default", "bool", "false", False),
    _same("staticPodPath", "pod-manifest-path", "text", ""),
    _same("staticPodURL", "manifest-url", "text", ""),
)
BY_FLAG: Final = {known.flag: known for known in KNOWN}
NAMES: Final = frozenset(known.name for known in KNOWN)

_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))


def flag_value(known: Known, text: str) -> str | None:
    """The value a flag's text stands for; None if the kubelet would refuse it and not start."""
    if known.form == "bool":
        return "true" if text in _TRUE else "false" if text in _FALSE else None
    if known.form == "int":
        return str(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
    return text
