"""A kubectl that answers from files: `answers/<n>` by the words it was called with, all calls listed in `calls`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

_PROGRAM = """\
#!{python}
import json, sys, time
folder = {folder!r}
words = sys.argv[1:]
with open(folder + "/calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
answers = json.load(open(folder + "/answers.json"))
ours = ("--kubeconfig", "--context", "--cache-dir", "--request-timeout")
asked = [word for word in words if not word.startswith(ours)]
key = asked[1].removeprefix("--raw=") if asked[1:2] and asked[1].startswith("--raw=") else " ".join(asked[:3])
many = answers.get(key, {{"error": "Error from server (NotFound): the server could not find the requested resource"}})
if isinstance(many, list):
    seen = sum(json.loads(line) == words for line in open(folder + "/calls"))
    many = many[min(seen, len(many)) - 1]
time.sleep(many.get("sleep", 0))
sys.stdout.write(many.get("body", "") * many.get("times", 1))
sys.stdout.flush()
if "error" in many:
    sys.stderr.write(many["error"] + "\\n")
    sys.exit(1)
"""


def fake_kubectl(folder: Path, answers: Mapping[str, object]) -> Path:
    """The program; `answers` maps a path (or "get secrets --all-namespaces") to what is said, lists in turn."""
    folder.mkdir(exist_ok=True)
    (folder / "answers.json").write_text(json.dumps(answers))
    program = folder / "kubectl"
    program.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    return program


def calls(folder: Path) -> list[list[str]]:
    """The words of every call."""
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]
