"""From arguments to a result document: loads the rules, says how many could not be loaded, runs the investigation."""

from __future__ import annotations

import os
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
) -> Document:
    """The document for `paths`, judged by the shipped rules and those of the folders `rules`.

    `exclude`: where results go; no evidence if a folder among `paths` holds it. `indicators`: lists of the user's,
    beside the shipped pack if `known`. `yara`: rules of the user's for programs, beside the shipped ones.
    """
    loaded = load_rules(rules, shipped=True)
    for_programs = YaraRules(tuple(yara))
    if yara:
        loaded = replace(loaded, errors=(*loaded.errors, *for_programs.errors))
    _warn(loaded)
    _warn_of_unused(rules, loaded)
    pack = _indicators(indicators, known=known)
    options = investigation.Options(
        workers=workers or os.cpu_count() or 1,
        case=case,
        now=now(),
        label=label,
        exclude=tuple(exclude),
        indicators=pack,
        yara=for_programs,
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
    if pack.errors:
        count = len(pack.errors)
        what = "1 line" if count == 1 else f"{count} lines"
        click.echo(f"Warning: {what} of the indicator lists could not be used:", err=True)
        for error in pack.errors[:5]:
            click.echo(f"  {inert(error)}", err=True)
        if count > 5:
            click.echo(f"  ... and {count - 5} more; the report lists them all", err=True)
    return pack


def _warn(loaded: RuleSet) -> None:
    if not loaded.errors:
        return
    count = len(loaded.errors)
    what = "1 rule" if count == 1 else f"{count} rules"
    click.echo(f"Warning: {what} could not be loaded and will not run:", err=True)
    for error in loaded.errors[:5]:
        click.echo(f"  {inert(str(error))}", err=True)
    if count > 5:
        click.echo(f"  ... and {count - 5} more; the report lists them all", err=True)


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
