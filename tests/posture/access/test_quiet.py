"""What nobody touched gives no failure at all; what ordinary platforms make gives none above low."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.model.judgement import SEVERITIES
from kubewitness.posture.access.checks import CHECKS
from kubewitness.posture.bootstrap.known import known
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import Snapshot, run
from kubewitness.sources.kube_cluster import read_cluster
from tests.corpus import CORPUS
from tests.posture.access.cluster import account, binding, cluster, made, namespace, pod, role

RECORDED = Path(__file__).parents[3] / "scenarios/recorded"
DEFAULTS = (CORPUS or Path()).parent / "rbac_defaults"


def failures(of: Snapshot) -> list[str]:
    return [
        f"{one.severity} {one.check} {one.subject} {one.aspect} {one.observed.en}"
        for one in run(CHECKS, catalogue(), of)
        if one.status == "fail"
    ]


@pytest.mark.parametrize("minor", known().minors)
def test_an_untouched_cluster_of_any_version_has_no_failure(minor: int) -> None:
    running = [account("kube-system/coredns"), account("default/default"), pod("default/web"), namespace("default")]
    of = cluster(*running, version=f"v1.{minor}.3")
    assert failures(of) == []
    assert not any(one.status == "not_evaluated" for one in run(CHECKS, catalogue(), of))


@pytest.mark.parametrize("minor", [16, 20, 28, 34])
def test_of_an_unknown_version_too(minor: int) -> None:
    of = cluster(version=f"v1.{minor}.0")
    assert of.cluster
    of.cluster.version = ""
    assert failures(of) == []


@pytest.mark.skipif(not DEFAULTS.is_dir(), reason="no published defaults here")
@pytest.mark.parametrize(
    ("folder", "version"),
    [
        ("v1.8-alpha3_2017-08-28", "v1.8.0"),
        ("v1.12-beta_2018-09-07", "v1.12.0"),
        ("v1.14.10_fork", "v1.14.10"),
        ("v1.19.1_fork", "v1.19.1"),
        ("v1.21-beta1_fork", "v1.21.0"),
        ("v1.28.0_fork", "v1.28.0"),
    ],
)
def test_published_defaults_of_other_patch_releases_have_no_failure(folder: str, version: str) -> None:
    found = read_cluster(list(walk([str(DEFAULTS / folder)], None, ()))).cluster
    assert found
    found.version = version
    assert failures(Snapshot(found)) == []


@pytest.mark.parametrize(
    ("recording", "version"),
    [
        ("anonymous_cluster_admin/evidence/control-plane/rbac-before", "v1.34.4"),
        ("anonymous_cluster_admin_1_20/evidence/control-plane/rbac-before", "v1.20.2"),
    ],
)
def test_a_real_cluster_before_anybody_came_has_no_failure(recording: str, version: str) -> None:
    document = json.loads(gzip.decompress((RECORDED / f"{recording}.json.gz").read_bytes()))
    objects: list[dict[str, Any]] = [
        {"apiVersion": one["apiVersion"], "kind": one["kind"].removesuffix("List"), **item}
        for one in (document if isinstance(document, list) else [document])
        for item in one["items"]
    ]
    assert len(objects) > 100
    assert failures(cluster(*objects, version=version, start=())) == []


CERTIFICATES = "certificates.k8s.io"
INFO = "kubeadm:bootstrap-signer-clusterinfo"
PLATFORMS = {
    "kubeadm": (
        binding("kubeadm:cluster-admins", "cluster-admin", "Group kubeadm:cluster-admins"),
        role(INFO, ("get", "", "configmaps", "cluster-info"), namespace="kube-public"),
        binding(INFO, f"Role {INFO}", "User system:anonymous", namespace="kube-public"),
        binding("kubeadm:node-proxier", "system:node-proxier", "ServiceAccount kube-system/kube-proxy"),
        account("kube-system/kube-proxy"),
        pod("kube-system/kube-proxy", "kube-proxy"),
    ),
    "K3s": (
        role("local-path-provisioner-role", ("*", "", "pods"), ("create delete get", "", "persistentvolumes")),
        binding("local-path", "local-path-provisioner-role", "ServiceAccount kube-system/local-path"),
        binding("helm-kube-system-traefik", "cluster-admin", "ServiceAccount kube-system/helm-kube-system-traefik"),
        account("kube-system/local-path"),
        account("kube-system/helm-kube-system-traefik"),
        pod("kube-system/local-path", "local-path"),
    ),
    "EKS until 1.24": (
        role("eks:psp", ("use", "policy", "podsecuritypolicies", "eks.privileged")),
        binding("eks:podsecuritypolicy:authenticated", "eks:psp", "Group system:authenticated"),
        role("eks:node-manager", ("get list watch delete", "", "nodes"), ("create", "", "serviceaccounts/token")),
        binding("eks:node-manager", "eks:node-manager", "User eks:node-manager"),
    ),
    "OpenShift": (
        made("ClusterVersion", "version", version="config.openshift.io/v1"),
        role("basic-user", ("get", "user.openshift.io", "users"), ("list", "project.openshift.io", "projects")),
        binding("basic-users", "basic-user", "Group system:authenticated"),
        role("system:build-strategy-docker", ("create", "build.openshift.io", "builds/docker")),
        binding("system:build-strategy-docker-binding", "system:build-strategy-docker", "Group system:authenticated"),
        role("system:image-puller", ("get", "image.openshift.io", "imagestreams/layers")),
        binding("system:image-pullers", "system:image-puller", "Group system:serviceaccounts:shop", namespace="shop"),
        binding("cluster-admins", "cluster-admin", "Group system:cluster-admins"),
        role("cluster-version-operator", ("*", "*", "*")),
        binding("cvo", "cluster-version-operator", "ServiceAccount openshift-cluster-version/default"),
        account("openshift-cluster-version/default"),
        binding("builders", "edit", "ServiceAccount shop/builder", namespace="shop"),
        account("shop/builder"),
        pod("shop/web", "builder"),
        namespace("shop"),
    ),
    "GKE": (
        role("gce:kubelet-bootstrap", ("create", CERTIFICATES, "certificatesigningrequests/nodeclient")),
        binding("gce:kubelet-bootstrap", "gce:kubelet-bootstrap", "User kubelet"),
        role("system:controller:glbc", ("get list watch update", "", "services")),
        binding("system:controller:glbc", "system:controller:glbc", "User system:controller:glbc"),
        binding("kubelet-cluster-admin", "system:node", "User kubelet"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_ordinary_platforms_make_gives_no_failure_above_low(platform: str) -> None:
    of = cluster(*PLATFORMS[platform])
    loud = [one for one in failures(of) if one.partition(" ")[0] in SEVERITIES[2:]]
    assert loud == []


def test_kubeadms_own_grants_give_no_failure_at_all() -> None:
    assert failures(cluster(*PLATFORMS["kubeadm"])) == []


def test_without_roles_nothing_passes() -> None:
    of = cluster(start=[binding("x", "view", "User eve")], whole=())
    told = {one.check: one.status for one in run(CHECKS, catalogue(), of)}
    assert set(told.values()) == {"not_evaluated"}
    assert len(told) == len(CHECKS)
