"""Scripts of scenarios: mistakes are told with their line before anything starts, and what is shipped is sound."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from range.network import FILE_SERVER
from range.script import (
    BACKGROUNDS,
    Actor,
    Background,
    Credential,
    Script,
    ScriptError,
    load,
    load_background,
    parse,
    together,
)

RECORDED = Path(__file__).parents[2] / "scenarios" / "recorded"
SHIPPED = sorted(path.parent for path in RECORDED.glob("*/scenario.yaml"))
TRAFFIC = sorted(path.stem for path in BACKGROUNDS.glob("*.yaml"))
DOCUMENTATION = [ipaddress.IPv4Network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
OWN = [
    ipaddress.IPv4Network(f"10.77.{third}.0/24")
    for third in (20, 21, 22, 30, 31)  # office, VPN and jump hosts, machines that join, the provider's services
]
INSIDERS = {"slow_insider"}  # scenarios whose intruder sits in the office

GOOD = """\
title: {en: A thief, zh: 窃贼}
about: {en: Steals, zh: 行窃}
actors:
  ops:
    role: administrator
    address: 10.77.20.5
  thief:
    role: intruder
    address: 203.0.113.9
background: []
setup:
  - actor: ops
    as: admin
    kubectl: {args: get pods}
phases:
  - name: theft
    steps:
      - actor: thief
        step: steals
        request:
          path: /api/v1/secrets
          expect: [403]
