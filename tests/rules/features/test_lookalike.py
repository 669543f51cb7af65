"""Claims about names that imitate components, and about honest names near them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubewitness.rules.features.lookalike import edit_distance
from tests.rules.features.events import event, read, request


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("kube-controller", "kube-controller-manager"),
        ("kube-proxyy", "kube-proxy"),
        ("kube-porxy", "kube-proxy"),
        ("kube-proxyd", "kube-proxy"),
        ("kube-pr0xy", "kube-proxy"),
        ("c0redns", "coredns"),
        ("c1lium", "cilium"),
        ("kube-apisever", "kube-apiserver"),
        ("kube-schedular", "kube-scheduler"),
        ("kubernetes-dashbord", "kubernetes-dashboard"),
    ],
)
def test_an_imitation_names_what_it_imitates(name: str, component: str) -> None:
    made = event(verb="create", objectRef={"resource": "daemonsets", "name": name})
    assert read("lookalike.name", made) == (component,)


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("daemonsets", "kube-proxy"),
        ("pods", "kube-proxy-x7k2p"),
        ("pods", "kube-apiserver-node-1"),
        ("pods", "etcd-0"),
        ("pods", "coredns-7db6d8ff4d-9vxqz"),
        ("deployments", "coredns2"),
        ("deployments", "metrics-server-vpa"),
        ("deployments", "certmanager"),
        ("deployments", "test-manager"),
        ("deployments", "kube-prometheus"),
        ("deployments", "web"),
        # Names of other objects are built from component names all day.
        ("leases", "kube-controller"),
        ("configmaps", "kube-proxyy"),
        ("clusterrolebindings", "kube-controller"),
    ],
)
def test_honest_names_imitate_nothing(resource: str, name: str) -> None:
    assert read("lookalike.name", event(verb="create", objectRef={"resource": resource, "name": name})) == ()


def test_the_pods_of_an_imitation_are_recognised_by_their_stem() -> None:
    assert read("lookalike.name", event(objectRef={"resource": "pods", "name": "kube-controller-x7k2p"})) == (
        "kube-controller-manager",
    )
    body = {"metadata": {"generateName": "kube-controller-"}, "spec": {"containers": []}}
    made = event(verb="create", objectRef={"resource": "pods"}, requestObject=body)
    assert read("lookalike.name", made) == ("kube-controller-manager",)


@pytest.mark.parametrize(
    ("image", "imitated"),
    [
        ("kubrnetesio/kube-controller:1.0.1", ("kubernetes",)),
        ("kubernetesio/kube-controller:v1", ("kubernetes",)),
        ("docker.io/calcio/node:v3", ("calico",)),
        ("evil/kube-controller:1", ("kube-controller-manager",)),
        ("registry.k8s.lo/pause:3.9", ("registry.k8s.io",)),
        ("registry.k8s.io/kube-proxy:v1.31.0", ()),
        ("k8s.gcr.io/kube-proxy:v1.20.0", ()),
        ("gcr.io/google_containers/pause", ()),
        ("registry.aliyuncs.com/google_containers/coredns:1.8", ()),
        ("docker.io/calico/node:v3.28", ()),
        ("rancher/mirrored-coredns-coredns:1.10", ()),
        ("bitnami/kube-state-metrics", ()),
        ("kindest/kindnetd:v20240202", ()),
        ("nginx", ()),
        # In a registry of one's own a name says nothing.
        ("harbor.example.com/kubernets/kube-proxyy", ()),
    ],
)
def test_an_imitated_image_is_told_from_real_ones(image: str, imitated: tuple[str, ...]) -> None:
    made = request("daemonsets", {"spec": {"template": {"spec": {"containers": [{"image": image}]}}}})
    assert read("lookalike.image", made) == imitated


@given(st.text("abc-", max_size=8), st.text("abc-", max_size=8), st.integers(0, 3))
@example("aaa--", "aaaaaaaa", 3)
def test_the_bounded_distance_is_the_distance_up_to_its_bound(one: str, other: str, limit: int) -> None:
    exact = edit_distance(one, other, 99)
    assert edit_distance(one, other, limit) == min(exact, limit + 1)
    assert exact == edit_distance(other, one, 99)
    assert (exact == 0) == (one == other)
