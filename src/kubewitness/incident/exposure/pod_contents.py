"""What lies in pods: the Secrets, ConfigMaps and service account tokens that pod specs mount or put into environments.

Found by the names of the fields, at whatever depth, so a manifest, a template in a workload and a patch of either read
alike. The walk is bounded: bodies are hostile.

Source: core/v1 types.go (SecretVolumeSource.secretName, SecretProjection, SecretKeySelector, SecretEnvSource,
imagePullSecrets, the like of ConfigMaps).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from kubewitness.evidence.opening import Source
from kubewitness.rules.features.untyped import mapping, mappings, text

_NODES: Final = 20_000  # values of one body that are looked at
_DUMP: Final = 64 * 1024 * 1024
_PODS: Final = 20_000
_NAMES: Final = 200
_SECRET_REFERENCES: Final = ("secretKeyRef", "secretRef", "nodePublishSecretRef")
_CONFIG_REFERENCES: Final = ("configMapKeyRef", "configMapRef")

Pod = tuple[str, str]  # namespace, name


class Contents(NamedTuple):
    """What a pod spec names.

    Attributes:
        account: whose token is mounted; empty: none, or the body does not tell.
        environment: those of the Secrets that are put into variables, whole or by a key.
    """

    secrets: frozenset[str] = frozenset()
    configs: frozenset[str] = frozenset()
    account: str = ""
    node: str = ""
    environment: frozenset[str] = frozenset()

    def with_(self, other: Contents) -> Contents:
        """Both together."""
        return Contents(
            self.secrets | other.secrets, self.configs | other.configs, self.account or other.account,
            self.node or other.node, self.environment | other.environment,
        )  # fmt: skip


def contents_of(body: object) -> Contents:
    """Everything in a body: of a pod, a workload, a patch."""
    secrets, configs, accounts = set[str](), set[str](), list[str]()
    environment = set[str]()
    automatic = True
    for key, value in _members(body):
        named = text(mapping(value).get("name"))
        if key == "secretName":
            secrets.add(text(value))
        elif key in _SECRET_REFERENCES or key == "secret":
            secrets.add(named)
            if key == "secretKeyRef":
                environment.add(named)
        elif key == "envFrom":  # the same key stands in some volumes
            environment.update(text(mapping(one.get("secretRef")).get("name")) for one in mappings(value))
        elif key == "imagePullSecrets":
            secrets.update(text(one.get("name")) for one in mappings(value))
        elif key in _CONFIG_REFERENCES or key == "configMap":
            configs.add(named)
        elif key == "serviceAccountName":
            accounts.append(text(value))
        elif key == "automountServiceAccountToken" and value is False:
            automatic = False
    node = text(mapping(mapping(body).get("spec")).get("nodeName"))
    account = next((one for one in accounts if one), "") if automatic else ""
    return Contents(_some(secrets), _some(configs), account, node, _some(environment))


def _some(names: set[str]) -> frozenset[str]:
    return frozenset(sorted(name for name in names if 0 < len(name) <= 253)[:_NAMES])


def _members(body: object) -> Iterator[tuple[str, object]]:
    """All members of all objects in a body, in no order that matters, at most `_NODES` of them."""
    waiting, left = [body], _NODES
    while waiting and left > 0:
        value = waiting.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                left -= 1
                yield str(key), inner
                waiting.append(inner)
        elif isinstance(value, list):
            waiting += value[:_NODES]
            left -= len(value)


def pods_in(sources: Iterable[Source]) -> dict[Pod, Contents]:
    """The pods in dumps of the cluster."""
    out = dict[Pod, Contents]()
    for source in sources:
        data = bytearray()
        for chunk in source.open():
            data += chunk
            if len(data) > _DUMP:
                break
        if len(data) > _DUMP or b'"containers"' not in data:
            continue
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            continue
        for entry in _objects(found):
            name = mapping(entry.get("metadata"))
            pod = (text(name.get("namespace")), text(name.get("name")))
            if len(out) < _PODS and all(pod):
                out[pod] = contents_of(entry)
    return out


def _objects(found: object) -> Iterator[Mapping[str, object]]:
    """The pods among the objects of a dump: one object, a list, several lists."""
    for one in found if isinstance(found, list) else [found]:
        whole = mapping(one)
        of_pods = text(whole.get("kind")) == "PodList"
        for entry in mappings(whole.get("items")) if "items" in whole else [whole]:
            if of_pods or text(entry.get("kind")) == "Pod":
                yield entry
