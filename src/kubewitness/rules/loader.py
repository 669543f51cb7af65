"""Rule folders → one `RuleSet`: ids given, filters applied, correlations connected to the rules they name.

A rule's id is its path below the folder it came from, without suffix (`k8s_audit/initial_access/x`); the package's own
correlations carry `correlations/` in front. Everything that cannot be used is kept as a value: `errors` (wrong content,
with path and line) and `skipped` (other log sources, with the reason). The order is that of the ids, whatever the disk
says. Rules about machines (`rules.host_sources`) are kept apart from those about audit events.

Source: Sigma specification 2.x for the meaning of filters (their condition must hold as well) and of `generate` (base
rules of a correlation are no findings of their own unless it says so).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.resources import files as resources
from pathlib import Path

import msgspec

from kubewitness.model.errors import ContentError, UsageError
from kubewitness.rules.cache import remembered
from kubewitness.rules.host_sources import covers
from kubewitness.rules.ir import AllOf, CorrelationRule, Rule, RuleId, walk_fields
from kubewitness.rules.parsed import ParsedCorrelation, ParsedFile, ParsedFilter, ParsedRule

_SUFFIXES = (".yml", ".yaml")


class RuleSet(msgspec.Struct, frozen=True):
    """Rules ready to be compiled, and what of the content could not be used."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[CorrelationRule, ...] = ()
    errors: tuple[ContentError, ...] = ()
    skipped: tuple[tuple[Path, str], ...] = ()
    host_rules: tuple[Rule, ...] = ()  # about machines; `rules` are about audit events of Kubernetes


def content_folder() -> Path:
    """The folder of the package's own content."""
    return Path(str(resources("kubewitness") / "content"))


def shipped_rules() -> RuleSet:
    """The detection rules and correlations that come with the package."""
    return load_rules((), shipped=True)


def load_rules(directories: Sequence[Path], *, shipped: bool = False) -> RuleSet:
    """All rules of the folders (or single files) given, with the package's own too if `shipped`.

    They are one set: a filter or correlation of one folder may name rules of another, so a site tunes the shipped rules
    with a filter and never edits them.

    Raises:
        UsageError: a folder does not exist.
    """
    sources = list[tuple[Path, str]]()
    if shipped:
        sources += [(content_folder() / "detections", ""), (content_folder() / "correlations", "correlations/")]
    for directory in directories:
        if not directory.exists():
            raise UsageError(f"{directory}: no such folder of rules")
        sources.append((directory, ""))
    parsed, seen = list[tuple[Path, ParsedFile]](), set[Path]()
    for root, prefix in sources:
        files = list[tuple[Path, str]]()
        for path, name in _rule_files(root):
            real = path.resolve()
            if real not in seen:  # overlapping folders are no duplicates
                seen.add(real)
                files.append((path, prefix + name))
        parsed.extend(zip((path for path, _ in files), _parse(files), strict=True))
    return _Linker(parsed).link()


def _parse(files: Sequence[tuple[Path, str]]) -> list[ParsedFile]:
    """What each file gives. Remembered if all of it is sound: complaints are worked out anew each time."""
    parsed = list[ParsedFile]()

    def parse() -> list[ParsedFile] | None:
        parse_file = import_module("kubewitness.rules.rule_file").parse_file  # brings the Sigma parser
        parsed.extend(parse_file(path, name) for path, name in files)
        return None if any(file.errors for file in parsed) else parsed

    names = "\n".join(name for _, name in files)
    return remembered([path for path, _ in files], names, list[ParsedFile], parse, parsed) if files else parsed


