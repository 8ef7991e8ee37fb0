terraform {
  # OpenTofu counts its versions on from here and reads the same files.
  required_version = ">= 1.6"

  required_providers {
    null = {
      source  = "hashicorp/null"
      version = "3.2.4"
    }
    random = {
      source  = "hashicorp/random"
      version = "3.6.0"
    }
    # Version 2, not 3: see docs/adr/004-local-cluster.md.
    helm = {
      source  = "hashicorp/helm"
      version = "2.17.0"
    }
  }
}

locals {
  versions = yamldecode(file("${path.module}/../../versions.yaml"))
}
