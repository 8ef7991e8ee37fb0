"""Rules of linters that a workload breaks on purpose, as annotations in the form that each linter reads."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exemption:
    """A reason, and the names of the rules that it is a reason for."""

    reason: str
    checkov: str = ""
    kube_score: str = ""


ONE_POD = Exemption("it has one pod", kube_score="deployment-replicas")
ONE_AT_A_TIME = Exemption("two pods at once would write to the same files", kube_score="deployment-strategy")
SPREAD = Exemption("topologySpreadConstraints spread the pods", kube_score="deployment-has-host-podantiaffinity")
SPREAD_SET = Exemption("topologySpreadConstraints spread the pods", kube_score="statefulset-has-host-podantiaffinity")
ASKED_ALIKE = Exemption(
    "one answer is for both questions and liveness waits three times as long",
    kube_score="pod-probes-identical",
)
IMPORTED = Exemption(
    "the image is imported into the nodes",
    checkov="CKV_K8S_15",
    kube_score="container-image-pull-policy",
)
UNMOVING = Exemption("what a digest names never changes", kube_score="container-image-pull-policy")
LATEST = Exemption("each build has this tag", checkov="CKV_K8S_14", kube_score="container-image-tag")
VARIABLE = Exemption("the program reads this secret as a variable", checkov="CKV_K8S_35")
NO_DIGEST = Exemption("a tag is enough in this environment", checkov="CKV_K8S_43")


def as_annotations(exemptions: Iterable[Exemption]) -> dict[str, str]:
    """The annotations of a workload.

    checkov numbers them and has the reason after `=`; kube-score has one list and overlooks what is no test, which is
    where the reasons stand.

    https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
    https://github.com/zegl/kube-score#ignoring-a-test
    """
    asked = list(exemptions)
    checkov = [f"{item.checkov}={item.reason}" for item in asked if item.checkov]
    kube_score = [f"{item.kube_score}, {item.reason}" for item in asked if item.kube_score]
    return {
        **{f"checkov.io/skip{number}": text for number, text in enumerate(checkov, 1)},
        **({"kube-score/ignore": ",\n".join(kube_score)} if kube_score else {}),
    }
