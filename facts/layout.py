"""Where things are in deploy/: the folders of an environment's tree, and the names that Flux's own folder keeps."""

PLATFORM = "platform"
"""What Flux applies before the apps: a folder, and the Kustomization of its name."""

CERTIFICATES = "certificates"
"""What no app waits for: a folder, and the Kustomization of its name, where an environment has certificates."""

UNITS = ("flux", PLATFORM, CERTIFICATES, "apps")
"""The folders of an environment's tree, in the order in which Flux applies them; `CERTIFICATES` is not in each."""

OF_APPS = f"{PLATFORM}/apps"
"""Where an environment's tree has what the platform says of each app: its namespace, its room, who may reach it."""

SYNC_NAME = "flux-system"
"""Flux's own name for its namespace, the source, its credentials, and the Kustomization that applies Flux itself."""

NOT_OF_APPS = (SYNC_NAME, PLATFORM, CERTIFICATES)
"""The Kustomizations that are no app's, each of which has its app's name."""

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
