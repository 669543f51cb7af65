"""A policy made of the one before answers as one that is made anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.posture.rbac.evaluate import Policy, evaluate
from kubewitness.posture.rbac.nouns import Binding, Key
from tests.correlate.rbac.made_up import ask, binding, role, rule

_SUBJECTS = ("User eve", "Group staff", "ServiceAccount shop/web", "User jane")
_NAMES = ("a", "b", "c", "shop/a", "shop/b", "apps/a")
_ROLES = (role("r", rule("get", "pods")), role("s", rule("*", "secrets")))

bindings = st.builds(
    lambda name, to, subjects: binding(name, f"ClusterRole {to}", *subjects),
    st.sampled_from(_NAMES),
    st.sampled_from(("r", "s", "gone")),
    st.lists(st.sampled_from(_SUBJECTS), max_size=3),
)


@given(st.lists(bindings), st.lists(st.tuples(bindings, st.booleans(), st.booleans()), max_size=6))
def test_changes_of_bindings_one_after_another_end_in_the_same_policy(
    first: list[Binding], changes: list[tuple[Binding, bool, bool]]
) -> None:
    standing = {one.key: one for one in first}
    policy = Policy([*_ROLES, *standing.values()])
    doubts = set[Key]()
    for one, stays, known in changes:
        if stays:
            standing[one.key] = one
        else:
            standing.pop(one.key, None)
        (doubts.discard if known else doubts.add)(one.key)
        policy = policy.with_bindings({one.key: one if stays else None}, doubts)
        anew = Policy([*_ROLES, *standing.values()], doubts)
        assert policy.objects == anew.objects
        for user, groups in (("eve", ("staff",)), ("jane", ()), ("system:serviceaccount:shop:web", ())):
            for namespace in ("", "shop"):
                assert policy.bindings_for(user, groups, namespace) == anew.bindings_for(user, groups, namespace)
                for what in ("pods", "secrets"):
                    asked = ask("get", what, user=user, groups=groups, namespace=namespace)
                    assert evaluate(policy, asked) == evaluate(anew, asked)
