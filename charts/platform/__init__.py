"""What the apps stand on: routing, certificates, the mesh, priorities."""
