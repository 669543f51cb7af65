"""The scoreboard: `python -m range.score [NAME...] [--check] [--json FILE] [-v]`, or `make score`.

Every recorded scenario's evidence is investigated with the installed program, as a user would do it, and the report is
held against the recording's labels (`score_figures`). Without options the page `scenarios/SCORE.md` is written anew;
`--check` writes nothing and compares with it. It needs neither a range nor root.

Exit codes: 0 done, or nothing fell; 1 a figure fell or the page does not know a scenario; 2 a wrong call or a recording
that contradicts itself; 3 the program gave no report.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from kubewitness.model.document import Document
from kubewitness.report.hostile import inert
from range.score_figures import Scored, score
from range.score_page import Change, PageError, as_json, compare, in_order, page, rows_of, table
from range.score_recording import Recording, RecordingError, recordings
from range.score_row import Row

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
FELL, WRONG, FAILED = 1, 2, 3
_REFRESH = "run make score and commit scenarios/SCORE.md"
_SECONDS = 600  # for one scenario, which takes a few


class ProgramError(Exception):
    """The program that is scored gave no report."""


def main(arguments: Sequence[str] | None = None, scenarios: Path = SCENARIOS) -> int:
    """Run it for the scenarios in `scenarios`/recorded; gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        found, silent = recordings(scenarios / "recorded", options.names)
        if not found:
            raise RecordingError(
                f"nothing is recorded in {scenarios / 'recorded'}; record a scenario first (range/README.md)"
            )
        scored = {recording.name: _judged(recording, options.verbose) for recording in found}
    except RecordingError as error:
        return _failed(str(error), WRONG)
    except ProgramError as error:
        return _failed(str(error), FAILED)
    _say("\n".join(table(in_order(one.row for one in scored.values()))))
    for name in silent:
        _say(f"{name}: not recorded yet, not scored")
    if options.json:
        remarks = {name: one.remarks for name, one in scored.items()}
        options.json.write_bytes(as_json([one.row for one in scored.values()], remarks))
    path, rows = scenarios / "SCORE.md", {name: one.row for name, one in scored.items()}
    if options.check:
        return check(path, rows, whole=not options.names)
    _write(path, rows, scenarios / "recorded" if options.names else None)
    return 0


def check(path: Path, rows: Mapping[str, Row], *, whole: bool) -> int:
    """Compare with the committed page; `whole` if `rows` are all scenarios that are recorded."""
    text = path.read_text() if path.exists() else ""
    try:
        before = {row.scenario: row for row in rows_of(text)}
    except PageError as error:
        why = str(error) if text else "it is missing"
        return _failed(f"{path.name}: {why}; {_REFRESH}", FELL)
    unknown = [f"{name}: not in {path.name}; {_REFRESH}" for name in sorted(set(rows) - set(before))]
    if whole:
        unknown += [f"{name}: in {path.name} but not recorded; {_REFRESH}" for name in sorted(set(before) - set(rows))]
    if page(before.values()) != text:
        unknown.append(f"{path.name}: its words and table are not what its figures make; {_REFRESH}")
    changes = [change for name in sorted(set(rows) & set(before)) for change in compare(before[name], rows[name])]
    fell = [change for change in changes if change.better < 0]
    others = [change for change in changes if change.better >= 0]
    _tell("Fell:", fell)
    _tell(f"Improved or changed; {_REFRESH}:", others)
    for problem in unknown:
        _say(problem)
    if not changes and not unknown:
        _say(f"No figure differs from {path.name}.")
    return FELL if fell or unknown else 0


def investigate(evidence: Path) -> Document:
    """The report of the installed program on a folder of evidence.

    Raises:
        ProgramError: it gave none.
    """
    # Named from its own folder, so that the paths in the report are the same on every machine.
    command = [sys.executable, "-m", "kubewitness", "investigate", evidence.name, "--format", "json", "--quiet"]
    try:
        done = subprocess.run(command, cwd=evidence.parent, capture_output=True, timeout=_SECONDS, check=False)
        return msgspec.json.decode(done.stdout, type=Document)
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{evidence}: no report after {_SECONDS} s") from error
    except msgspec.DecodeError as error:
        said = inert(done.stderr.decode(errors="replace").strip(), lines=True)
        raise ProgramError(f"{evidence}: no report, exit code {done.returncode}: {said or error}") from error


def _judged(recording: Recording, verbose: bool) -> Scored:
    report = investigate(recording.evidence)
    scored = score(recording.name, recording.script, recording.labels, report)
    if not report.complete:
        _say(f"{recording.name}: the report says that some evidence could not be read")
    if verbose:
        for remark in scored.remarks:
            _say(inert(f"{recording.name}: {remark}"))
    return scored


def _write(path: Path, rows: Mapping[str, Row], recorded: Path | None) -> None:
    """Write the page; with `recorded`, `rows` replace those of their scenarios and the others still recorded stay."""
    kept: dict[str, Row] = {}
    if recorded and path.exists():
        try:
            kept = {row.scenario: row for row in rows_of(path.read_text())}
        except PageError as error:
            _say(f"{path.name}: {error}; only what was scored now is written")
    stay = {name: row for name, row in kept.items() if recorded and (recorded / name / "labels.json").exists()}
    path.write_text(page({**stay, **rows}.values()))
    _say(f"wrote {path}")


def _tell(heading: str, changes: Sequence[Change]) -> None:
    if changes:
        _say("\n  ".join([heading, *map(str, changes)]))


def _failed(message: str, code: int) -> int:
    sys.stderr.write(f"{inert(message, lines=True)}\n")
    return code


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m range.score", description="Score the program on recorded attacks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; all recorded ones if none is named")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with scenarios/SCORE.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures and what is wrong here")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what is wrong, with audit ids")
    return parser


if __name__ == "__main__":
    sys.exit(main())
