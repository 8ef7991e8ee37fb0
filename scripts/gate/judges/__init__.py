"""The judges of `make verify`: what each looks at, and the tools that it needs."""

from scripts.gate.judges.admission import kubernetes
from scripts.gate.judges.judging import Judge
from scripts.gate.judges.linters import checkov, kube_score
from scripts.gate.judges.sources import actionlint, hadolint, opentofu, shellcheck, yamllint, zizmor
from scripts.gate.judges.trees import istioctl, kubeconform, kustomize

JUDGES = {
    judge.name: judge
    for judge in (
        Judge("kubernetes", "what an API server takes, anew and in place, and its pods", kubernetes, ("kubernetes",)),
        Judge("checkov", "every object, infra/, containers/ and .github/", checkov, ("checkov",)),
        Judge("kustomize", "every folder builds to exactly what was rendered", kustomize, ("kustomize",)),
        Judge("kubeconform", "every object against its schema", kubeconform, ("kubeconform", "kustomize")),
        Judge("istioctl", "each environment's mesh", istioctl, ("istioctl", "kustomize")),
        Judge("kube-score", "every object", kube_score, ("kube-score",)),
        Judge("opentofu", "infra/: shape and types", opentofu, ("tofu",)),
        Judge("hadolint", "containers/", hadolint, ("hadolint",)),
        Judge("shellcheck", "shell scripts", shellcheck, ("shellcheck",)),
        Judge("actionlint", "workflows", actionlint, ("actionlint", "shellcheck")),
        Judge("zizmor", "workflows: what an attacker could use", zizmor, ("zizmor",)),
        Judge("yamllint", "YAML that people write", yamllint, ("yamllint",)),
    )
}
