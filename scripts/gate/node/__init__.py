"""A Kubernetes node of one's own, with its control plane, in namespaces that end with it."""
