# The k3d cluster, through the k3d CLI: docs/adr/001-k3d-through-terraform-and-the-cli.md.

locals {
  context    = "k3d-${var.cluster_name}"
  kubeconfig = pathexpand(var.kubeconfig)
  servers    = 1
  agents     = 2

  # Hosts are decided in charts/; the routes that the charts make are where to read them.
  deploy = "${path.module}/../../deploy"
  hosts = {
    for name, folder in { rancher = "platform/rancher", wiki = "apps/graphwiki", test = "apps/test-app" } :
    name => yamldecode(file("${local.deploy}/${folder}/virtualservice.yaml")).spec.hosts[0]
  }
}

resource "null_resource" "cluster" {
  # All that defines the cluster: a change of any of it makes a new one.
  triggers = {
    name       = var.cluster_name
    k3s_image  = "rancher/k3s:${local.versions.k3s}"
    servers    = local.servers
    agents     = local.agents
    http_port  = var.http_port
    https_port = var.https_port
  }

  provisioner "local-exec" {
    command = "${path.module}/preflight.sh '${self.triggers.name}' '${self.triggers.http_port}' '${self.triggers.https_port}'"
  }

  # Traefik is left out because Istio is the ingress; servicelb stays, it gives the gateway's Service its address. Where
  # creating fails or is interrupted nothing stays behind, so that the next apply begins from nothing.
  provisioner "local-exec" {
    interpreter = ["bash", "-c"]
    command     = <<-EOT
      undo() { k3d cluster delete '${self.triggers.name}'; exit 1; }
      trap undo INT TERM
      k3d cluster create '${self.triggers.name}' \
        --image '${self.triggers.k3s_image}' \
        --servers '${self.triggers.servers}' \
        --agents '${self.triggers.agents}' \
        --port '${self.triggers.http_port}:80@loadbalancer' \
        --port '${self.triggers.https_port}:443@loadbalancer' \
        --k3s-arg '--disable=traefik@server:*' \
        --kubeconfig-update-default=false \
        --wait --timeout 5m || undo
    EOT
  }

  provisioner "local-exec" {
    when    = destroy
    command = "k3d cluster delete '${self.triggers.name}'"
  }
}

resource "null_resource" "kubeconfig" {
  triggers = {
    cluster    = null_resource.cluster.id
    kubeconfig = local.kubeconfig
  }

  provisioner "local-exec" {
    command = "mkdir -p '${dirname(local.kubeconfig)}' && k3d kubeconfig merge '${var.cluster_name}' --output '${local.kubeconfig}' --kubeconfig-switch-context"
  }
}

provider "helm" {
  kubernetes {
    config_path    = local.kubeconfig
    config_context = local.context
  }
}
