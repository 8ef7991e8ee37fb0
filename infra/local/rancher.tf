# Rancher, the cluster's web UI, with cert-manager for its own certificate.

locals {
  rancher_bootstrap_password = (
    var.rancher_bootstrap_password == null
    ? terraform_data.rancher_bootstrap_password.output
    : var.rancher_bootstrap_password
  )
}

# Drawn once; a version 4 UUID carries 122 random bits.
resource "terraform_data" "rancher_bootstrap_password" {
  input = sensitive(uuid())

  lifecycle {
    ignore_changes = [input]
  }
}

resource "helm_release" "cert_manager" {
  name             = "cert-manager"
  repository       = "https://charts.jetstack.io"
  chart            = "cert-manager"
  version          = local.versions.cert-manager
  namespace        = "cert-manager"
  create_namespace = true
  wait             = true
  timeout          = 300

  values = [yamlencode({ crds = { enabled = true } })]

  depends_on = [null_resource.kubeconfig]
}

resource "helm_release" "rancher" {
  name             = "rancher"
  repository       = "https://releases.rancher.com/server-charts/stable"
  chart            = "rancher"
  version          = local.versions.rancher
  namespace        = "cattle-system"
  create_namespace = true
  wait             = true
  timeout          = 900
  # The hook that tidies up after Rancher takes minutes and is for clusters that live on; this one goes as a whole.
  disable_webhooks = true

  # Reached through the gateway, which passes TLS on, so Rancher's own Ingress is off.
  values = [sensitive(yamlencode({
    hostname          = local.hosts.rancher
    replicas          = 1
    bootstrapPassword = local.rancher_bootstrap_password
    ingress           = { enabled = false }
  }))]

  depends_on = [helm_release.cert_manager]
}
