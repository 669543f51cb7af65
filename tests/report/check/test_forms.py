"""What each form of a check's report says, and that nothing in it obeys what evidence says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from kubewitness.model.errors import EvidenceError
from kubewitness.model.evidence import EvidenceItem
from kubewitness.model.posture import PostureReport, Remedy, Where
from kubewitness.model.text import Text
from kubewitness.report.check.document import from_json, to_json
from kubewitness.report.check.formats import FORMATS, View
from kubewitness.report.check.sarif import uri
from kubewitness.report.schema import CHECK_PATH, generate_check
from tests.report.check.sample import (
    ANONYMOUS,
    CLEAN,
    EVIL,
    FULL,
    INFOS,
    KUBELET,
    MODE,
    NOTHING,
    PATHS,
    fail,
    other,
    report,
    waived,
)

BASED = replace(
    waived(FULL, "ClusterRoleBinding a"), baseline="before.json", gone=FULL.results[-3:-2], unseen=2,
    waivers_expired=(f"waivers.yml:3: {EVIL}",),
)  # fmt: skip
ALL = {"full": FULL, "clean": CLEAN, "nothing": NOTHING, "based": BASED}


def text(made: PostureReport, **view: Any) -> str:
    return FORMATS["table"](made, View(**view)).decode()


@pytest.mark.parametrize("made", ALL.values(), ids=ALL)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_form_has_anything_a_screen_obeys(made: PostureReport, form: str, language: Any) -> None:
    written = FORMATS[form](made, View(language, everything=True)).decode()
    assert not set(written) & set("\x1b\x9b\x07\u202e\u2066\x00")
    assert written == FORMATS[form](made, View(language, everything=True)).decode()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_lines_of_prose_stay_within_the_window(width: int, language: Any) -> None:
    lines = text(FULL, language=language, width=width).splitlines()
    assert not [line for line in lines if cell_len(line) > width and not line.startswith("    ")]


def test_the_table_says_first_how_bad_it_is_then_what_was_not_judged_then_what_to_do() -> None:
    told = text(FULL)
    order = ["7 failed: 4 critical, 2 high, 1 low", "INCOMPLETE EVIDENCE", "Not evaluated", "no command line",
             "What to do", "1. [critical]", "kubectl get anonymous_grant"]  # fmt: skip
    assert [told.index(one) for one in order] == sorted(told.index(one) for one in order)


def test_a_failure_is_told_with_observed_expected_place_and_why() -> None:
    told = text(FULL)
    for one in (
        "observed  is so",
        "expected  is not so",
        "dump.json:12",
        "items[3].subjects[0]",
        "Why anonymous_grant",
    ):
        assert one in told


@pytest.mark.parametrize("form", ["table", "md", "html"])
def test_what_to_do_stands_below_the_worst_it_mends_and_the_others_after_it(form: str) -> None:
    told = FORMATS[form](FULL, View()).decode().replace("\\_", "_")
    told = told[told.index("Title of kubelet_anonymous", told.index("Each entry is done") if form == "html" else 0) :]
    order = ["systemctl restart kubelet", "It mends these, too:", "Title of kubelet_mode"]
    assert [told.index(one) for one in order] == sorted(told.index(one) for one in order)
    assert "It mends these, too:" not in FORMATS[form](report([(ANONYMOUS, [fail("a")])]), View()).decode()


def test_a_place_is_told_once_for_what_is_mended_together() -> None:
    two = report([(KUBELET, [fail("kubelet", "node/n")]), (MODE, [fail("kubelet", "node/n")])])
    assert text(two).count("dump.json:12") == 1
    apart = report([(ANONYMOUS, [fail("a")]), (PATHS, [fail("a")])])
    assert text(apart).count("dump.json:12") == 2


def test_commands_stand_apart() -> None:
    remedies = [Remedy(Text("Mend it", "修复"), command=one) for one in ("kubectl get a", "systemctl restart b")]
    made = report([(ANONYMOUS, [fail(str(at), remedy=one) for at, one in enumerate(remedies)])])
    assert "    kubectl get a\n\n    systemctl restart b\n" in text(made)


def test_of_what_was_not_judged_no_framework_is_listed() -> None:
    unjudged = report([(ANONYMOUS, [other("not_evaluated", reason="no dump")])])
    assert "Frameworks" not in text(unjudged)
    assert "Frameworks" in text(FULL)


def test_what_is_low_is_told_briefly_in_the_table_and_with_its_reasons_in_a_ticket() -> None:
    assert "Why profiling matters." not in text(FULL)
    assert "Why profiling matters." in FORMATS["md"](FULL, View()).decode()


def test_an_unsafe_remedy_says_so_with_what_it_breaks() -> None:
    assert "UNSAFE: The kubelet restarts." in text(FULL)
    assert "有风险：kubelet 会重启。" in text(FULL, language="zh")


def test_what_several_remedies_break_is_told_apart() -> None:
    remedies = [Remedy(Text("Mend it", "修复"), breaks=Text(f"{one} ends.", f"{one} 失效。")) for one in ("a", "b")]
    made = report([(ANONYMOUS, [fail(str(at), remedy=one) for at, one in enumerate(remedies)])])
    assert "UNSAFE: a ends. b ends." in text(made)
    assert "有风险：a 失效。b 失效。" in text(made, language="zh")


def test_before_what_is_to_be_done_the_reasons_for_no_judgement_are_few() -> None:
    unjudged = [other("not_evaluated", subject=str(at), reason=f"reason {at}") for at in range(7)]
    told = text(report([(ANONYMOUS, [fail("a"), *unjudged])]))
    assert "reason 2" in told
    assert "reason 3" not in told
    assert "... and 4 more" in told
    assert "reason 6" in text(report([(ANONYMOUS, [fail("a", severity="low"), *unjudged])]))


def test_a_file_that_tells_nothing_is_named_where_nothing_was_judged() -> None:
    made = replace(NOTHING, complete=False, items=(EvidenceItem("empty.json"),), parse_failures=())
    assert "told nothing to any check: 1 (empty.json)" in text(made, width=160)


def test_a_file_that_tells_nothing_is_named_beside_others_that_do() -> None:
    made = replace(CLEAN, items=(EvidenceItem("dump.json", format="Kubernetes objects"), EvidenceItem("bomb.yaml")))
    assert "told nothing to any check: 1 (bomb.yaml)" in text(made)
    assert "told nothing" not in text(replace(made, items=made.items[:1]))


def test_a_failure_that_tells_others_too_names_them() -> None:
    part = next(one for one in FULL.results if one.check.endswith("kubelet_mode") and one.status == "fail")
    made = replace(
        FULL,
        results=tuple(
            replace(one, includes=(part.key,)) if one.check.endswith("kubelet_anonymous") else one
            for one in FULL.results
        ),
    )
    assert "includes  Title of kubelet_mode" in text(made)
    assert "6 failed" in text(made)
    page = FORMATS["html"](made, View("zh")).decode()
    assert "包括" in page
    assert page.count("counted in: Title of kubelet_anonymous") == 1
    assert "includes" not in text(FULL)
    (whole,) = [
        one
        for one in json.loads(FORMATS["sarif"](made, View()))["runs"][0]["results"]
        if "includes" in one["properties"]
    ]
    assert whole["properties"]["includes"] == [part.key]


def test_an_attack_path_is_told_hop_by_hop() -> None:
    assert "User system:anonymous → Pod kube-system/x: runs commands in it" in text(FULL)


def test_a_report_that_judged_nothing_is_no_clean_one() -> None:
    assert "NOTHING WAS JUDGED" in text(NOTHING)
    assert "Nothing failed" not in text(NOTHING)
    assert "Nothing failed · 1 passed" in text(CLEAN)


def test_passes_are_listed_on_demand_only() -> None:
    assert "Passed: looked for, and not the case (1)" not in text(CLEAN)
    assert "Passed: looked for, and not the case (1)" in text(CLEAN, everything=True)


def test_what_is_below_the_wanted_severity_is_counted() -> None:
    told = text(FULL, minimum="critical")
    assert "4 failed: 4 critical" in told
    assert "not listed, as it is below critical: 3" in told


def test_against_a_baseline_it_says_what_is_new_known_gone_and_unclear() -> None:
    told = text(BASED)
    assert "new since before.json: 6; 0 known from before.json; 1 gone; 2 that this evidence does not show" in told
    assert "Accepted by waivers (1)" in told
    assert "jane, until 2027-01-31: it is needed" in told
    assert "Waivers that have ended" in told


def test_a_huge_number_of_failures_stays_a_short_table() -> None:
    made = report([(ANONYMOUS, [fail(f"ClusterRoleBinding n{n}") for n in range(20_000)])])
    for form, most in (("table", 4_000), ("md", 20_000), ("html", 3_000_000)):
        assert len(FORMATS[form](made, View())) < most


def test_markdown_escapes_what_would_be_markup() -> None:
    told = FORMATS["md"](FULL, View()).decode()
    outside = re.sub(r"(`+).*?\1", "", told)
    assert "<script>" not in outside
    assert "\n# head" not in told


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_the_schema_file_is_current() -> None:
    """If the types changed on purpose: `make schema`, and think about `SCHEMA_VERSION`."""
    assert CHECK_PATH.read_bytes() == generate_check()


@pytest.mark.parametrize("made", ALL.values(), ids=ALL)
def test_reports_validate_and_come_back_as_they_were(made: PostureReport) -> None:
    written = to_json(made)
    jsonschema.Draft202012Validator(json.loads(CHECK_PATH.read_bytes())).validate(json.loads(written))
    assert from_json(written, "x") == made


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"{", b"\xff", b"[" * 100_000, to_json(FULL).replace(b'"1.0"', b'"2.0"', 1)]
)
def test_what_is_no_report_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(EvidenceError) as error:
        from_json(data, "x\x1b.json")
    assert "\x1b" not in str(error.value)


# -- SARIF -------------------------------------------------------------------------------------------------------------

_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_LOCATION = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": -1},
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "properties": {
                        "uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$"},
                        "index": {"type": "integer", "minimum": 0},
                    },
                    "additionalProperties": False,
                },
                "region": {
                    "type": "object",
                    "properties": {"startLine": {"type": "integer", "minimum": 1}, "snippet": _TEXT},
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
        "logicalLocations": {"type": "array", "items": {"type": "object", "required": ["fullyQualifiedName"]}},
        "message": _TEXT,
    },
    "additionalProperties": False,
}
_SARIF: dict[str, Any] = {  # what we write of SARIF 2.1.0, with its own words, types and bounds
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {
            "type": "object",
            "required": ["tool", "results"],
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object",
                    "required": ["name", "rules"],
                    "properties": {"rules": {"type": "array", "uniqueItems": True, "items": {
                        "type": "object",
                        "required": ["id", "shortDescription", "fullDescription", "help", "defaultConfiguration"],
                        "properties": {
                            "shortDescription": _TEXT, "fullDescription": _TEXT, "help": _TEXT,
                            "defaultConfiguration": {"properties": {"level": {"enum": ["note", "warning", "error"]}}},
                        },
                    }}},
                }}},
                "invocations": {"type": "array", "items": {
                    "required": ["executionSuccessful"],
                    "properties": {
                        "executionSuccessful": {"type": "boolean"},
                        "toolExecutionNotifications": {"type": "array", "items": {
                            "required": ["message"],
                            "properties": {"level": {"enum": ["none", "note", "warning", "error"]}, "message": _TEXT},
                        }},
                    },
                }},
                "results": {"type": "array", "items": {
                    "type": "object",
                    "required": ["message", "ruleId", "level", "kind", "locations", "fingerprints"],
                    "properties": {
                        "ruleIndex": {"type": "integer", "minimum": 0},
                        "level": {"enum": ["none", "note", "warning", "error"]},
                        "kind": {"enum": ["pass", "open", "informational", "notApplicable", "review", "fail"]},
                        "message": _TEXT,
                        "locations": {"type": "array", "items": _LOCATION},
                        "relatedLocations": {"type": "array", "uniqueItems": True, "items": _LOCATION},
                        "fingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                        "baselineState": {"enum": ["new", "unchanged", "updated", "absent"]},
                        "suppressions": {"type": "array", "items": {
                            "required": ["kind"],
                            "properties": {
                                "kind": {"enum": ["inSource", "external"]},
                                "status": {"enum": ["accepted", "underReview", "rejected"]},
                            },
                        }},
                        "codeFlows": {"type": "array", "items": {"required": ["threadFlows"]}},
                    },
                }},
            },
        }},
    },
}  # fmt: skip


def sarif(made: PostureReport) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(FORMATS["sarif"](made, View()))
    jsonschema.validate(log, _SARIF)
    run: dict[str, Any] = log["runs"][0]
    return run


@pytest.mark.parametrize("made", ALL.values(), ids=ALL)
def test_sarif_has_the_form_of_2_1_0(made: PostureReport) -> None:
    run = sarif(made)
    failures = [one for one in made.results if one.status == "fail"]
    assert len(run["results"]) == len(failures) + len(made.gone)
    for one in run["results"]:
        if "ruleIndex" in one:
            assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["kind"] == "fail" or one["level"] == "none"  # 3.27.10: a level needs a failure
    states = {"baselineState" in one for one in run["results"]}
    assert states <= {bool(made.baseline)}  # 3.27.24: all of a run or none


def test_sarif_knows_a_failure_again_by_its_key_and_leads_to_its_line() -> None:
    one = sarif(FULL)["results"][0]
    assert one["fingerprints"] == {"kubewitnessKey/v1": "checks/access/anonymous_grant|cluster|ClusterRoleBinding a|"}
    place = one["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"], place["region"]["startLine"]) == ({"uri": "dump.json", "index": 0}, 12)


def test_waivers_are_suppressions_and_a_baseline_its_state() -> None:
    results = sarif(BASED)["results"]
    waived_ = [one for one in results if "suppressions" in one]
    assert [one["suppressions"][0]["justification"] for one in waived_] == ["jane: it is needed (2027-01-31)"]
    assert [one["baselineState"] for one in results].count("absent") == 1


def test_a_path_is_a_code_flow() -> None:
    (one,) = [one for one in sarif(FULL)["results"] if "codeFlows" in one]
    assert len(one["codeFlows"][0]["threadFlows"][0]["locations"]) == 2


def test_what_was_not_evaluated_is_a_notification_and_no_result() -> None:
    (invocation,) = sarif(FULL)["invocations"]
    assert not invocation["executionSuccessful"]
    told = [one["message"]["text"] for one in invocation["toolExecutionNotifications"]]
    assert "Not evaluated: no command line" in told


@pytest.mark.parametrize(
    ("item", "expected"),
    [("a/b c.json", "a/b%20c.json"), ("/x/y.tar!z", "file:///x/y.tar!z"), ("C:x", "C%3Ax"), ("\ud800", "%3F")],
)
def test_names_of_items_are_uris(item: str, expected: str) -> None:
    assert uri(item) == expected


# -- HTML --------------------------------------------------------------------------------------------------------------


class _Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]


def page(made: PostureReport, language: Any = "en") -> tuple[str, _Page]:
    markup = FORMATS["html"](made, View(language)).decode()
    parsed = _Page()
    parsed.feed(markup)
    return markup, parsed


@pytest.mark.parametrize("made", ALL.values(), ids=ALL)
def test_the_page_is_self_contained_and_inert(made: PostureReport) -> None:
    _, parsed = page(made)
    assert parsed.tags.count("script") == 1
    assert parsed.tags.count("style") == 1
    assert not {"img", "iframe", "link", "object", "form", "base", "svg"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in {"src", "style"}]
    assert all((value or "").startswith("#") for name, value in parsed.attributes if name == "href")
    (policy,) = [value or "" for name, value in parsed.attributes if name == "content" and "-src" in (value or "")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert len(parsed.ids) == len(set(parsed.ids))
    links = {(value or "")[1:] for name, value in parsed.attributes if name == "href"}
    assert links <= set(parsed.ids)


def test_the_page_has_both_languages_and_draws_paths_and_machines() -> None:
    markup, _ = page(FULL, "zh")
    for one in (
        'lang="zh-Hans"', "7 项不合格：严重 4、高危 2、低危 1", "7 failed", 'class="hop from"', 'class="hop goal"',
        'class="side"', "凭据清单",
    ):  # fmt: skip
        assert one in markup


def test_a_page_of_a_place_without_line_or_file_is_drawn() -> None:
    made = report([(ANONYMOUS, [fail("a", where=(Where(object="Pod x/y"),)), other("pass", subject="b")])])
    assert "Pod x/y" in page(made)[0]


def test_every_check_of_a_run_is_in_the_json_form_with_its_frameworks() -> None:
    assert {one["id"] for one in json.loads(to_json(FULL))["checks"]} == {info.id for info in INFOS}
