# The k3d cluster, through the k3d CLI: docs/adr/001-k3d-through-terraform-and-the-cli.md.

locals {
  context    = "k3d-${var.cluster_name}"
  kubeconfig = abspath("${path.module}/kubeconfig-${var.cluster_name}")
  mark       = abspath("${path.module}/.making-${var.cluster_name}")
  servers    = 1
  agents     = 2

  # Hosts are decided in charts/; the routes that the charts make are where to read them.
  deploy = "${path.module}/../../deploy"
  routes = [
    for file in sort(concat([for folder in ["platform", "apps"] : tolist(fileset(local.deploy, "${folder}/**/virtualservice*.yaml"))]...)) :
    yamldecode(file("${local.deploy}/${file}")).spec
  ]
  http_hosts  = distinct(flatten([for route in local.routes : route.hosts if can(route.http)]))
  https_hosts = distinct(flatten([for route in local.routes : route.hosts if can(route.tls)]))
  rancher     = yamldecode(file("${local.deploy}/platform/rancher/virtualservice.yaml")).spec.hosts[0]
}

resource "null_resource" "cluster" {
  # All that defines the cluster: a change of any of it makes a new one.
  triggers = {
    name       = var.cluster_name
    k3s_image  = "rancher/k3s:${local.versions.k3s.version}"
    servers    = local.servers
    agents     = local.agents
    http_port  = var.http_port
    https_port = var.https_port
  }

  provisioner "local-exec" {
    command     = "${path.module}/preflight.sh '${self.triggers.name}' '${self.triggers.http_port}' '${self.triggers.https_port}'"
    environment = { MARK = local.mark }
  }

  # Traefik is left out because Istio is the ingress; servicelb stays, it gives the gateway's Service its address. What
  # fails leaves nothing behind. What is interrupted, with this shell killed, leaves the mark: by it preflight.sh knows a
  # half-made cluster for ours.
  provisioner "local-exec" {
    interpreter = ["bash", "-c"]
    command     = <<-EOT
      touch "$MARK"
      k3d cluster create '${self.triggers.name}' \
        --image '${self.triggers.k3s_image}' \
        --servers '${self.triggers.servers}' \
        --agents '${self.triggers.agents}' \
        --port '${self.triggers.http_port}:80@loadbalancer' \
        --port '${self.triggers.https_port}:443@loadbalancer' \
        --k3s-arg '--disable=traefik@server:*' \
        --kubeconfig-update-default=false \
        --wait --timeout 5m || { k3d cluster delete '${self.triggers.name}'; rm "$MARK"; exit 1; }
      rm "$MARK"
    EOT
    environment = { MARK = local.mark }
  }

  provisioner "local-exec" {
    when    = destroy
    command = "k3d cluster delete '${self.triggers.name}'"
  }
}

# Two files get the context: one of this folder, for Terraform itself, and the person's, where it is selected as well.
resource "null_resource" "kubeconfig" {
  triggers = {
    cluster = null_resource.cluster.id
    own     = local.kubeconfig
    persons = pathexpand(var.kubeconfig)
  }

  provisioner "local-exec" {
    command     = <<-EOT
      set -e
      k3d kubeconfig merge '${var.cluster_name}' --output "$OWN"
      mkdir -p "$(dirname "$PERSONS")"
      k3d kubeconfig merge '${var.cluster_name}' --output "$PERSONS" --kubeconfig-switch-context
    EOT
    environment = { OWN = self.triggers.own, PERSONS = self.triggers.persons }
  }
}

provider "helm" {
  kubernetes {
    config_path    = local.kubeconfig
    config_context = local.context
  }
}