def _rule_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Rule files below `root` with the id each gives; test rows and hidden folders are left out."""
    if root.is_file():
        yield root, root.stem
        return
    for path in sorted(root.rglob("*")):
        below = path.relative_to(root)
        hidden = any(part.startswith(".") for part in below.parts)
        if path.suffix in _SUFFIXES and not path.stem.endswith(".test") and not hidden and path.is_file():
            yield path, below.with_suffix("").as_posix()


class _Linker:
    """Joins parsed files: names to ids, filters to rules, correlations to their base rules."""

    def __init__(self, parsed: Sequence[tuple[Path, ParsedFile]]) -> None:
        self.errors = [error for _, file in parsed for error in file.errors]
        self.skipped = [(path, reason) for path, file in parsed for reason, _ in file.skipped]
        self.skipped_names = {_fold(name) for _, file in parsed for _, names in file.skipped for name in names}
        self.ids = dict[str, RuleId]()  # every name of a rule → its id
        self.rules = {p.rule.id: p for _, file in parsed for p in file.rules if self._register(p.rule, p.names)}
        correlations = [c for _, file in parsed for c in file.correlations]
        self.correlations = [c for c in correlations if self._register(c.correlation, c.names)]
        self.filters = [f for _, file in parsed for f in file.filters]

    def _register(self, rule: Rule | CorrelationRule, names: Sequence[str]) -> bool:
        """Take the rule's names; False (and an error) if one is taken."""
        own = dict.fromkeys(_fold(name) for name in (rule.id, *names))
        for name in own:
            if name in self.ids:
                self.errors.append(
                    ContentError(f"{name!r} is already the name of {self.ids[name]}", rule.path, rule.line)
                )
                return False
        self.ids.update(dict.fromkeys(own, rule.id))
        return True

    def link(self) -> RuleSet:
        for rule_filter in self.filters:
            self._apply(rule_filter)
        correlations = sorted(filter(None, map(self._connect, self.correlations)), key=lambda c: c.id)
        silent = self._base_rules_without_findings()
        rules = (
            msgspec.structs.replace(p.rule, kind="context") if p.rule.id in silent else p.rule
            for p in self.rules.values()
        )
        ordered = sorted(rules, key=lambda rule: rule.id)
        return RuleSet(
            rules=tuple(rule for rule in ordered if not rule.log_source),
            host_rules=tuple(rule for rule in ordered if rule.log_source),
            correlations=tuple(correlations),
            errors=tuple(sorted(self.errors, key=lambda e: (str(e.path), e.line or 0, e.message))),
            skipped=tuple(sorted(self.skipped)),
        )

    def _apply(self, rule_filter: ParsedFilter) -> None:
        """AND the filter's condition to the rules it names."""
        targets = set(self.rules) if rule_filter.rules is None else set[RuleId]()
        for name in rule_filter.rules or ():
            found = self.ids.get(_fold(name))
            if found in self.rules:
                targets.add(found)
            elif _fold(name) not in self.skipped_names:
                message = f"filter names rule {name!r}, which is not loaded"
                self.errors.append(ContentError(message, rule_filter.path, rule_filter.line))
        for target in targets:
            parsed = self.rules[target]
            if not _same_log(rule_filter, parsed.rule):
                continue
            if rule_filter.category in ("", parsed.category):
                self.rules[target] = _filtered(parsed, rule_filter)

    def _connect(self, parsed: ParsedCorrelation) -> CorrelationRule | None:
        """The correlation with ids in place of names; None if a rule is missing."""
        rule = parsed.correlation
        unknown = [name for name in rule.rules if self.ids.get(_fold(name)) not in self.rules]
        if unknown:
            if all(_fold(name) in self.skipped_names for name in unknown):
                self.skipped.append((rule.path, f"rule {unknown[0]!r} was skipped"))
                return None
            name = next(name for name in unknown if _fold(name) not in self.skipped_names)
            reason = "is itself a correlation" if _fold(name) in self.ids else "is not loaded"
            self.errors.append(ContentError(f"correlates rule {name!r}, which {reason}", rule.path, rule.line))
            return None
        if other := [name for name in rule.rules if self.rules[RuleId(self.ids[_fold(name)])].rule.log_source]:
            message = f"correlates rule {other[0]!r}, which is about machines: only audit events are correlated"
            self.errors.append(ContentError(message, rule.path, rule.line))
            return None
        if new := [name for name in rule.rules if self.rules[RuleId(self.ids[_fold(name)])].rule.first_seen]:
            message = f"correlates rule {new[0]!r}, which speaks only of what is new: a match of it means nothing"
            self.errors.append(ContentError(message, rule.path, rule.line))
            return None
        ids: Mapping[str, RuleId] = {name: self.ids[_fold(name)] for name in rule.rules}
        aliases = {alias: {ids[name]: field for name, field in m.items()} for alias, m in rule.aliases.items()}
        return msgspec.structs.replace(rule, rules=tuple(ids.values()), aliases=aliases)

    def _base_rules_without_findings(self) -> set[RuleId]:
        """Rules of others that only feed correlations: in Sigma those speak instead of them."""
        loud, silent = set[RuleId](), set[RuleId]()
        for parsed in self.correlations:
            base = {self.ids[_fold(name)] for name in parsed.correlation.rules if _fold(name) in self.ids}
            (loud if parsed.generate else silent).update(base)
        return {rule for rule in silent - loud if rule in self.rules and not self.rules[rule].kind_given}


def _same_log(rule_filter: ParsedFilter, rule: Rule) -> bool:
    """Whether the filter speaks of the log that the rule reads."""
    return rule_filter.log_source == rule.log_source or covers(rule_filter.log_source, rule.log_source)


def _fold(name: str) -> str:
    return name.lower()


def _filtered(parsed: ParsedRule, rule_filter: ParsedFilter) -> ParsedRule:
    condition = AllOf((parsed.rule.condition, rule_filter.condition))
    fields = {*walk_fields(condition), *parsed.rule.fields}
    rule = msgspec.structs.replace(parsed.rule, condition=condition, fields=tuple(sorted(fields)))
    return msgspec.structs.replace(parsed, rule=rule)
