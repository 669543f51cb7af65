"""Addresses and URLs that a component listens on: reachable from elsewhere or not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

_URL: Final = re.compile(r"(https?|unixs?)://(?:\[([^\]]{0,64})\]|([^:/\[\]]{0,255}))(?::(\d{1,5}))?(?:/.*)?")
_PORT: Final = re.compile(r"(?:\[([^\]]{0,64})\]|([^:\[\]]{0,255})):(\d{1,5})")


def is_loopback(address: str) -> bool:
    """Whether only the machine itself reaches it; empty means all addresses."""
    try:
        return ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def split_url(url: str) -> tuple[str, str] | None:
    """Scheme and host of a URL; None if it is none."""
    found = _URL.fullmatch(url.strip())
    return (found[1], found[2] or found[3] or "") if found else None


def over_tls(urls: Iterable[str]) -> str:
    """The same URLs with https, as a flag takes them."""
    return ",".join(re.sub(r"^http://", "https://", url.strip()) for url in urls)


def host_of(address: str) -> str:
    """The host of `host:port`, or of an address alone."""
    found = _PORT.fullmatch(address.strip())
    return (found[1] or found[2] or "") if found else address.strip()
