"""The HTML report: one inert, self-contained, complete file in both languages, whatever the evidence holds."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser

import msgspec
import pytest
from msgspec.structs import replace

from kubewitness.model.text import Language, Text
from kubewitness.report.document import Document, to_json
from kubewitness.report.html.page import render
from kubewitness.report.html.views import MOST_CHARACTERS, MOST_ORIGINALS
from kubewitness.report.html.words import KINDS, WORDS
from tests.report.sample import HOSTILE, SAMPLES, hostile, many_steps, rbac_buster, two_incidents
from tests.report.sample_steps import cited

VOID = {"meta", "input", "br", "link", "img", "hr", "col", "source"}
EVERY = [(name, language) for name in SAMPLES for language in ("en", "zh")]


class Page(HTMLParser):
    """The page as a browser sees it: elements with attributes, text with its ancestors, and nesting errors."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.texts: list[tuple[str, tuple[str, ...]]] = []
        self.errors: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if len(values) != len(attrs):
            self.errors.append(f"attribute twice in <{tag}> line {self.getpos()[0]}")
        self.elements.append((tag, values, tuple(self.open)))
        if tag not in VOID:
            classes = values.get("class", "").split()
            mark = ".en" if "en" in classes else ".zh" if "zh" in classes else ""
            self.open.append(tag + mark)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].split(".")[0] != tag:
            self.errors.append(f"</{tag}> closes {self.open[-1:]} line {self.getpos()[0]}")
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((data, tuple(self.open)))