"""


def refused(old: str, new: str, text: str = GOOD) -> str:
    """What is said of a good script in which `old` became `new`."""
    assert old in text
    with pytest.raises(ScriptError) as error:
        parse(text.replace(old, new, 1), "scenario.yaml")
    return str(error.value)


def line_of(text: str, found: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if found in line)


def test_the_script_these_tests_change_is_good() -> None:
    assert parse(GOOD, "scenario.yaml").actors["thief"] == Actor("intruder", "203.0.113.9")


# -- form --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beside",
    [
        "title: {en: A thief, zh: 窃贼}",
        "    address: 10.77.20.5",
        "    address: 203.0.113.9",
        "    as: admin",
        "  - name: theft",
        "        step: steals",
        "          path: /api/v1/secrets",
    ],
)
def test_an_unknown_field_is_told_with_the_line_it_is_on(beside: str) -> None:
    indent = " " * len(beside.replace("- ", "  ")[: len(beside) - len(beside.lstrip("- "))])
    bad = GOOD.replace(beside, f"{beside}\n{indent}colour: red", 1)
    with pytest.raises(ScriptError, match="unknown field `colour`") as error:
        parse(bad, "scenario.yaml")
    assert str(error.value).startswith(f"scenario.yaml:{line_of(bad, 'colour')}: ")


def test_a_missing_field_is_told_with_the_line_of_what_lacks_it() -> None:
    said = refused("    role: intruder\n", "")
    assert said.startswith(f"scenario.yaml:{line_of(GOOD, 'thief:') + 1}: ")
    assert "missing required field `role`" in said


def test_a_value_of_the_wrong_kind_is_told_with_its_line() -> None:
    assert refused("[403]", "[soon]").startswith(f"scenario.yaml:{line_of(GOOD, '[403]')}: Expected `int`")
    said = refused("intruder", "burglar")
    assert said.startswith(f"scenario.yaml:{line_of(GOOD, 'intruder')}: Invalid enum value 'burglar'")


@pytest.mark.parametrize("text", ["{a: b", "\t- a", "a: &x\nb: *y", 'a: "\x00"', "a: !!python/object:os.system {}"])
def test_what_is_not_yaml_is_said_to_be_none_with_a_line(text: str) -> None:
    with pytest.raises(ScriptError, match=r"^scenario\.yaml:\d+: not YAML: "):
        parse(text, "scenario.yaml")


@pytest.mark.parametrize("text", ["", "[]", "words", "42"])
def test_yaml_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ScriptError, match=r"^scenario\.yaml:1: Expected `object`"):
        parse(text, "scenario.yaml")


def test_a_folder_without_a_script_and_a_script_that_is_no_text_are_said_to_be_that(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"No such file.*a scenario is a folder with a scenario\.yaml"):
        load(tmp_path / "nowhere")
    (tmp_path / "scenario.yaml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(ScriptError, match="not UTF-8"):
        load(tmp_path)


def test_unknown_ordinary_traffic_is_told_with_what_there_is() -> None:
    with pytest.raises(ScriptError) as error:
        load_background("nobody")
    assert str(error.value) == f"background 'nobody': there are {', '.join(TRAFFIC)}"


# -- sense -------------------------------------------------------------------------------------------------------------


def test_a_step_with_two_actions_or_none_is_refused() -> None:
    both = refused("        step: steals", "        step: steals\n        kubectl: {args: get pods}")
    assert both.endswith("here: request, kubectl")
    assert "phases[0] (theft).steps[0]" in both
    assert refused("    kubectl: {args: get pods}\n", "").endswith("here: none")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("      - actor: thief", "      - actor: nobody", "actor 'nobody' is not one of actors (ops, thief)"),
        ("as: admin", "as: boss", "as: 'boss' is no credential"),
        ("as: admin", "as: serviceaccount:default", "write serviceaccount:NAMESPACE/NAME"),
        ("as: admin", "as: pod", "'ops' is none"),
        ("as: admin", "as: kept:loot", "no step keeps anything as 'loot'"),
        ("    kubectl: {args: get pods}", "    node: {node: node9, command: id}", "node 'node9' is not one of"),
        ("    kubectl: {args: get pods}", "    kubelet: {node: node9, path: /pods}", "node 'node9' is not one of"),
        ("        step: steals\n", "", "an intruder's deed needs a name"),
        ("    address: 203.0.113.9\n", "", "actors.thief: give either address"),
        ("    address: 203.0.113.9", "    address: 203.0.113.9\n    pod: default/web", "actors.thief: give either"),
        ("203.0.113.9", "10.77.20.5", "10.77.20.5 is given twice"),
        ("203.0.113.9", "203.0.113.999", "actors.thief: '203.0.113.999' is no IPv4 address"),
        ("203.0.113.9", "2001:db8::1", "actors.thief: '2001:db8::1' is no IPv4 address"),
        ("203.0.113.9", "10.77.0.10", "is the range's own"),
        ("203.0.113.9", FILE_SERVER, "is the range's own"),
        ("background: []", "keeping: {gap: {phase: lunch}}", "no phase is called 'lunch'"),
        ("background: []", "keeping: {gap: {phase: lunch}, webhook: true}", "would keep what was cut"),
        (
            "background: []",
            "expected: {incidents: [{actors: [ghost], entry_identity: '', entry_address: ''}]}",
            "'ghost' is not one of actors",
        ),
        (
            "background: []",
            "expected: {incidents: [{actors: [ops], entry_identity: '', entry_address: ''}]}",
            "'ops' is not an intruder",
        ),
    ],
)
def test_what_cannot_be_played_or_labelled_is_refused(old: str, new: str, said: str) -> None:
    assert said in refused(old, new)


def test_a_certificate_that_nobody_has_signed_can_only_be_used_once_a_step_keeps_it() -> None:
    credentials = "credentials: {new: {user: x, signed: false}}\nbackground: []"
    text = GOOD.replace("background: []", credentials)
    assert "as: 'new', but no step keeps anything as 'new'" in refused("as: admin", "as: new", text)
    kept = text.replace("        step: steals", "        step: steals\n        keep: {new: status.certificate}")
    assert parse(kept.replace("as: admin", "as: new"), "scenario.yaml")


def test_all_problems_are_told_at_once() -> None:
    assert len(refused("as: admin", "as: boss", GOOD.replace("        step: steals\n", "")).splitlines()) == 2


def test_a_name_or_address_of_both_scenario_and_traffic_is_refused_for_labels_would_be_wrong() -> None:
    script = parse(GOOD, "scenario.yaml")
    traffic = Background("bots", {"bot": Actor("benign", "10.77.30.1")}, (), 1, {"bot": Credential("bot")})
    assert set(together(script, [traffic])[0]) == {"ops", "thief", "bot"}
    with pytest.raises(ScriptError, match=re.escape("its actor 'bot', 10.77.20.5, is taken")):
        together(script, [replace(traffic, actors={"bot": Actor("benign", "10.77.20.5")})])
    with pytest.raises(ScriptError, match=re.escape("its actor 'thief', 10.77.30.1, is taken")):
        together(script, [replace(traffic, actors={"thief": Actor("benign", "10.77.30.1")})])
    with pytest.raises(ScriptError, match="its credential 'bot' is taken"):
        together(replace(script, credentials={"bot": Credential("somebody else")}), [traffic])


# -- what is shipped ---------------------------------------------------------------------------------------------------


def addresses(actors: dict[str, Actor]) -> dict[str, str]:
    return {name: actor.address for name, actor in actors.items() if actor.address}


def lies_in(address: str, networks: list[ipaddress.IPv4Network]) -> bool:
    return any(ipaddress.IPv4Address(address) in network for network in networks)


@pytest.fixture(scope="module")
def traffic() -> dict[str, Background]:
    return {name: load_background(name) for name in TRAFFIC}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: str(path.name))
def test_a_shipped_scenario_and_all_ordinary_traffic_share_no_name_and_no_address(
    folder: Path, traffic: dict[str, Background]
) -> None:
    script = load(folder)
    actors, _ = together(script, traffic.values())
    used = list(addresses(actors).values())
    assert len(used) == len(set(used))
    assert set(script.background) <= set(traffic)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: str(path.name))
def test_a_shipped_scenario_uses_no_real_public_address(folder: Path) -> None:
    script = load(folder)
    for name, address in addresses(script.actors).items():
        outside = script.actors[name].role == "intruder" and folder.name not in INSIDERS
        assert lies_in(address, DOCUMENTATION if outside else DOCUMENTATION + OWN), name


@pytest.mark.parametrize("name", TRAFFIC)
def test_ordinary_traffic_comes_from_the_ranges_own_addresses_and_has_no_intruder(
    name: str, traffic: dict[str, Background]
) -> None:
    assert all(lies_in(address, OWN) for address in addresses(traffic[name].actors).values())
    assert all(actor.role != "intruder" for actor in traffic[name].actors.values())


def intruders(script: Script) -> set[str]:
    return {name for name, actor in script.actors.items() if actor.role == "intruder"}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: str(path.name))
def test_every_intruder_is_in_exactly_one_expected_incident_and_benign_days_have_none(folder: Path) -> None:
    script = load(folder)
    named = [name for incident in script.expected.incidents for name in incident.actors]
    assert sorted(named) == sorted(intruders(script))
    assert bool(named) == (script.kind == "attack")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: str(path.name))
def test_expected_addresses_are_those_of_the_incidents_own_actors_and_the_entry_is_one(folder: Path) -> None:
    script = load(folder)
    for incident in script.expected.incidents:
        own = {script.actors[name].address for name in incident.actors} - {""}
        assert set(incident.addresses) <= {*own, FILE_SERVER}  # payloads come from there
        assert incident.entry_address in {*own, ""}
        assert incident.entry_identity in {*incident.identities, ""}
        assert incident.root_causes


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: str(path.name))
def test_a_twin_is_benign_and_its_attack_is_shipped(folder: Path) -> None:
    script = load(folder)
    if script.twin_of:
        assert script.kind == "benign"
        assert load(RECORDED / script.twin_of).kind == "attack"


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: str(path.name))
def test_titles_are_in_both_languages(folder: Path) -> None:
    script = load(folder)
    for words in (script.title, script.about):
        assert words.en.isascii() or "’" in words.en
        assert any("\u4e00" <= letter <= "\u9fff" for letter in words.zh)
