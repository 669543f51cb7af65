"""What a cluster is asked for by name: Secrets, of which no value comes to this machine, and ConfigMaps.

The server's own table of names is asked for (`kube.kubectl`). ConfigMaps whose names the plan knows are read whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec

from kubewitness.collect.archive import About
from kubewitness.collect.cluster_asking import NOT_JSON, Asking, decoded
from kubewitness.collect.cluster_plan import CONFIGMAPS, VERSIONED
from kubewitness.collect.objects import Cleaner
from kubewitness.kube.interface import ApiError, NotFound

_SECRETS: Final = "cluster/core/secrets.json"
_CONFIGMAPS: Final = "cluster/core/configmaps.json"
_encode: Final = msgspec.json.Encoder().encode


def secrets(asking: Asking) -> None:
    """Name, type and labels of every Secret into the archive."""
    items: list[dict[str, Any]] = []
    came = False
    for namespace in asking.options.namespaces or ("",):
        try:
            items += rows(_table(asking, "secrets", namespace, _SECRETS), namespace, kind=True)
            came = True
        except ApiError as error:
            asking.failed(_SECRETS, error, len(items))
    if came:
        _written(asking, _SECRETS, "SecretList", items)


def configmaps(asking: Asking) -> None:
    """The ConfigMaps of the namespaces that tell how a cluster is set into the archive."""
    items: list[dict[str, Any]] = []
    cleaner = Cleaner()
    for namespace, known in CONFIGMAPS.items():
        listed: list[dict[str, Any]] | None = None
        try:
            listed = list(rows(_table(asking, "configmaps", namespace, _CONFIGMAPS), namespace, kind=False))
        except ApiError as error:
            asking.failed(_CONFIGMAPS, error)
        names = [one["metadata"]["name"] for one in listed] if listed is not None else known
        for index, name in enumerate(names):
            whole = _configmap(asking, namespace, name, cleaner) if _is_known(namespace, name) else None
            if whole is not None:
                items.append(whole)
            elif listed is not None:
                items.append(listed[index])
    asking.state.redacted += cleaner.count
    if items:
        _written(asking, _CONFIGMAPS, "ConfigMapList", items, cleaner.count)


def _table(asking: Asking, resource: str, namespace: str, member: str) -> bytes:
    return asking.ask(lambda: asking.api.names(resource, namespace), member)


def _configmap(asking: Asking, namespace: str, name: str, cleaner: Cleaner) -> dict[str, Any] | None:
    try:
        body = asking.get(f"/api/v1/namespaces/{namespace}/configmaps/{quote(name)}", _CONFIGMAPS)
        found = cleaner.object(decoded(body))
    except NotFound:
        return None
    except ApiError as error:
        asking.missing(_CONFIGMAPS, f"{namespace}/{name}: {error.happened.en}")
        return None
    except NOT_JSON:
        asking.garbled(_CONFIGMAPS, f"{namespace}/{name}")
        return None
    assert isinstance(found, dict)
    data = found.get("data")
    if isinstance(data, dict):
        found["data"] = {
            key: cleaner.configuration(text) if isinstance(text, str) else text for key, text in data.items()
        }
    return found


def _written(asking: Asking, member: str, kind: str, items: list[dict[str, Any]], redacted: int = 0) -> None:
    body = b",\n".join(_encode(item) for item in items)
    head = _encode({"kind": kind, "apiVersion": "v1", "metadata": {}})[:-1]
    asking.archive.add(member, head + b',"items":[\n' + body + b"\n]}\n", About("names", redacted=redacted))
    asking.state.objects += len(items)
    asking.progress(member, len(items))


def rows(table: bytes, namespace: str, *, kind: bool) -> Iterator[dict[str, Any]]:
    """Objects by name, out of the server's table: namespace (if all were asked), name, type, data, age, labels.

    Args:
        table: What `Api.names` gave.
        namespace: The one that was asked, empty for all.
        kind: There is a column for the type; it is free text and may have blanks.
    """
    for line in table.decode("utf-8", "replace").splitlines():
        words = line.split()
        where = namespace or (words.pop(0) if words else "")
        if len(words) < 4 + kind or not words[-3].isdecimal():
            continue
        name, *middle, keys, age, labels = words
        metadata: dict[str, Any] = {"namespace": where, "name": name}
        if labels != "<none>":
            metadata["labels"] = dict(pair.partition("=")[::2] for pair in labels.split(","))
        yield {"metadata": metadata, **({"type": " ".join(middle)} if kind else {}), "keys": int(keys[:9]), "age": age}


def _is_known(namespace: str, name: str) -> bool:
    return name in CONFIGMAPS[namespace] or (namespace == "kube-system" and VERSIONED.fullmatch(name) is not None)
