"""Rules for labels and annotations: their form, and the values of those that other programs read."""

from collections.abc import Iterator

from synth.manifest import Document
from synth.names import KEY, LABEL_LENGTH, LABEL_VALUE

# What cdk8s adds to its objects by itself.
MADE_UP_LABEL = "cdk8s.io/metadata.addr"

ENABLED = ("enabled", "disabled")
STANDARDS = ("privileged", "baseline", "restricted")
# Any other value has no effect, and nothing reports it.
# https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy
# https://kubernetes.io/docs/concepts/security/pod-security-admission/#pod-security-admission-labels-for-namespaces
# https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
KNOWN_VALUES = {
    "istio-injection": ENABLED,
    "sidecar.istio.io/inject": ("true", "false"),
    **{f"pod-security.kubernetes.io/{mode}": STANDARDS for mode in ("enforce", "audit", "warn")},
    **{f"kustomize.toolkit.fluxcd.io/{field}": ENABLED for field in ("prune", "reconcile", "force")},
    "kustomize.toolkit.fluxcd.io/ssa": ("Override", "Merge", "IfNotPresent", "Ignore"),
}

LEFT_ALONE = {"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "kustomize.toolkit.fluxcd.io/ssa": "Ignore"}
"""By what Flux passes over an object: meant for one in the cluster, by hand and for a while."""

# https://istio.io/latest/docs/reference/config/annotations/ and labels/
OF_PODS = {
    "sidecar.istio.io/": """
    agentLogLevel bootstrapOverride componentLogLevel discoveryAddress extraStatTags inject interceptionMode logLevel
    nativeSidecar proxyCPU proxyCPULimit proxyImage proxyImageType proxyMemory proxyMemoryLimit rewriteAppHTTPProbers
    statsCompression statsEvictionInterval statsFlushInterval statsHistogramBins statsHistogramBuckets
    statsInclusionPrefixes statsInclusionRegexps statsInclusionSuffixes status userVolume userVolumeMount
    """,
    "traffic.sidecar.istio.io/": """
    excludeInboundPorts excludeInterfaces excludeOutboundIPRanges excludeOutboundPorts includeInboundPorts
    includeOutboundIPRanges includeOutboundPorts kubevirtInterfaces
    """,
    "readiness.status.sidecar.istio.io/": "applicationPorts failureThreshold initialDelaySeconds periodSeconds",
    "status.sidecar.istio.io/": "port",
    "proxy.istio.io/": "config overrides",
    "prometheus.istio.io/": "merge-metrics",
}
"""What Istio reads of pods, by what their keys begin with."""


def check_metadata(mapping: Document, path: str) -> Iterator[str]:
    """What is wrong with the labels and annotations of one mapping of an object, each as the end of a sentence."""
    for field in ("labels", "matchLabels", "annotations"):
        texts = mapping.get(field)
        for key, text in texts.items() if isinstance(texts, dict) else ():
            here = f"{path}.{field}[{key}]" if path else f"{field}[{key}]"
            if not KEY.fullmatch(key):
                yield (
                    f"has {here}, which is not a key: use letters, digits, -, _ and ., with a letter or digit at both "
                    "ends, as in app or example.com/app"
                )
            elif not isinstance(text, str):
                kind = "an annotation" if field == "annotations" else "a label"
                yield f"has {here} {text!r}: {kind} is text, put it in quotes"
            elif text == LEFT_ALONE.get(key):
                yield (
                    f"has {here} {text!r}, so that Flux never applies it, and Git says what no cluster has: leave it "
                    "out, and `flux suspend` its Kustomization to hold back a change"
                )
            elif key in KNOWN_VALUES and text not in KNOWN_VALUES[key]:
                yield f"has {here} {text!r}, which has no effect: there are {', '.join(KNOWN_VALUES[key])}"
            elif known := _known_instead(key):
                yield f"has {here}, which Istio does not know: there are {', '.join(known)}"
            elif field != "annotations":
                yield from _check_label(here, key, text)


def _known_instead(key: str) -> list[str]:
    """What Istio knows of pods behind the prefix of a key, where it does not know the key."""
    prefix, _, name = key.partition("/")
    known = sorted(OF_PODS.get(f"{prefix}/", "").split())
    return [] if name in known else known


def _check_label(here: str, key: str, text: str) -> Iterator[str]:
    if key == MADE_UP_LABEL:
        yield f"has {here}, which cdk8s made up: select pods by labels of their own"
    elif len(text) > LABEL_LENGTH:
        yield f"has {here} of {len(text)} characters: a label value has at most {LABEL_LENGTH}"
    elif not LABEL_VALUE.fullmatch(text):
        yield (
            f"has {here} {text!r}: a label value is of letters, digits, -, _ and ., with a letter or digit at both ends"
        )
