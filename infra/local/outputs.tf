output "context" {
  description = "The cluster's context in the kubeconfig, merged and selected."
  value       = local.context
}

output "cluster_name" {
  description = "The name of the k3d cluster, for `k3d image import --cluster`."
  value       = var.cluster_name
}

output "urls" {
  description = "Where the ingress gateway answers; the wiki and the test app once Flux or kubectl has applied deploy/apps."
  value = {
    rancher = "https://${local.hosts.rancher}:${var.https_port}"
    wiki    = "http://${local.hosts.wiki}:${var.http_port}"
    test    = "http://${local.hosts.test}:${var.http_port}"
  }
}

output "rancher_bootstrap_password" {
  description = "Rancher's first password for the user admin."
  value       = local.rancher_bootstrap_password
  sensitive   = true
}

output "next" {
  description = "The commands to continue with, from the repository's root."
  value = [
    ".venv/bin/python -m scripts image build --context PATH-OF-GRAPHWIKI",
    ".venv/bin/python -m scripts image import",
    ".venv/bin/python -m scripts flux bootstrap",
  ]
}
