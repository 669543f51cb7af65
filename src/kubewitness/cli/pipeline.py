"""From arguments to a result document: loads the rules, says how many could not be loaded, runs the investigation."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from kubewitness.cli.progress import progress
from kubewitness.cli.session import now
from kubewitness.detect.host.yara_rules import YaraRules
from kubewitness.detect.indicators.indicator import Pack, joined
from kubewitness.detect.indicators.pack import shipped
from kubewitness.detect.run import default_workers
from kubewitness.incident import investigate as investigation
from kubewitness.model.document import Document
from kubewitness.model.text import Language, Text
from kubewitness.report.hostile import inert
from kubewitness.rules.loader import RuleSet, load_rules


def investigate(
    paths: Sequence[str],
    *,
    case: str,
    rules: Sequence[Path] = (),
    label: Text | None = None,
    workers: int = 0,
    language: Language = "en",
    quiet: bool = False,
    exclude: Sequence[Path] = (),
    indicators: Sequence[Path] = (),
    known: bool = True,
    yara: Sequence[Path] = (),
    baseline: Sequence[str] = (),
) -> Document:
    """The document for `paths`, judged by the shipped rules and those of the folders `rules`.

    `exclude`: where results go; no evidence if a folder among `paths` holds it. `indicators`: lists of the user's,
    beside the shipped pack if `known`. `yara`: rules of the user's for programs, beside the shipped ones.
    `baseline`: logs that show what is usual.
    """
    loaded = load_rules(rules, shipped=True)
    for_programs = YaraRules(tuple(yara))
    if yara:
        loaded = replace(loaded, errors=(*loaded.errors, *for_programs.errors))
    _warn(loaded)
    _warn_of_unused(rules, loaded)
    pack = _indicators(indicators, known=known)
    # Most of what is kept from here on is kept to the end, and little of it in circles.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    options = investigation.Options(
        workers=workers or default_workers(),
        case=case,
        now=now(),
        label=label,
        exclude=tuple(exclude),
        indicators=pack,
        yara=for_programs,
        baseline=tuple(baseline),
    )
    stdin = sys.stdin.buffer if "-" in paths else None
    with progress(language, shown=not quiet) as report:
        return investigation.investigate(paths, rules=loaded, options=options, progress=report, stdin=stdin)


def _indicators(paths: Sequence[Path], *, known: bool) -> Pack:
    """The shipped pack and the user's lists; what could not be used of these is said, and is in the report."""
    packs = [shipped()] if known else []
    if paths:
        from kubewitness.detect.indicators.imports import read_all  # noqa: PLC0415 -- few bring lists

        packs.append(read_all(paths))
    pack = joined(packs)
    _complain("line", "of the indicator lists could not be used", [inert(one) for one in pack.errors])
    return pack


def _warn(loaded: RuleSet) -> None:
    _complain("rule", "could not be loaded and will not run", [inert(str(one)) for one in loaded.errors])


def _complain(noun: str, what: str, errors: Sequence[str]) -> None:
    """What of the user's content could not be used, the first few by name."""
    if not errors:
        return
    counted = f"1 {noun}" if len(errors) == 1 else f"{len(errors)} {noun}s"
    click.echo(f"Warning: {counted} {what}:", err=True)
    for error in errors[:5]:
        click.echo(f"  {error}", err=True)
    if len(errors) > 5:
        click.echo(f"  ... and {len(errors) - 5} more; the report lists them all", err=True)


def _warn_of_unused(folders: Sequence[Path], loaded: RuleSet) -> None:
    """A mistyped folder, or rules for another product, must not look like rules that ran and found nothing."""
    for folder in folders:
        if folder.is_dir() and not any(path.suffix in {".yml", ".yaml"} for path in folder.rglob("*")):
            click.echo(inert(f"Warning: no rule file (.yml) in {folder}"), err=True)
        passed = [(path, why) for path, why in loaded.skipped if path == folder or folder in path.parents]
        if passed:
            what = "1 file" if len(passed) == 1 else f"{len(passed)} files"
            path, why = passed[0]
            click.echo(inert(f"Note: {what} of {folder} not used, such as {path.name}: {why}"), err=True)
