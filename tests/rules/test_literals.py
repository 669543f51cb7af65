"""A condition that an event meets is never put aside for a missing literal; one that lacks its literals is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.rules.compile import Reader
from kubewitness.rules.ir import AllOf, AnyOf, Negate, Node, Predicate
from kubewitness.rules.literals import Prefilter
from tests.rules.naive import matches

# Few characters, so that values meet conditions; some change their length or their kind when they become lower case.
TEXTS = st.text(alphabet="abAB*?\\ /İKΣé\n", max_size=7)
PREDICATES = st.builds(
    Predicate,
    st.sampled_from(["Image", "CommandLine"]),
    st.sampled_from(["eq", "contains", "startswith", "endswith", "wildcard"]),
    TEXTS,
    st.booleans(),
)
CONDITIONS: st.SearchStrategy[Node] = st.recursive(
    PREDICATES | st.builds(Predicate, st.just("Image"), st.just("exists"), st.booleans()),
    lambda inner: st.one_of(
        st.builds(Negate, inner),
        st.builds(AllOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
READ: Reader = lambda field: lambda values: (values[field],) if field in values else ()  # noqa: E731


@settings(max_examples=400)
@given(
    st.lists(CONDITIONS, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["Image", "CommandLine"]), TEXTS | st.text(max_size=5)),
)
def test_what_matches_is_never_put_aside(conditions: list[Node], values: dict[str, str]) -> None:
    prefilter = Prefilter(conditions)
    first = prefilter.possible(values.values())
    for number, condition in enumerate(conditions):
        if matches(condition, values, READ):
            assert first >> number & 1
    assert prefilter.possible(values.values()) == first, "the second time is remembered"


def contains(text: str) -> Predicate:
    return Predicate("CommandLine", "contains", text)


def test_every_group_must_have_a_literal() -> None:
    prefilter = Prefilter([AllOf((contains("Curl"), AnyOf((contains("/etc/passwd"), contains("/etc/shadow")))))])
    assert prefilter.possible(["curl -F", "file=/etc/SHADOW"]) == 1
    assert prefilter.possible(["curl -F"]) == 0
    assert prefilter.possible(["cat /etc/passwd"]) == 0


def test_what_many_conditions_name_does_not_decide() -> None:
    """Else every rule about EXECVE would be run on every EXECVE."""
    kind = Predicate("type", "eq", "EXECVE")
    alike = [AnyOf((AllOf((kind, contains(f"word{n}"))), AllOf((kind, contains(f"verb{n}"))))) for n in range(5)]
    prefilter = Prefilter(alike)
    assert prefilter.possible(["EXECVE", "ls"]) == 0
    assert prefilter.possible(["EXECVE", "verb3"]) == 1 << 3


def test_a_condition_without_literals_is_always_possible() -> None:
    expression = Predicate("CommandLine", "re", "^a", cased=True)
    assert Prefilter([expression, Negate(contains("a")), contains("")]).possible([]) == 0b111
