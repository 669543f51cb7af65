"""The project's words are true: commands, options, links, fields and examples exist; the two READMEs are twins."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import click
import jsonschema
import msgspec
import pytest
import yaml

from kubewitness import __version__
from kubewitness.cli.main import program
from kubewitness.rules.fields import ALIASES, KNOWN, is_known
from kubewitness.rules.loader import load_rules
from tests.report.small import INTRUSION

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "bench/*.md")
    for path in ROOT.glob(pattern)
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
TWINS = (ROOT / "README.md", ROOT / "README.zh.md")
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CALL = re.compile(r"(?:^|(?<=[|;&] ))(?:\.venv/bin/)?kubewitness +(\S.*)", re.MULTILINE)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _blocks(path: Path, language: str = "") -> list[str]:
    """The fenced code blocks of a page, of one language if it is named."""
    return [body for tag, body in _FENCE.findall(_text(path)) if not language or tag == language]


def _code(path: Path) -> str:
    """All shell commands of a page: fenced and inline, continued lines joined."""
    prose = _FENCE.sub("", _text(path))
    return "\n".join([*_blocks(path, "bash"), *re.findall(r"`([^`\n]+)`", prose)]).replace("\\\n", " ")


def _calls(path: Path) -> list[list[str]]:
    """The words after `kubewitness` wherever it is called, up to a pipe, redirection or comment."""
    calls = [re.split(r"\s[|>#&]|;", rest)[0].split() for rest in _CALL.findall(_code(path))]
    return [words for words in calls if words]


def _wrong(words: list[str]) -> list[str]:
    """What the program does not know of a call."""
    command: click.Command = program
    wrong: list[str] = []
    context = click.Context(command)
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(context, word)
            if found is None:
                return [word]
            command = found
        elif word.startswith("-") and word != "-":
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            known |= {"-h", "--help"}
            if word.partition("=")[0] not in known:
                wrong.append(word)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_and_option_named_exists(page: Path) -> None:
    assert [(" ".join(words), wrong) for words in _calls(page) if (wrong := _wrong(words))] == []


def test_the_check_of_commands_can_fail() -> None:
    assert _wrong(["investigat", "x"]) == ["investigat"]
    assert _wrong(["investigate", "x", "--cas", "y"]) == ["--cas"]
    assert _wrong(["rules", "list", "--technique", "T1552"]) == []
    assert len(_calls(TWINS[0])) > 7


@pytest.mark.parametrize("page", [*TWINS, ROOT / "docs/rules.md", ROOT / "docs/json.md"], ids=_name)
def test_every_option_named_by_itself_exists(page: Path) -> None:
    named = set(re.findall(r"`(--[a-z-]+)", _FENCE.sub("", _text(page)))) - {"--audit-log-path"}  # kube-apiserver's
    assert named - _options(program) == set()


def _options(command: click.Command) -> set[str]:
    """The options of a command and of all below it."""
    options = {name for parameter in command.params for name in parameter.opts}
    if isinstance(command, click.Group):
        context = click.Context(command)
        below = (command.get_command(context, name) for name in command.list_commands(context))
        options |= {option for one in below if one is not None for option in _options(one)}
    return options


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_and_module_named_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z]+)", _code(page), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"python -m ((?:tests|bench|scenarios|kubewitness)[\w.]*)", _text(page)):
        path = ROOT / ("src/" if module.startswith("kubewitness") else "") / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), module


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    prose = _FENCE.sub("", _text(page))
    targets = [link.partition("#")[0] for link in _LINK.findall(prose) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *ADRS], ids=_name)
def test_every_file_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|json|toml|html|yml|sh))`", _text(page))
    package = ROOT / "src" / "kubewitness"
    assert [name for name in named if not any((root / name).exists() for root in (ROOT, package))] == []


def test_the_readmes_are_twins() -> None:
    english, chinese = TWINS
    levels = [re.findall(r"^(#+) ", _FENCE.sub("", _text(page)), re.MULTILINE) for page in TWINS]
    assert levels[0] == levels[1]
    assert [re.sub(r"\s*# .*", "", block) for block in _blocks(english)] == [
        re.sub(r"\s*# .*", "", block) for block in _blocks(chinese)
    ]
    links = [sorted({_untwinned(link) for link in _LINK.findall(_text(page))}) for page in TWINS]
    assert links[0] == links[1]
    assert all(_text(page).count("<!-- bench -->") == _text(page).count("<!-- /bench -->") == 1 for page in TWINS)


def _untwinned(link: str) -> str:
    return link.replace("-zh.png", ".png").replace("README.zh.md", "README.md")


def test_the_chinese_readme_uses_full_width_marks() -> None:
    prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", _text(TWINS[1])))
    assert re.findall(r"[\u4e00-\u9fff][,;:!?][^\n]{0,10}", prose) == []


def test_the_pictures_are_there_and_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    assert len(pictures) == 4
    assert [picture.name for picture in pictures if picture.stat().st_size > 300_000] == []


def test_architecture_takes_two_pages_and_a_decision_one() -> None:
    assert len(_text(ROOT / "ARCHITECTURE.md").splitlines()) <= 120
    assert [(_name(page), n) for page in ADRS if (n := len(_text(page).splitlines())) > 60] == []


def test_every_decision_is_listed_in_order() -> None:
    listed = re.findall(r"^\d+\. \[[^]]+\]\(([^)]+)\)", _text(ROOT / "docs" / "adr" / "README.md"), re.MULTILINE)
    assert listed == [page.name for page in ADRS]
    for number, page in enumerate(ADRS, 1):
        assert page.name.startswith(f"{number:04}-")
        assert _text(page).startswith(f"# {number}. ")


def test_the_architecture_names_every_package_of_the_import_contract() -> None:
    text = _text(ROOT / "ARCHITECTURE.md")
    rows = re.findall(r'^  "(kubewitness\.[\w .|]+)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    layers = [layer.removeprefix("kubewitness.") for row in rows for layer in row.split(" | ")]
    assert len(layers) == 12
    assert " → ".join(row.replace("kubewitness.", "") for row in rows) in text
    assert [layer for layer in layers if f"**{layer}** " not in text] == []


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\]", _text(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_the_table_of_fields_is_the_dictionary_of_fields() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \|", _text(ROOT / "docs" / "rules.md"), re.MULTILINE)
    derived = [row for row in rows if "." in row]
    assert len(derived) == len(set(derived))
    assert set(derived) == KNOWN


def test_raw_fields_and_aliases_named_are_known() -> None:
    section = _text(ROOT / "docs" / "rules.md").partition("## Fields")[2].partition("Derived fields.")[0]
    names = re.findall(r"`([A-Za-z]+(?:\.[A-Za-z]+)*)`", section)
    assert len(names) > 10
    assert [name for name in names if not is_known(name)] == []
    assert [alias for alias in ALIASES if f"`{alias}`" not in section] == []


def test_the_rules_shown_load_together_with_the_shipped_ones(tmp_path: Path) -> None:
    shown = [body for body in _blocks(ROOT / "docs" / "rules.md", "yaml") if body.startswith("title:")]
    assert len(shown) == 3
    for number, body in enumerate(shown):
        (tmp_path / f"shown_{number}.yml").write_text(body, encoding="utf-8")
    before, loaded = load_rules((), shipped=True), load_rules([tmp_path], shipped=True)
    assert loaded.errors == before.errors
    new = {rule.id for rule in loaded.rules} - {rule.id for rule in before.rules}
    assert new == {"shown_0"}
    assert {rule.id for rule in loaded.correlations} - {rule.id for rule in before.correlations} == {"shown_1"}
    changed = [rule.id for rule in loaded.rules if rule.id not in new and rule not in before.rules]
    assert changed == ["k8s_audit/credential_access/secret_read"]


def test_the_json_shown_uses_keys_of_the_schema() -> None:
    shown = json.loads(_blocks(ROOT / "docs" / "json.md", "json")[0])
    schema = json.loads((ROOT / "src/kubewitness/report/report.schema.json").read_text())
    full = msgspec.to_builtins(INTRUSION)
    jsonschema.validate(json.loads(msgspec.json.encode(full)), schema)
    assert list(shown) == list(full)  # top level complete and in order
    assert _strangers(shown["incidents"][0], schema, "Incident") == []
    assert _strangers(shown["incidents"][0]["root_causes"][0], schema, "RootCause") == []
    assert _strangers(shown["incidents"][0]["actors"][0], schema, "Actor") == []
    assert _strangers(shown["incidents"][0]["entry_point"], schema, "EntryPoint") == []
    assert _strangers(shown["incidents"][0]["steps"][0], schema, "Step") == []
    assert _strangers(shown["incidents"][0]["steps"][0]["evidence"][0], schema, "Evidence") == []
    assert _strangers(shown["findings"][0], schema, "Finding") == []
    assert _strangers(shown["accessors"][0], schema, "Accessor") == []
    assert _strangers(shown["coverage"], schema, "Coverage") == []


def _strangers(shown: dict[str, object], schema: dict[str, dict[str, dict[str, object]]], name: str) -> list[str]:
    properties = schema["$defs"][name]["properties"]
    assert isinstance(properties, dict)
    return [key for key in shown if key not in properties]


def test_the_exit_codes_listed_are_those_of_the_program() -> None:
    module = __import__("kubewitness.cli.main", fromlist=["main"])
    codes = {0, module.FINDINGS, module.USAGE, module.INCOMPLETE, module.INTERRUPTED}
    for page in TWINS:
        assert {int(code) for code in re.findall(r"^\| (\d+) \|", _text(page), re.MULTILINE)} == codes


def test_the_audit_policy_keeps_values_of_secrets_out_and_changes_of_rights_in() -> None:
    policy = yaml.safe_load(_text(ROOT / "docs" / "audit-policy.yaml"))
    assert (policy["apiVersion"], policy["kind"]) == ("audit.k8s.io/v1", "Policy")
    rules = policy["rules"]
    assert rules[-1] == {"level": "Metadata"}  # nothing falls through unlogged

    def level(group: str, resource: str, verb: str) -> str:
        for rule in rules:
            if "users" in rule or "userGroups" in rule or verb not in rule.get("verbs", [verb]):
                continue
            groups = rule.get("resources") or [{"group": group}]
            if any(g["group"] == group and resource in g.get("resources", [resource]) for g in groups):
                return str(rule["level"])
        return ""

    assert level("", "secrets", "get") == level("", "secrets", "create") == "Metadata"
    assert level("", "serviceaccounts/token", "create") == "Metadata"
    assert level("rbac.authorization.k8s.io", "clusterrolebindings", "create") == "RequestResponse"
    assert level("apps", "daemonsets", "create") == "RequestResponse"
    assert level("", "pods/exec", "create") == "Metadata"  # the command stands in the URI


@cache
def _tracked() -> tuple[Path, ...]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout: which files belong to the project is not known")
    out = subprocess.run([git, "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True).stdout.decode()
    return tuple(path for name in out.split("\0") if name and (path := ROOT / name).is_file())


def _registries() -> set[str]:
    """Hosts of package registries: the public one's, and those this machine is set up to use."""
    settings = [value for name, value in os.environ.items() if name.upper().endswith(("INDEX_URL", "REGISTRY"))]
    files = (Path("/etc/pip.conf"), Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf")
    settings += [path.read_text(errors="replace") for path in files if path.is_file()]
    hosts = {urlsplit(url).hostname or "" for text in settings for url in re.findall(r"https?://[^\s\"']+", text)}
    return {host for host in hosts if len(host) > 6} | {
        ".".join(("pypi", "org")),
        ".".join(("files", "pythonhosted", "org")),
    }


def test_no_tracked_file_names_this_machine_or_a_package_registry() -> None:
    home = str(Path.home())
    places = {str(ROOT), str(ROOT.parent / "shared")} | ({home + "/"} if home not in ("/", "/root") else set())
    if len(socket.gethostname()) > 7:
        places.add(socket.gethostname())
    # A path as short as "/src" stands in ordinary words too.
    forbidden = [place.encode() for place in places if len(place) > 6]
    forbidden += [host.encode() for host in _registries()]
    registry = re.compile(rb"--(?:extra-)?index-url\s+\S|--trusted-host\s+\S|--find-links\s+\S|index-url\s*=\s*\S")
    found = []
    for path in _tracked():
        data = path.read_bytes()
        if path.name == "test_docs.py" or b"\0" in data[:1024]:
            continue
        found += [(_name(path), place) for place in forbidden if place in data]
        found += [(_name(path), match[0]) for match in registry.finditer(data)]
    assert found == []