@cache
def page(name: str, language: Language) -> tuple[str, Page]:
    html = render(SAMPLES[name](), language)
    return html, Page(html)


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_the_page_is_well_formed_and_every_link_leads_somewhere(name: str, language: Language) -> None:
    _, seen = page(name, language)
    assert seen.errors == []
    assert seen.open == []
    ids = Counter(a["id"] for _, a, _ in seen.elements if "id" in a)
    assert [i for i, n in ids.items() if n > 1] == []
    targets = {a["href"] for tag, a, _ in seen.elements if tag == "a"}
    assert {t for t in targets if not t.startswith("#") or t[1:] not in ids} == set()
    assert not any(tag == "a" and "a" in inside for tag, _, inside in seen.elements)


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_nothing_is_loaded_and_only_our_own_style_and_script_are_allowed(name: str, language: Language) -> None:
    html, seen = page(name, language)
    tags = Counter(tag for tag, _, _ in seen.elements)
    assert tags["script"] == tags["style"] == tags["title"] - html.count("<title>", html.index("</head>")) == 1
    assert not tags.keys() & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "video",
        "audio",
        "image",
        "use",
    }
    for _, attributes, _ in seen.elements:
        assert not {
            k for k in attributes if k.startswith("on") or k in ("style", "src", "srcset", "xlink:href", "action")
        }
    policy = next(a["content"] for _, a, _ in seen.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        body = next(text for text, inside in seen.texts if inside and inside[-1] == tag)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert "url(" not in body
        assert "@import" not in body


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_evidence_is_shown_and_does_nothing(language: Language) -> None:
    html, seen = page("hostile", language)
    html.encode("utf-8")
    assert not any(
        0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 or (ord(c) < 32 and c != "\n") for c in html
    )
    assert "<script>alert" not in html
    assert "onerror=alert(2)&gt;⟨U+001B⟩[31m⟨U+202E⟩gnp.exe" in html
    assert any(HOSTILE[:25] in text for text, inside in seen.texts if inside[-1] == "h1")
    assert "49" not in "".join(text for text, inside in seen.texts if inside[-1] == "h1")  # {{7*7}} is no template


def test_every_attribute_of_a_hostile_page_is_one_the_templates_write() -> None:
    """A value that broke out of its quotes would bring attributes or elements of its own."""
    names = {name for sample in ("rbac_buster", "two_incidents", "many_steps") for name in _names(sample)}
    assert _names("hostile") <= names


def _names(sample: str) -> set[str]:
    _, seen = page(sample, "en")
    return {f"{tag} {key}" for tag, attributes, _ in seen.elements for key in ("", *attributes)}


@pytest.mark.parametrize("name", ["rbac_buster", "two_incidents", "many_steps"])
def test_every_step_stands_in_the_list_with_its_citations(name: str) -> None:
    html, _ = page(name, "en")
    for index, incident in enumerate(SAMPLES[name]().incidents, 1):
        for step in incident.steps:
            start = html.index(f'<li id="i{index}s{step.number}"')
            row = html[start : html.index("</details></li>", start)]
            assert step.description.en.replace("`", "")[:12] in re.sub(r"</?code>", "", row)
            first = step.evidence[0]
            assert first.audit_id in row
            assert f"{first.line:,}" in row
            assert f"{first.offset:,}" in row
            assert '<pre class="json"' in row
            assert row.count('class="cite"') == min(len(step.evidence), 12)


def test_decisive_fields_are_marked_in_the_original_and_others_are_not() -> None:
    html, _ = page("rbac_buster", "en")
    start = html.index('<li id="i1s9"')
    row = html[start : html.index("</details></li>", start)]
    marked = re.findall(r"<mark>(.*?)</mark>", row)
    assert "  &#34;verb&#34;: &#34;delete&#34;," in marked
    assert any("authorization.k8s.io/reason" in line for line in marked)
    assert not any("auditID" in line or "stageTimestamp" in line for line in marked)


def test_the_root_cause_is_named_in_the_authorizers_own_words() -> None:
    html, seen = page("rbac_buster", "en")
    quoted = "".join(text for text, inside in seen.texts if "blockquote" in inside)
    assert quoted.startswith('RBAC: allowed by ClusterRoleBinding "cluster-system-anonymous"')
    assert '(<a href="#i1s9">' in html[: html.index('id="i1chain"')]


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_no_english_text_without_its_chinese_and_the_other_way_round(name: str, language: Language) -> None:
    _, seen = page(name, language)
    marked = [
        (a["class"].split(), inside) for _, a, inside in seen.elements if {"en", "zh"} & set(a.get("class", "").split())
    ]
    pairs = list(zip(marked[::2], marked[1::2], strict=True))
    assert all("en" in one[0] and "zh" in other[0] and one[1] == other[1] for one, other in pairs)
    named = [a for _, a, _ in seen.elements if "aria-label" in a]
    assert all(a["data-en"] and a["data-zh"] for a in named)
    assert all(a["aria-label"] == a[f"data-{language}"] for a in named)
    assert all(a["data-z"] for _, a, _ in seen.elements if "data-l" in a)
    radios = {a["value"]: "checked" in a for tag, a, _ in seen.elements if tag == "input" and a.get("name") == "lang"}
    assert radios == {"en": language == "en", "zh": language == "zh"}


@pytest.mark.parametrize("name", [n for n in SAMPLES if n != "hostile"])
def test_words_outside_the_two_languages_come_from_the_document(name: str) -> None:
    """A label written straight into a template would be English only."""
    _, seen = page(name, "en")
    known = set(re.findall(r"[A-Za-z]{3,}", to_json(SAMPLES[name]()).decode() + " ".join(KINDS.values())))
    known |= {
        "Kubewitness",
        "English",
        "UTC",
        "kubewitness",
        "sha",
        "sed",
        "zcat",
        "gzip",
        "KiB",
        "MiB",
        "authorization",
    }
    for text, inside in seen.texts:
        if any(part.endswith((".en", ".zh")) for part in inside) or inside[-1] in ("style", "script", "title"):
            continue
        new = set(re.findall(r"[A-Za-z]{3,}", text)) - known
        assert not {word for word in new if not any(k.startswith(word) or k.endswith(word) for k in known)}, text


def test_every_label_has_both_languages_and_the_same_placeholders() -> None:
    for key, text in WORDS.items():
        assert text.en, key
        assert text.zh, key
        wanted, given = (set(re.findall(r"\{(\w+)\}", words)) for words in (text.en, text.zh))
        assert given == wanted or given - wanted == {"n"}, key
        if not text.zh.isascii():
            assert not re.search(r"[\u4e00-\u9fff][,;:?!]", text.zh), f"{key}: half-width mark in Chinese"


def test_the_same_document_gives_the_same_bytes() -> None:
    assert render(rbac_buster(), "en") == page("rbac_buster", "en")[0]


def test_no_incident_says_what_was_looked_at_and_never_that_all_is_well() -> None:
    html, seen = page("without_incident", "en")
    heading = "".join(text for text, inside in seen.texts if "h1" in inside and ".en" in inside[-1])
    assert heading == "No intrusion found in what was looked at"
    assert "412,906 events" in html
    assert not re.search(r"\b(clean|secure|healthy)\b", html[html.index("<body>") :], re.IGNORECASE)


def test_an_unread_log_is_not_reported_as_free_of_anything() -> None:
    _, seen = page("empty", "en")
    words = " ".join(text for text, _ in seen.texts)
    assert "Nothing could be judged" in words
    assert "No intrusion found" not in words
    assert "No silence" not in words
    assert "No other finding" not in words


def test_several_incidents_are_listed_first_and_each_has_its_own_section() -> None:
    html, seen = page("two_incidents", "en")
    assert sum(tag == "h1" for tag, _, _ in seen.elements) == 1
    assert html.index('class="inclist"') < html.index('<article id="i1"') < html.index('<article id="i2"')
    assert "no shared address" in html


def test_incidents_with_something_in_common_do_not_claim_to_have_nothing() -> None:
    document = two_incidents()
    same = msgspec.structs.replace(document.incidents[1], actors=document.incidents[0].actors)
    html = render(msgspec.structs.replace(document, incidents=(document.incidents[0], same)), "en")
    assert "no shared address" not in html
    assert "they have in common: 203.0.113.77" in html


def test_unreadable_evidence_is_announced_at_the_top() -> None:
    html, _ = page("rbac_buster", "en")
    assert html.index("Some evidence could not be read") < html.index('id="i1cause"')
    assert "Some evidence could not be read" not in page("without_incident", "en")[0]


def test_thousands_of_cited_records_embed_only_some_originals_and_all_is_folded() -> None:
    document = rbac_buster()
    incident = document.incidents[0]
    steps = tuple(
        msgspec.structs.replace(
            step,
            evidence=tuple(
                cited(10_000 * step.number + i, "17:30:24.602", "get", step.objects[0], step.identity, "curl/7", 200)
                for i in range(420)
            ),
        )
        for step in incident.steps
    )
    html = render(_with_steps(document, steps), "en")
    assert html.count('<pre class="json"') <= MOST_ORIGINALS
    assert len(html) < MOST_CHARACTERS
    assert not re.search(r"<details[^>]* open", html)
    assert "sed -n" in html  # how to read the others


def _with_steps(document: Document, steps: tuple[object, ...]) -> Document:
    incident = msgspec.structs.replace(document.incidents[0], steps=steps)
    return msgspec.structs.replace(document, incidents=(incident,))


def test_one_huge_original_is_cut_and_the_cut_is_told() -> None:
    document = rbac_buster()
    step = document.incidents[0].steps[0]
    huge = msgspec.structs.replace(step.evidence[0], original='{"a":"' + "x" * 5_000_000 + '"}')
    html = render(_with_steps(document, (msgspec.structs.replace(step, evidence=(huge,)),)), "en")
    assert len(html) < 400_000
    assert "more line of this event in the evidence" in html


def test_what_is_to_be_rotated_is_counted_once() -> None:
    document = rbac_buster()
    (incident,) = document.incidents
    assert incident.secrets
    told = replace(incident, status=((Text("Credentials", "凭据"), Text("3 to rotate", "3 项需轮换")),))
    for one, tiles in ((told, 0), (replace(incident, status=()), 1)):
        html = render(replace(document, incidents=(one,)), "en")
        assert html.count(f'<dt><span class="en">{WORDS["to_rotate"].en}<') == tiles


def test_a_credential_is_not_said_to_have_been_made_or_deleted_but_a_binding_is() -> None:
    document = rbac_buster()
    (incident,) = document.incidents
    for kind, rows in (("Credential", 0), ("ClusterRoleBinding", 1)):
        cause = replace(incident.root_causes[0], kind=kind)
        html = render(replace(document, incidents=(replace(incident, root_causes=(cause,)),)), "en")
        section = html[html.index('id="i1cause"') : html.index('id="i1chain"')]
        assert section.count(f'<dt><span class="en">{WORDS["created"].en}<') == rows
        assert section.count(f'<dt><span class="en">{WORDS["deleted"].en}<') == rows
        assert section.count(f'<dt><span class="en">{WORDS["used"].en}<') == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_confidence_beside_an_incident_says_that_it_is_of_the_attribution(language: Language) -> None:
    html, _ = page("rbac_buster", language)
    lead = html[html.index('class="sev"') : html.index("<h1>")]
    assert WORDS["attributed_high"].in_(language) in lead
    assert {"en": "attributed with high confidence", "zh": "归因置信度高"}[language] in lead


def test_samples_are_worth_testing() -> None:
    assert len(many_steps().incidents[0].steps) == 60
    assert "<script>" in hostile().incidents[0].title.en
