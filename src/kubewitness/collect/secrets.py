"""Secret values overwritten on their way into the archive; the copy keeps its length and its lines.

So line N and byte M of the copy are line N and byte M of the original, and nothing has to know sizes beforehand. Two
strengths. What is secret beyond doubt is overwritten wherever it stands, logs and process lists included: bodies of PEM
private keys, the signature of a JSON Web Token (its claims, which tell whose it is, stay), the secret half of a
bootstrap token, the data of Secret objects in audit logs. In configuration, values whose *name* says they are secret
go too, and passwords in addresses. What only resembles one stays: paths, numbers, durations, switches.

Certificates are public and are copied; a file with a private key is not copied at all (`holds_private_key`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_MARK: Final = b"REDACTED-"
_LINE: Final = 4 * 1024 * 1024  # a longer line is taken in pieces

_PEM_BEGIN: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY-----")
_PEM_END: Final = re.compile(rb"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY-----")
_TOKEN: Final = re.compile(rb"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,8000}\.([A-Za-z0-9_-]{16,2000})")
_BOOTSTRAP: Final = tuple(
    (word, re.compile(word + rb"[\s=:\"'\\]{1,8}[a-z0-9]{6}\.([a-z0-9]{16})(?![a-z0-9])"))
    for word in (b"oken", b"OKEN")
)
# "-----BEGIN", and "PRIVATE" in its three positions, in base64
_PEM_BASE64: Final = re.compile(
    rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,40}(?:UFJJVkFUR|BSSVZBVE|QUklWQVRF)[A-Za-z0-9+/=]{20,}"
)
_OBJECT: Final = re.compile(rb'ata(?:(?<="data)|(?<=ngData))\\{0,3}"\s?:\s?\{([^{}]{0,2000000})\}')
_OBJECT_VALUE: Final = re.compile(rb'\\{0,3}"\s?:\s?\\{0,3}"((?:[^"\\]|\\[^"\\])*)')
_IS_SECRET: Final = (b'"resource":"secrets"', b'"kind":"Secret"', b'\\"kind\\":\\"Secret\\"')

_NAMES: Final = (
    rb"passwords?|passwd|passphrase|secret|secret[_-]?key|secret[_-]?access[_-]?key|access[_-]?key|api[_-]?key|"
    rb"private[_-]?key|encryption[_-]?key|signing[_-]?key|token|auth[_-]?key|client-key-data|auth|auths|credentials?"
)
_NAME: Final = re.compile(rb"(?i)(?:.{0,80}[_.-])?(?:" + _NAMES + rb")", re.S)
_CAMEL: Final = re.compile(rb"[\w.-]{0,80}(?:Password|Secret|Token|ApiKey|AccessKey|PrivateKey|SecretKey)")
# name = value, name: value, --name value; the value ends at a quote, a space or a comma
_SETTING: Final = re.compile(
    rb"""(?<![\w.-])(-{0,2})([A-Za-z_][\w.-]{0,100})["']?(\s{0,4}[:=]\s{0,4}|\s{1,4})("[^"\n]{1,4000}"|'[^'\n]{1,4000}'|[^\s"',;#}\]]{1,4000})"""
)
_HARMLESS: Final = re.compile(
    rb"(?i)[\"']?(?:/[^\s]*|file:.*|--.*|\$.*|%.*|true|false|yes|no|none|null|nil|on|off|[|>][+-]?|[\[{].*|\d{1,2}"
    rb"|(?:\d{1,6}(?:\.\d{1,6})?(?:ns|us|ms|s|m|h|d)){1,4}"
    rb"|REDACTED-.*)?[\"']?$"
)
_ADDRESS: Final = re.compile(
    rb"(?i)\b(?:https?|ftp|ssh|amqp|redis|postgres(?:ql)?|mysql|mongodb)://[^\s:/@\"']{0,200}:([^\s:/@\"']{1,400})@"
)
# Lines of YAML and indented JSON, their ends stripped
_NAMED: Final = re.compile(rb"\s{0,200}-?\s{0,8}[\"']?name[\"']?\s?:\s{0,4}[\"']?([\w.-]{1,200})[\"']?,?$")
_VALUE: Final = re.compile(rb"\s{0,200}-?\s{0,8}[\"']?value[\"']?\s?:\s{0,4}([^\s\n][^\n]*)$")
_DATA: Final = re.compile(rb"(\s{0,40})[\"']?(?:data|stringData)[\"']?\s?:\s{0,4}\{?$")
_PAIR: Final = re.compile(rb"\s{1,80}[\"']?[\w.-]{1,253}[\"']?\s?:\s{0,4}([^\s\n][^\n]*)$")
_SECRET_KIND: Final = re.compile(rb"^[\s-]{0,80}[\"']?kind[\"']?\s?:\s?[\"']?Secret\b", re.M)
_DOCUMENT: Final = re.compile(rb"^(?=---)", re.M)


