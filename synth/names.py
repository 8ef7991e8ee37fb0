"""The forms of names: of objects, ports, variables and images, and of a duration."""

import re

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_LENGTH = 63
"""How many characters the part of a host name may have, and the value of a label."""
SUBDOMAIN = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")
SUBDOMAIN_LENGTH = 253

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")

# Of a Service, which was a name in DNS before names could begin with a digit.
SERVICE_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# Of a ConfigMap's or a Secret's data, which become the names of files.
DATA_KEY = re.compile(r"(?!\.\.)(?!\.$)[-._A-Za-z0-9]{1,253}")

# https://github.com/distribution/reference: host and path, a tag, a digest.
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
IMAGE = re.compile(
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    rf"(:{TAG.pattern})?(@{DIGEST.pattern})?"
)
VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
# How a port of a pod is named: https://www.rfc-editor.org/rfc/rfc6335#section-5.1
SERVICE_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
# As Flux, Istio and cert-manager read them: https://pkg.go.dev/time#ParseDuration
DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
