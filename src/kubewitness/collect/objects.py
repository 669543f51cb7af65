"""Kubernetes objects without the secret values that people write into them.

Objects are kept whole; what goes is the value and never the name: variables whose name says KEY, TOKEN, SECRET, PASS
and the like, settings in command lines, passwords in addresses, private keys and tokens wherever they stand, `data` of
a Secret inside an annotation. An annotation that holds an object (kubectl's last-applied-configuration, with every
variable in it once more) is opened and treated alike; a packed one cannot be and goes as a whole. Of a definition of a
custom resource its schema is left out, which is most of it and says nothing about an intruder.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from kubewitness.collect.secrets import Redactor, names_a_secret

REDACTED: Final = "redacted by kubewitness"
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL", re.I)
_IN_ADDRESS = re.compile(r"(://[^\s/@:]{0,200}:)[^\s/@]{1,400}(?=@)")
_PACKED: Final = "H4sI"  # gzip in Base64
_PARAMETERS: Final = frozenset(("volumeAttributes", "options", "parameters"))
_DEEP: Final = 3  # objects in annotations of objects in annotations
_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


class Cleaner:
    """Takes secret values out of decoded objects.

    Attributes:
        count: Values taken out so far.
    """

    def __init__(self) -> None:
        self.count = 0

    def object(self, value: Any, level: int = 0) -> Any:
        """The same object without them; `level` counts the annotations it was taken out of."""
        if isinstance(value, dict):
            secret = value.get("kind") == "Secret"
            return {name: self._member(name, inner, secret, level) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.object(inner, level) for inner in value]
        return self._text(value) if isinstance(value, str) else value

    def configuration(self, text: str) -> str:
        """A configuration file inside an object."""
        redactor = Redactor(configuration=True)
        out = redactor.whole(text.encode("utf-8", "replace")).decode("utf-8", "replace")
        self.count += redactor.count
        return out

    def _member(self, name: str, value: Any, secret: bool, level: int) -> Any:
        if not isinstance(value, dict | list):
            return self._text(value) if isinstance(value, str) else value
        if name == "managedFields":  # who set which field: names of fields, and half of all there is to walk
            return value
        if name == "env" and isinstance(value, list):
            return [self._variable(one, level) for one in value]
        if name in {"command", "args"} and isinstance(value, list):
            return self._words(value)
        if name == "annotations" and isinstance(value, dict):
            return {key: self._annotation(inner, level) for key, inner in value.items()}
        if secret and name in {"data", "stringData"} and isinstance(value, dict):
            return {key: self._gone() for key in value}
        if name in _PARAMETERS and isinstance(value, dict):
            return {
                key: self._gone() if isinstance(inner, str) and names_a_secret(key.encode()) else self._text_of(inner)
                for key, inner in value.items()
            }
        return self.object(value, level)

    def _gone(self) -> str:
        self.count += 1
        return REDACTED

    def _text_of(self, value: Any) -> Any:
        return self._text(value) if isinstance(value, str) else self.object(value)

    def _variable(self, variable: Any, level: int) -> Any:
        if isinstance(variable, dict) and variable.get("value") and _SECRET_NAME.search(str(variable.get("name"))):
            return {**variable, "value": self._gone()}
        return self.object(variable, level)

    def _words(self, words: list[Any]) -> list[Any]:
        """A command line: `--password=x`, and `--password x` in two words."""
        out: list[Any] = []
        for word in words:
            before = out[-1] if out else None
            if (
                isinstance(word, str) and isinstance(before, str)
                and re.match(r"--?[A-Za-z]", before) and "=" not in before
                and names_a_secret(before.lstrip("-").encode()) and not word.startswith(("-", "/", "$"))
            ):  # fmt: skip
                out.append(self._gone())
            elif isinstance(word, str):
                out.append(self.configuration(self._text(word)))
            else:
                out.append(self.object(word))
        return out

    def _annotation(self, value: Any, level: int) -> Any:
        if not isinstance(value, str):
            return self.object(value)
        if value.startswith(_PACKED):
            return self._gone()
        if value.lstrip()[:1] not in {"{", "["}:
            return self._text(value)
        if level >= _DEEP:
            return self._gone()
        try:
            inner = msgspec.json.decode(value)
            before = self.count
            cleaned = self.object(inner, level + 1)
            return msgspec.json.encode(cleaned).decode() if self.count > before else value
        except _JSON:
            return self.configuration(self._text(value))

    def _text(self, value: str) -> str:
        if "://" in value and "@" in value:
            value, found = _IN_ADDRESS.subn(rf"\1{REDACTED.replace(' ', '-')}", value)
            self.count += found
        if "eyJ" in value or "PRIVATE KEY" in value or "LS0tLS1CRUdJTi" in value:
            redactor = Redactor(configuration=False)
            value = redactor.whole(value.encode("utf-8", "replace")).decode("utf-8", "replace")
            self.count += redactor.count
        return value


def definition(crd: dict[str, Any]) -> dict[str, Any]:
    """A CustomResourceDefinition without its schemas: names, scope, versions and who converts it."""
    metadata, spec = crd.get("metadata"), crd.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return crd
    kept = {key: spec[key] for key in ("group", "names", "scope", "conversion") if key in spec}
    versions = spec.get("versions")
    if isinstance(versions, list):
        kept["versions"] = [
            {key: one[key] for key in ("name", "served", "storage") if key in one}
            for one in versions
            if isinstance(one, dict)
        ]
    named = {key: value for key, value in metadata.items() if key not in {"managedFields", "annotations"}}
    return {**crd, "metadata": named, "spec": kept}


Trim = Callable[[dict[str, Any]], dict[str, Any]]
