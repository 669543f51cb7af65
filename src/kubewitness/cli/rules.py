"""`kubewitness rules`: see what the shipped rules look for, and check rules of one's own."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from kubewitness.cli.main import FINDINGS, context_settings
from kubewitness.cli.output import to_stdout
from kubewitness.cli.session import language_of
from kubewitness.detect.descriptions import descriptions
from kubewitness.model.errors import UsageError
from kubewitness.model.judgement import Confidence, Kind, Severity
from kubewitness.model.text import Language, Text
from kubewitness.report import words
from kubewitness.report.hostile import inert
from kubewitness.rules.attack import technique
from kubewitness.rules.ir import CorrelationRule, Rule
from kubewitness.rules.lint import lint as lint_pack
from kubewitness.rules.loader import RuleSet, load_rules


class Listed(msgspec.Struct, frozen=True):
    """A rule as `rules list --format json` gives it."""

    id: str
    title: Text
    severity: Severity
    confidence: Confidence
    kind: Kind
    techniques: tuple[str, ...]
    correlation: bool


_LANG = click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Language  [default: from the locale]")
_RULES = click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), metavar="DIR",
                      help="Rules of one's own besides the shipped ones. May be repeated.")  # fmt: skip


@click.group(context_settings=context_settings())
def rules() -> None:
    """List, show and check detection rules."""


_LIST_EPILOG = """\b
Examples:
  kubewitness rules list
  kubewitness rules list --technique T1552 --technique T1098.006
  kubewitness rules list --format json | jq -r '.[].id'"""


@rules.command("list", epilog=_LIST_EPILOG, context_settings=context_settings())
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--technique",
    "chosen",
    multiple=True,
    metavar="T...",
    help="Only rules for this ATT&CK technique or its sub-techniques. May be repeated.",
)
@_RULES
@_LANG
def list_rules(form: str, chosen: tuple[str, ...], folders: tuple[Path, ...], language: Language | None) -> int:
    """List the rules: severity, id, techniques, title."""  # fmt: skip
    listed = [
        Listed(
            rule.id, rule.title, rule.severity, rule.confidence, rule.kind, rule.techniques,
            isinstance(rule, CorrelationRule),
        )
        for rule in _every(load_rules(folders, shipped=True))
        if not chosen or any(_within(one, wanted.upper()) for one in rule.techniques for wanted in chosen)
    ]  # fmt: skip
    if form == "json":
        to_stdout(msgspec.json.format(msgspec.json.encode(listed), indent=2) + b"\n")
        return 0
    tongue = language or language_of(os.environ)
    longest = max((len(one.id) for one in listed), default=0)
    lines = [
        f"{one.severity:<13}  {one.id:<{longest}}  {','.join(one.techniques):<20}  {inert(one.title.in_(tongue))}"
        for one in listed
    ]
    to_stdout("".join(f"{one}\n" for one in (*lines, _total(len(listed), tongue))).encode())
    return 0


def _total(count: int, language: Language) -> str:
    return words.counted(count, "rule", "rules", "条规则", language)


def _every(loaded: RuleSet) -> list[Rule | CorrelationRule]:
    """Rules, correlations and what rules written in code say about themselves."""
    in_code = [rule for folder in ("detectors", "host") for rule in descriptions(folder).values()]
    return sorted((*loaded.rules, *loaded.host_rules, *loaded.correlations, *in_code), key=lambda rule: rule.id)


def _within(technique_id: str, wanted: str) -> bool:
    return technique_id == wanted or technique_id.startswith(f"{wanted}.")


_SHOW_EPILOG = """\b
Examples:
  kubewitness rules show k8s_audit/credential_access/secrets_accessed_anonymously
  kubewitness rules show my_rule --rules ./my-sigma-rules"""


@rules.command("show", epilog=_SHOW_EPILOG, context_settings=context_settings())
@click.argument("rule_id", metavar="ID")
@_RULES
@_LANG
def show_rule(rule_id: str, folders: tuple[Path, ...], language: Language | None) -> int:
    """Show one rule: what it means, when it is harmless, what to look at, and its Sigma text."""
    every = {str(rule.id): rule for rule in _every(load_rules(folders, shipped=True))}
    rule = every.get(rule_id.removesuffix(".yml"))
    if rule is None:
        near = [known for known in every if rule_id.rsplit("/", 1)[-1] in known][:3]
        raise UsageError(f"no rule {rule_id!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
    tongue = language or language_of(os.environ)
    facts = [
        (words.COLUMN_SEVERITY, words.SEVERITY[rule.severity].in_(tongue)),
        (words.CONFIDENCE_LABEL, words.CONFIDENCE[rule.confidence].in_(tongue)),
        *((words.COLUMN_TECHNIQUE, f"{one} {technique(one).name}".strip()) for one in rule.techniques),
        (words.RUNBOOK, rule.runbook.in_(tongue)),
        *((words.BENIGN_IF, text.in_(tongue)) for text in rule.falsepositives),
    ]
    head = [rule.title.in_(tongue), str(rule.id), "", rule.description.in_(tongue), ""]
    lines = [*head, *(f"{label.in_(tongue)}: {said}" for label, said in facts if said), "", f"# {rule.path}"]
    source = rule.path.read_text(encoding="utf-8", errors="replace")
    to_stdout(("\n".join(inert(one, lines=True) for one in lines) + "\n" + inert(source, lines=True)).encode())
    return 0


_LINT_EPILOG = """\b
Examples:
  kubewitness rules lint ./my-sigma-rules
  kubewitness rules lint --pack src/kubewitness/content/detections"""


@rules.command("lint", epilog=_LINT_EPILOG, context_settings=context_settings())
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--pack", is_flag=True, help="Also hold them to the standard of the shipped rules (both languages, test rows)."
)
def lint_rules(folder: Path, pack: bool) -> int:
    """Check the rules of a folder: which load, which cannot be used and why. Exit code 1 if one cannot."""
    # A filter or correlation may name a shipped rule. The pack itself is checked alone, or its ids were there twice.
    own = load_rules([folder], shipped=not pack)
    complaints = [str(issue) for issue in lint_pack(own)] if pack else [str(error) for error in own.errors]
    lines = [inert(complaint) for complaint in complaints]
    lines += [inert(f"{path}: skipped: {reason}") for path, reason in own.skipped]
    loaded = sum(rule.path.is_relative_to(folder) for rule in (*own.rules, *own.host_rules))
    loaded += sum(rule.path.is_relative_to(folder) for rule in own.correlations)
    bad = len(complaints)
    lines.append(
        f"{words.counted(loaded, 'rule', 'rules', '', 'en')} loaded, "
        f"{words.counted(bad, 'problem', 'problems', '', 'en')}, {len(own.skipped)} skipped"
    )
    to_stdout("".join(f"{one}\n" for one in lines).encode())
    return FINDINGS if bad else 0
