"""Rules of the field's linters that an app breaks on purpose, as annotations in each linter's own form."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exemption:
    """A reason, and the names of the rules that it is a reason for."""

    reason: str
    checkov: str = ""
    kube_linter: str = ""
    kube_score: str = ""
    polaris: str = ""


SEVERAL_POLICIES = Exemption(
    "each policy is for one way, and this rule wants one for all",
    polaris="missingNetworkPolicy",
)
ONE_NAME = Exemption(
    "an app is there once in a cluster",
    polaris="metadataAndInstanceMismatched",
)
UNSPREAD = Exemption("one pod is on one node", polaris="topologySpreadConstraint")
AUTOSCALED = Exemption(
    "the autoscaler has the number",
    kube_linter="minimum-three-replicas",
    polaris="deploymentMissingReplicas",
)
TWO_AT_LEAST = Exemption("two pods are enough to go on with one", kube_linter="hpa-minimum-three-replicas")
ONE_POD = Exemption(
    "it has one pod",
    kube_linter="minimum-three-replicas",
    kube_score="deployment-replicas",
    polaris="deploymentMissingReplicas",
)
ONE_AT_A_TIME = Exemption(
    "two pods at once would write to the same files",
    kube_linter="no-rolling-update-strategy",
    kube_score="deployment-strategy",
)
SPREAD = Exemption(
    "topologySpreadConstraints spread the pods",
    kube_linter="no-anti-affinity",
    kube_score="deployment-has-host-podantiaffinity",
)
ONE_PAGE = Exemption(
    "one page answers both questions and liveness waits three times as long",
    kube_score="pod-probes-identical",
)
IMPORTED = Exemption(
    "the image is imported into the nodes",
    checkov="CKV_K8S_15",
    kube_score="container-image-pull-policy",
    polaris="pullPolicyNotAlways",
)
UNMOVING = Exemption(
    "what a digest names never changes",
    kube_score="container-image-pull-policy",
    polaris="pullPolicyNotAlways",
)
LATEST = Exemption(
    "each build has this tag",
    checkov="CKV_K8S_14",
    kube_linter="latest-tag",
    kube_score="container-image-tag",
    polaris="tagNotSpecified",
)
NO_DIGEST = Exemption("a tag is enough in this environment", checkov="CKV_K8S_43")


def as_annotations(exemptions: Iterable[Exemption]) -> dict[str, str]:
    """The annotations of a Deployment.

    checkov numbers them and has the reason after `=`; kube-linter has a key for each, with the reason as its value;
    kube-score has one list and overlooks what is no test, which is where the reasons stand; Polaris takes but `true`.

    https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
    https://github.com/stackrox/kube-linter/blob/main/docs/configuring-kubelinter.md
    https://github.com/zegl/kube-score#ignoring-a-test
    https://polaris.docs.fairwinds.com/customization/exemptions/
    """
    asked = list(exemptions)
    checkov = [f"{item.checkov}={item.reason}" for item in asked if item.checkov]
    kube_score = [f"{item.kube_score}, {item.reason}" for item in asked if item.kube_score]
    return {
        **{f"checkov.io/skip{number}": text for number, text in enumerate(checkov, 1)},
        **{f"ignore-check.kube-linter.io/{item.kube_linter}": item.reason for item in asked if item.kube_linter},
        **({"kube-score/ignore": ",\n".join(kube_score)} if kube_score else {}),
        **{f"polaris.fairwinds.com/{item.polaris}-exempt": "true" for item in asked if item.polaris},
    }
