output "context" {
  description = "The cluster's context in the kubeconfig, merged and selected."
  value       = local.context
}

output "cluster_name" {
  description = "The name of the k3d cluster, for `k3d image import --cluster`."
  value       = var.cluster_name
}

output "urls" {
  description = "Where the ingress gateway answers, by host; an app's host once Flux or kubectl has applied deploy/apps."
  value = merge(
    { for host in local.http_hosts : host => "http://${host}:${var.http_port}" },
    { for host in local.https_hosts : host => "https://${host}:${var.https_port}" },
  )
}

output "rancher_bootstrap_password" {
  description = "Rancher's first password for the user admin."
  value       = local.rancher_bootstrap_password
  sensitive   = true
}

output "next" {
  description = "The commands to continue with, from the repository's root."
  value = [
    "./gw image build --context PATH-OF-GRAPHWIKI",
    "./gw image import",
    "./gw flux bootstrap",
  ]
}
