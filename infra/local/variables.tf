variable "cluster_name" {
  description = "Name of the k3d cluster; its kubeconfig context is k3d-NAME."
  type        = string
  default     = "graphwiki"

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name is a name of at most 32 lower case letters, digits and -, which k3d can use as a host name, as in graphwiki."
  }
}

variable "http_port" {
  description = "Port of this machine that leads to port 80 of the ingress gateway."
  type        = number
  default     = 8080

  validation {
    condition     = var.http_port >= 1 && var.http_port <= 65535 && floor(var.http_port) == var.http_port
    error_message = "http_port is a whole number from 1 to 65535, as in 8080."
  }
}

variable "https_port" {
  description = "Port of this machine that leads to port 443 of the ingress gateway."
  type        = number
  default     = 8443

  validation {
    condition     = var.https_port >= 1 && var.https_port <= 65535 && floor(var.https_port) == var.https_port
    error_message = "https_port is a whole number from 1 to 65535, as in 8443."
  }
}

variable "kubeconfig" {
  description = "The kubeconfig file that the cluster's context is merged into and selected in."
  type        = string
  default     = "~/.kube/config"

  validation {
    condition     = trimspace(var.kubeconfig) != ""
    error_message = "kubeconfig is the path of a file, as in ~/.kube/config."
  }
}

variable "rancher_bootstrap_password" {
  description = "Rancher's first password for the user admin. Generated where not given; read it with: output -raw rancher_bootstrap_password."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.rancher_bootstrap_password == null ? true : can(regex("^[A-Za-z0-9 _.:@%+=!^*-]{12,}$", var.rancher_bootstrap_password))
    error_message = "rancher_bootstrap_password needs at least 12 letters, digits, spaces or signs of _.:@%+=!^*-, which is what Rancher and Helm take; leave it out to have one generated."
  }
}
