"""Values of indicators: defanged ones made whole again, their type told where a list does not, one form for each.

People write `hxxp://45.9.148[.]35/x` so that nobody clicks on it. Only such marks are undone; a value that is no value
of its type is refused with a reason, because an indicator that matches nothing, or everything, is worse than none.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from kubewitness.detect.indicators.indicator import IndicatorType
from kubewitness.rules.features.address import scope_of

MAX_VALUE: Final = 2_000
PREFIX: Final = 20  # characters of a wallet that are enough to know it by, where a list cut it
_DEFANGED = re.compile(r"\[(?:\.|dot)\]|\((?:\.|dot)\)|\{\.\}", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:hxxp|hXXp|h\*\*p|meow)(s?)(?=\[?:)", re.IGNORECASE)
_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,10}(?:[a-z]{2,24}|xn--[a-z0-9-]{1,50})")
_HASHES: Final[dict[int, IndicatorType]] = {64: "sha256", 40: "sha1", 32: "md5"}
_HEX = re.compile(r"[0-9a-f]+")
_WALLET = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,110}|0x[0-9a-fA-F]{40}|bc1[02-9ac-hj-np-z]{20,80}|dero1[a-z0-9]{30,80}")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]{2,255}(?:@sha256:[0-9a-f]{64})?")
_OBJECT = re.compile(r"[a-z]{3,40}/(?:[a-z0-9*][a-z0-9.-]{0,62})?/[a-z0-9][a-z0-9.:*-]{0,252}")
_KEY = re.compile(r"AAAA[0-9A-Za-z+/]{40,1400}={0,2}")
# What many programs use: as a whole such a value would speak on every machine.
_EVERYWHERE: Final = frozenset(
    ("tmp", "var/tmp", "etc", "usr", "usr/bin", "bin", "root", "var", "home", "dev/shm", "proc", "sys", "opt", "lib")
)


class ValueRefused(ValueError):
    """No value of its type; the reason is the message."""


def refanged(text: str) -> str:
    """The value as it was before somebody made it harmless to click on."""
    text = _DEFANGED.sub(".", text.strip().strip("\"'`"))
    text = _SCHEME.sub(r"http\1", text)
    return text.replace("[:]", ":").replace("[://]", "://").replace("[@]", "@").replace("\\.", ".")


def type_of(value: str) -> IndicatorType | None:
    """The type of a refanged value in a list without types; None if it may be anything."""
    host = value.partition("://")[2].partition("/")[0] if "://" in value else value
    if _address(host)[0]:
        return "address"
    if "://" in value:
        return "domain"
    lower = value.lower()
    if len(lower) in _HASHES and _HEX.fullmatch(lower):
        return _HASHES[len(lower)]
    if value.startswith("/") and len(value) > 4 and " " not in value:
        return "file_path"
    if _DOMAIN.fullmatch(lower):
        return "domain"
    if _KEY.search(value):
        return "ssh_key"
    return "wallet" if len(value) >= 90 and _WALLET.fullmatch(value) else None


def canonical(type_: IndicatorType, value: str) -> tuple[str, int]:
    """The value in the form in which it is looked for, and its port.

    Raises:
        ValueRefused: it is no value of that type, or one that is everywhere.
    """
    if not value or len(value) > MAX_VALUE:
        raise ValueRefused("empty value" if not value else f"longer than {MAX_VALUE} characters")
    if type_ == "address":
        return _of_address(value)
    if type_ == "domain":
        return _of_domain(value)
    checked = {
        "url_path": _path, "file_path": _path, "file_name": _name, "sha256": _hash, "sha1": _hash, "md5": _hash,
        "wallet": _wallet, "image": _image, "object": _object, "command": _command, "process": _name,
        "ssh_key": _key,
    }[type_](value)  # fmt: skip
    if type_ in ("sha256", "sha1", "md5") and _HASHES.get(len(checked)) != type_:
        raise ValueRefused(f"not a {type_}")
    return checked, 0


def image_name(image: str) -> str:
    """An image reference as lists write it: without the default registry."""
    return image.removeprefix("docker.io/").removeprefix("index.docker.io/").removeprefix("library/")


def _address(text: str) -> tuple[str, int]:
    host, port = text.strip().partition("%")[0], 0
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = _port(rest.removeprefix(":"))
    elif host.count(":") == 1:
        host, _, rest = host.partition(":")
        port = _port(rest)
    try:
        return str(ip_address(host)), port
    except ValueError:
        return "", 0


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65_536 else 0


def _of_address(value: str) -> tuple[str, int]:
    rest = value.partition("://")[2].partition("/")[0] if "://" in value else value
    rest = rest.removesuffix("/32").removesuffix("/128")
    if "/" in rest:
        raise ValueRefused("a network, not an address: not looked for")
    address, port = _address(rest)
    if not address:
        raise ValueRefused("not an address")
    if scope_of(address) != "public":
        raise ValueRefused("a private, loopback or reserved address: everybody's")
    return address, port


def _of_domain(value: str) -> tuple[str, int]:
    host = value.partition("://")[2] or value
    host, _, port = host.partition("/")[0].rpartition("@")[2].partition(":")
    host = host.lower().rstrip(".").removeprefix("*.")
    if not _DOMAIN.fullmatch(host):
        raise ValueRefused("not a domain")
    return host, _port(port)


def _path(value: str) -> str:
    value = "/" + value.partition("://")[2].partition("/")[2] if "://" in value else value
    value = value.partition("?")[0] if "?" in value else value
    if not value.startswith("/") or any(c.isspace() for c in value):
        raise ValueRefused("not a path that begins with /")
    if value.strip("/*") in _EVERYWHERE or len(value.rstrip("/*")) < 4:
        raise ValueRefused("a path that every machine has")
    return value


def _name(value: str) -> str:
    if "/" in value and not value.startswith("kworker/"):
        raise ValueRefused("a name with a slash")
    if len(value) < 4:
        raise ValueRefused("a name of less than four characters")
    return value


def _hash(value: str) -> str:
    value = value.lower().removeprefix("sha256:")
    if not _HEX.fullmatch(value):
        raise ValueRefused("not hexadecimal")
    return value


def _wallet(value: str) -> str:
    if not _WALLET.fullmatch(value):
        raise ValueRefused(f"not a wallet of at least {PREFIX} characters")
    return value


def _image(value: str) -> str:
    value = image_name(value)
    if not _IMAGE.fullmatch(value):
        raise ValueRefused("not an image reference")
    return value


def _object(value: str) -> str:
    if not _OBJECT.fullmatch(value):
        raise ValueRefused("not resource/namespace/name")
    return value


def _command(value: str) -> str:
    value = " ".join(value.split())
    if len(value) < 6:
        raise ValueRefused("a part of a command of less than six characters")
    return value


def _key(value: str) -> str:
    found = _KEY.search(value)
    if not found:
        raise ValueRefused("not an SSH public key")
    return found[0].rstrip("=")
