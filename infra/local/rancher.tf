# Rancher, the cluster's web UI, with cert-manager for its own certificate.

locals {
  rancher_bootstrap_password = coalesce(var.rancher_bootstrap_password, random_password.rancher_bootstrap.result)
}

resource "random_password" "rancher_bootstrap" {
  length  = 24
  special = false
}

resource "helm_release" "cert_manager" {
  name             = "cert-manager"
  repository       = local.versions.cert-manager.source
  chart            = "cert-manager"
  version          = local.versions.cert-manager.version
  namespace        = "cert-manager"
  create_namespace = true
  wait             = true
  timeout          = 300

  values = [yamlencode({ crds = { enabled = true } })]

  depends_on = [null_resource.kubeconfig]

  # A new cluster is an empty one.
  lifecycle {
    replace_triggered_by = [null_resource.cluster.id]
  }
}

resource "helm_release" "rancher" {
  name             = "rancher"
  repository       = local.versions.rancher.source
  chart            = "rancher"
  version          = local.versions.rancher.version
  namespace        = "cattle-system"
  create_namespace = true
  wait             = true
  timeout          = 900

  # Reached through the gateway, which passes TLS on, so Rancher's own Ingress is off. The hook that tidies up after
  # Rancher takes minutes and is for clusters that live on; this one goes as a whole.
  values = [yamlencode({
    hostname   = local.rancher
    replicas   = 1
    ingress    = { enabled = false }
    postDelete = { enabled = false }
  })]

  # Not among the values: the provider shows those of a release in its plans.
  set_sensitive {
    name  = "bootstrapPassword"
    value = local.rancher_bootstrap_password
  }

  depends_on = [helm_release.cert_manager]

  # A new cluster is an empty one.
  lifecycle {
    replace_triggered_by = [null_resource.cluster.id]
  }
}
