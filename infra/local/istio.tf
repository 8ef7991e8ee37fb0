# Istio: CRDs, the CNI plugin, the control plane and the ingress gateway, of one version and in this order.

locals {
  istio_repository = local.versions.istio.source
  istio_namespace  = "istio-system"

  # Where Istio's images come from, said to every chart that names one: what a chart says itself has changed before.
  istio_hub = yamldecode(file("${path.module}/../environments/local.yaml")).global.hub
}

resource "helm_release" "istio_base" {
  name             = "istio-base"
  repository       = local.istio_repository
  chart            = "base"
  version          = local.versions.istio.version
  namespace        = local.istio_namespace
  create_namespace = true
  wait             = true
  timeout          = 300

  # Without it istiod switches the policy itself, and every later apply would find a change.
  values = [yamlencode({ base = { validationFailurePolicy = "Fail" } })]

  depends_on = [null_resource.kubeconfig]

  # A new cluster is an empty one.
  lifecycle {
    replace_triggered_by = [null_resource.cluster.id]
  }
}

resource "helm_release" "istio_cni" {
  name       = "istio-cni"
  repository = local.istio_repository
  chart      = "cni"
  version    = local.versions.istio.version
  namespace  = local.istio_namespace
  wait       = true
  timeout    = 300

  # k3s, not k3d: from its release 1.31.7 on k3s keeps its CNI binaries elsewhere than the setting for k3d says.
  values = [yamlencode({ global = { platform = "k3s", hub = local.istio_hub } })]

  depends_on = [helm_release.istio_base]

  # A new cluster is an empty one.
  lifecycle {
    replace_triggered_by = [null_resource.cluster.id]
  }
}

resource "helm_release" "istiod" {
  name       = "istiod"
  repository = local.istio_repository
  chart      = "istiod"
  version    = local.versions.istio.version
  namespace  = local.istio_namespace
  wait       = true
  timeout    = 300

  # With the CNI plugin and this seccomp profile an injected pod meets the restricted Pod Security Standard.
  values = [yamlencode({
    pilot  = { cni = { enabled = true } }
    global = { hub = local.istio_hub, proxy = { seccompProfile = { type = "RuntimeDefault" } } }
  })]

  depends_on = [helm_release.istio_cni]

  # A new cluster is an empty one.
  lifecycle {
    replace_triggered_by = [null_resource.cluster.id]
  }
}

# Its chart names no image: istiod puts that of its own hub into the pods. They carry the label istio=ingress, which
# Gateway main-gateway selects. The Service is a LoadBalancer: servicelb puts it on ports 80 and 443 of the nodes, where
# k3d's load balancer reaches it.
resource "helm_release" "istio_ingress" {
  name       = "istio-ingress"
  repository = local.istio_repository
  chart      = "gateway"
  version    = local.versions.istio.version
  namespace  = local.istio_namespace
  wait       = true
  timeout    = 300

  values = [yamlencode({ service = { type = "LoadBalancer" } })]

  depends_on = [helm_release.istiod]

  # A new cluster is an empty one.
  lifecycle {
    replace_triggered_by = [null_resource.cluster.id]
  }
}

locals {
  platform = "${local.deploy}/platform"
}

# The same files that Flux owns later: the Gateway and Rancher's route. Applied as `./gw up` applies them:
# Flux takes the fields over, and puts back what Git has.
resource "null_resource" "platform" {
  triggers = {
    cluster = null_resource.cluster.id
    context = local.context
    content = sha256(join("", [for file in sort(fileset(local.platform, "**")) : filesha256("${local.platform}/${file}")]))
  }

  provisioner "local-exec" {
    command     = "kubectl --kubeconfig \"$KUBECONFIG\" --context '${local.context}' apply --server-side --force-conflicts -k \"$PLATFORM\""
    environment = { KUBECONFIG = local.kubeconfig, PLATFORM = local.platform }
  }

  depends_on = [helm_release.istio_ingress, helm_release.rancher]
}