def mark(length: int) -> bytes:
    """What stands in the place of a secret of that length: readable, and valid in YAML, JSON and TOML."""
    return (_MARK * (length // len(_MARK) + 1))[:length]


def holds_private_key(data: bytes) -> bool:
    """A private key in PEM (or OpenSSH's) form is in it."""
    return _PEM_BEGIN.search(data) is not None


def names_a_secret(name: bytes) -> bool:
    """A setting or variable of that name has a secret value."""
    return _NAME.fullmatch(name) is not None or _CAMEL.fullmatch(name) is not None


class Redactor:
    """Overwrites secrets in a text that comes line by line.

    Args:
        configuration: The text is configuration: names of settings count too.

    Attributes:
        count: Values overwritten so far.
    """

    def __init__(self, *, configuration: bool) -> None:
        self._configuration = configuration
        self.count = 0
        self._key = False  # inside of a private key
        self._name = False  # the line before named a secret: `- name: DB_PASSWORD`
        self._secret = False  # inside of a Secret object
        self._data = -1  # indentation of the data of a Secret object

    def whole(self, data: bytes) -> bytes:
        """All of a text at once."""
        out: list[bytes] = []
        for document in _DOCUMENT.split(data):
            self._secret, self._data = self._configuration and _SECRET_KIND.search(document) is not None, -1
            out += self.chunks((document,))
        return b"".join(out)

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """A stream; as many bytes as came in."""
        rest = b""
        for chunk in chunks:
            data = rest + chunk
            end = data.rfind(b"\n") + 1
            if not end and len(data) > _LINE:
                end = len(data)
            if end:
                yield self._lines(data[:end])
            rest = data[end:]
        if rest:
            yield self._lines(rest)

    def _lines(self, data: bytes) -> bytes:
        data = self._everywhere(data)
        return b"".join(map(self._settings, data.splitlines(keepends=True))) if self._configuration else data

    def _everywhere(self, data: bytes) -> bytes:
        """What is secret beyond doubt; each search begins with a fixed text, so a log of gigabytes passes quickly."""
        if self._key or b"PRIVATE KEY" in data:
            data = b"".join(map(self._private_key, data.splitlines(keepends=True)))
        if b".eyJ" in data:
            data = self._over(_TOKEN, data)
        for word, pattern in _BOOTSTRAP:
            if word in data:
                data = self._over(pattern, data)
        if b"LS0tLS1CRUdJTi" in data:
            data = self._over(_PEM_BASE64, data, 0)
        if any(mark in data for mark in _IS_SECRET):
            lines = data.splitlines(keepends=True)
            data = b"".join(
                _OBJECT.sub(self._object, line) if any(mark in line for mark in _IS_SECRET) else line for line in lines
            )
        return data

    def _over(self, pattern: re.Pattern[bytes], line: bytes, group: int = 1) -> bytes:
        def replaced(found: re.Match[bytes]) -> bytes:
            self.count += 1
            start, end = (at - found.start() for at in found.span(group))
            return found[0][:start] + mark(end - start) + found[0][end:]

        return pattern.sub(replaced, line)

    def _private_key(self, line: bytes) -> bytes:
        out, at = b"", 0
        while at < len(line):
            if self._key:
                end = _PEM_END.search(line, at)
                stop = end.start() if end else len(line)
                out += re.sub(rb"[A-Za-z0-9+/=]+", lambda found: mark(len(found[0])), line[at:stop])
                at, self._key = stop, end is None
                if end:
                    out, at = out + end[0], end.end()
            elif begin := _PEM_BEGIN.search(line, at):
                out, at, self._key = out + line[at : begin.end()], begin.end(), True
                self.count += 1
            else:
                return out + line[at:]
        return out

    def _object(self, found: re.Match[bytes]) -> bytes:
        start = found.start(1) - found.start()
        return found[0][:start] + self._over(_OBJECT_VALUE, found[1]) + found[0][start + len(found[1]) :]

    def _settings(self, line: bytes) -> bytes:
        line = self._manifest(self._over(_ADDRESS, line))
        bare = line.rstrip()
        value = _VALUE.match(bare) if self._name else None
        named = _NAMED.match(bare)
        self._name = named is not None and names_a_secret(named[1])
        if value and not _HARMLESS.match(value[1]):
            return self._cover(line, *_inside(value[1].rstrip(b","), value.start(1)))
        out, at = b"", 0
        while found := _SETTING.search(line, at):
            dashes, name, between, text = found.groups()
            plain = between.strip() == b""
            if (plain and not dashes) or not names_a_secret(name) or _HARMLESS.match(text):
                at_next = found.start(4) if not plain or dashes else found.end(2)
                out, at = out + line[at:at_next], at_next
                continue
            self.count += 1
            start, end = _inside(text, found.start(4))
            out, at = out + line[at:start] + mark(end - start), end
        return out + line[at:]

    def _manifest(self, line: bytes) -> bytes:
        """Secret objects in YAML or indented JSON: whatever stands below their data."""
        bare = line.rstrip()
        if not self._secret or not bare:
            return line
        indent = len(bare) - len(bare.lstrip())
        if opened := _DATA.match(bare):
            self._data = len(opened[1])
        elif self._data >= 0 and indent <= self._data:
            self._data = -1
        elif self._data >= 0:
            if pair := _PAIR.match(bare):
                return self._cover(line, *_inside(pair[1].rstrip(b","), pair.start(1)))
            return self._cover(line, indent, len(bare))  # a line of a block of text
        return line

    def _cover(self, line: bytes, start: int, end: int) -> bytes:
        if end <= start:
            return line
        self.count += 1
        return line[:start] + mark(end - start) + line[end:]


def _inside(text: bytes, start: int) -> tuple[int, int]:
    """Where a value begins and ends without its quotes."""
    if len(text) > 1 and text[:1] in b"\"'" and text[-1:] == text[:1]:
        return start + 1, start + len(text) - 1
    return start, start + len(text)
