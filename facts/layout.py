"""Where things are in deploy/: the folders of an environment's tree, and the names that Flux's own folder keeps."""

UNITS = ("flux", "platform", "apps")
"""The folders of an environment's tree that Flux applies, each as a whole."""

SYNC_NAME = "flux-system"
"""Flux's own name for its namespace, the source, its credentials, and the Kustomization that applies Flux itself."""

FLUX_FOLDER = f"flux/{SYNC_NAME}"
"""Flux's own folder in an environment's tree."""

# The names that `flux bootstrap --path=deploy/flux` writes and expects.
COMPONENTS_FILE = "gotk-components.yaml"
"""Flux's install manifest; `./gw refresh flux` makes it."""
SYNC_FILE = "gotk-sync.yaml"


def root_of(path: str) -> str:
    """The folder of the environment whose tree has a path: `deploy`, or `deploy/staging`."""
    top, below, *_ = path.split("/")
    return top if below in UNITS or "." in below else f"{top}/{below}"
