"""YARA rules, shipped and brought along, compiled when they are first needed.

Each file is a namespace of its own, so that two may have a rule of one name, and a wrong rule costs only itself: what
cannot be compiled is told with its file and line, the rest runs. Slow expressions and other modules' names are the
library's affair; how long a scan may take is bounded where it is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kubewitness.detect.host.finding import HostFinding
from kubewitness.model.errors import ContentError
from kubewitness.model.evidence import Note
from kubewitness.model.text import Text
from kubewitness.rules.loader import content_folder

if TYPE_CHECKING:
    import yara_x

_RULE_FILES: Final = 5000
_SUFFIXES: Final = (".yar", ".yara")


@dataclass(frozen=True)
class _Compiled:
    rules: yara_x.Rules | None = None
    errors: tuple[ContentError, ...] = ()


@dataclass(frozen=True)
class YaraRules:
    """The shipped rules and those of files and folders, compiled when they are first needed.

    Attributes:
        paths: Files, or folders with *.yar and *.yara in them.
    """

    paths: tuple[Path, ...] = ()

    @property
    def errors(self) -> tuple[ContentError, ...]:
        """What cannot be used, with file and line; the rest is."""
        return self._compiled.errors

    @property
    def rules(self) -> yara_x.Rules | None:
        """The compiled rules; None if the library is not there."""
        return self._compiled.rules

    @cached_property
    def _compiled(self) -> _Compiled:
        try:
            import yara_x  # noqa: PLC0415 -- only where there is something to scan
        except ImportError:
            error = ContentError("the library yara-x cannot be imported, so no YARA rule runs")
            return _Compiled(errors=(error,) if self.paths else ())
        errors = list[ContentError]()
        compiler = yara_x.Compiler(relaxed_re_syntax=True)
        shipped = sorted((content_folder() / "yara").glob("*.yar"))
        for number, path in enumerate((*shipped, *_files(self.paths, errors))):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError as problem:
                errors.append(ContentError(str(problem.strerror or problem), path))
                continue
            compiler.new_namespace(f"file{number}")
            try:
                compiler.add_source(text, origin=str(path))
            except yara_x.CompileError:
                continue  # told below, each with its line
        for error in compiler.errors():
            labels = error.get("labels") or [{}]
            place = labels[0].get("code_origin")
            said = ": ".join(filter(None, (error.get("title", ""), labels[0].get("text", ""))))
            errors.append(ContentError(said[:300], Path(place) if place else None, error.get("line")))
        return _Compiled(compiler.build(), tuple(errors))


@dataclass
class Scanned:
    """What the scan found, and what it left out.

    Attributes:
        findings: By the machine's name.
        items: How many programs and scripts were scanned.
        rules: By how many rules.
    """

    findings: dict[str, list[HostFinding]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    limitations: list[Text] = field(default_factory=list)
    items: int = 0
    rules: int = 0


def _files(paths: Sequence[Path], errors: list[ContentError]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES and one.is_file())
            if not inside:
                errors.append(ContentError("no YARA rule file (.yar, .yara) in it", path))
            yield from inside[:_RULE_FILES]
        else:
            yield path
