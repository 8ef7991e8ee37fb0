"""Rules for volumes: each has a class, and no more pods than can mount it."""

from collections.abc import Iterator

from synth.cluster import SHARED, Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.pods import containers, pod_labels, pod_spec, references, selected_labels
from synth.quantity import as_quantity
from synth.scale import scale
from synth.takes import amount_of
from synth.tree import Object

CLAIM = "PersistentVolumeClaim"
NODE = "kubernetes.io/hostname"
"""The label of a node with its own name: https://kubernetes.io/docs/reference/labels-annotations-taints/"""


def claims_can_be_had(cluster: Cluster) -> Iterator[Violation]:
    """A claim says how much and for whom, and a pod mounts it.

    Most classes make a volume for the first pod that mounts it: a claim that nobody mounts stays pending, and Flux
    waits for it. https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
    """
    used = {
        (item.namespace, name)
        for item in cluster.workloads
        for kind, name in references(item.document)
        if kind == "PersistentVolumeClaim"
    }
    for item in cluster.of("PersistentVolumeClaim"):
        missing = [
            field
            for field, value in (
                ("accessModes", item.spec.get("accessModes")),
                (
                    "resources.requests.storage",
                    ((item.spec.get("resources") or {}).get("requests") or {}).get("storage"),
                ),
            )
            if not value
        ]
        if missing:
            yield Violation(
                item, f"has no {' and no '.join(missing)}, without which there is no volume: write what it needs"
            )
        elif (item.namespace, item.name) not in used:
            yield Violation(
                item, "is mounted by nobody, so that it stays pending and Flux waits for it: mount it, or leave it out"
            )
    for item in cluster.of("PersistentVolume"):
        for source in ("hostPath", "local"):
            if source in item.spec:
                yield Violation(
                    item, f"is a folder of a node ({source}), gone with it: let a StorageClass make volumes"
                )


def drivers_are_there(cluster: Cluster) -> Iterator[Violation]:
    """A pod whose volume no driver mounts waits for ever: https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/."""
    for item in cluster.workloads:
        for volume in pod_spec(item.document).get("volumes") or []:
            driver = (volume.get("csi") or {}).get("driver")
            if driver and not cluster.find("CSIDriver", "", driver):
                yield Violation(
                    item, f"has volume {volume['name']} of CSIDriver {driver}, {cluster.unknown('CSIDriver', '')}"
                )


def claims_are_what_pods_make_of_them(cluster: Cluster) -> Iterator[Violation]:
    """A new volume that nobody may write to stays empty, and one that is a device has no folder to mount.

    https://kubernetes.io/docs/concepts/storage/persistent-volumes/#raw-block-volume-support
    """
    users: dict[tuple[str, str], list[tuple[Object, str]]] = {}
    for item in cluster.workloads:
        for volume in pod_spec(item.document).get("volumes") or []:
            if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
                users.setdefault((item.namespace, name), []).append((item, volume["name"]))
    for item, own, spec in _claims(cluster):
        mounted = users.get((item.namespace, own), []) if item.kind == CLAIM else [(item, own)]
        filled = any(spec.get(field) for field in ("dataSource", "dataSourceRef", "volumeName"))
        if spec.get("accessModes") == ["ReadOnlyMany"] and not filled:
            yield Violation(
                item,
                "asks for a new volume that is ReadOnlyMany, which nobody can ever fill: write ReadWriteOnce, or "
                "ReadWriteMany for pods on several nodes",
            )
        device = spec.get("volumeMode") == "Block"
        for user, name in mounted:
            field, right = ("volumeMounts", "Filesystem") if device else ("volumeDevices", "Block")
            for container in containers(user.document):
                if any(mount.get("name") == name for mount in container.get(field) or []):
                    yield Violation(
                        user,
                        f"has container {container['name']} with {name} in its {field}, and the claim is of volumeMode "
                        f"{'Block' if device else 'Filesystem'}, for which its pods do not start: make that {right}",
                    )


def _claims(cluster: Cluster) -> Iterator[tuple[Object, str, Document]]:
    """What each claim says, behind the object that says it and its name: those that a StatefulSet makes too."""
    yield from ((item, item.name, item.spec) for item in cluster.of(CLAIM))
    for item in cluster.of("StatefulSet"):
        for claim in item.spec.get("volumeClaimTemplates") or []:
            yield item, claim["metadata"]["name"], claim.get("spec") or {}


def claims_find_their_class(cluster: Cluster) -> Iterator[Violation]:
    for item, _, spec in _claims(cluster):
        name = spec.get("storageClassName")
        if name and not cluster.find("StorageClass", "", name):
            yield Violation(
                item,
                f"wants StorageClass {name}, {cluster.unknown('StorageClass', '')}; those of a cluster are facts of "
                "its environment, storage_class and shared_storage_class, in facts/environments.py",
            )


def volumes_of_several_nodes_have_a_class_for_it(cluster: Cluster) -> Iterator[Violation]:
    """Most classes make volumes that one node alone can mount; such a claim stays pending for ever."""
    for item, _, spec in _claims(cluster):
        given = cluster.find("StorageClass", "", spec.get("storageClassName") or "")
        shared = isinstance(given, Object) or (given is not None and given.labels.get(SHARED) == "true")
        if "ReadWriteMany" in (spec.get("accessModes") or []) and not shared:
            name = spec.get("storageClassName") or "the default one"
            yield Violation(
                item,
                f"asks for a volume of several nodes, ReadWriteMany, of the class {name}, which is not known to make "
                "any: write ReadWriteOnce, or the class that is shared_storage_class in facts/environments.py",
            )


def volumes_outlive_their_pods(cluster: Cluster) -> Iterator[Violation]:
    """https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention."""
    for item in cluster.of("StatefulSet"):
        policy = item.spec.get("persistentVolumeClaimRetentionPolicy") or {}
        for field, when in (("whenDeleted", "it is deleted or made anew"), ("whenScaled", "it has fewer pods")):
            if policy.get(field) == "Delete":
                yield Violation(item, f"loses its volumes, with all that is on them, when {when}: write {field} Retain")


def volumes_have_one_pod(cluster: Cluster) -> Iterator[Violation]:
    """A ReadWriteOnce volume is for one pod at a time, during a rollout too."""
    for item in cluster.of("Deployment"):
        for kind, name in dict.fromkeys(references(item.document)):
            claim = cluster.find(kind, item.namespace, name)
            if kind != "PersistentVolumeClaim" or not isinstance(claim, Object):
                continue
            if {"ReadWriteMany", "ReadOnlyMany"} & set(claim.spec.get("accessModes", [])):
                continue
            _, most = scale(cluster, item)
            if most > 1:
                yield Violation(
                    item,
                    f"has {most} replicas on {claim}, which one node alone can mount: "
                    "run 1 replica, or declare the volume ReadWriteMany",
                )
            if (item.spec.get("strategy") or {}).get("type") != "Recreate":
                yield Violation(
                    item,
                    f"rolls out with two pods on {claim} for a while: set strategy Recreate, "
                    "or declare the volume ReadWriteMany",
                )


def shared_volumes_are_on_one_node(cluster: Cluster) -> Iterator[Violation]:
    """Where two workloads mount a volume that one node alone can mount, the second has to be put beside the first."""
    users: dict[int, tuple[Object, list[Object]]] = {}
    for item in cluster.workloads:
        for kind, name in dict.fromkeys(references(item.document)):
            claim = cluster.find(kind, item.namespace, name)
            if kind == "PersistentVolumeClaim" and isinstance(claim, Object):
                users.setdefault(id(claim), (claim, []))[1].append(item)
    for claim, (first, *others) in users.values():
        modes = set(claim.spec.get("accessModes", []))
        if not others or {"ReadWriteMany", "ReadOnlyMany"} & modes:
            continue
        if modes == {"ReadWriteOncePod"}:
            yield Violation(
                others[0], f"mounts {claim}, as {first} does, and one pod alone can: give it another volume"
            )
            continue
        every = (first, *others)
        loose = [item for item in every if not _follows(item, [other for other in every if other is not item])]
        for item in loose[1:]:
            yield Violation(
                item,
                f"mounts {claim}, as {loose[0]} does, and one node alone can mount it: put it on that node with a "
                f"required podAffinity to {_labels(loose[0])} and topologyKey {NODE}, or declare the volume "
                "ReadWriteMany",
            )


def _follows(item: Object, others: list[Object]) -> bool:
    """Whether the pods of a workload run only where those of one of the others do, or on one node that they name."""
    pod = pod_spec(item.document)
    if NODE in (pod.get("nodeSelector") or {}) or pod.get("nodeName"):
        return True
    affinity = (pod.get("affinity") or {}).get("podAffinity") or {}
    terms: list[Document] = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])
    near = [selected_labels(term.get("labelSelector")) for term in terms if term.get("topologyKey") == NODE]
    return any(labels and labels.items() <= pod_labels(o.document).items() for labels in near for o in others)


def scratch_space_is_within_the_limit(cluster: Cluster) -> Iterator[Violation]:
    """A pod that fills its own emptyDirs must not be evicted for it before they are full.

    https://kubernetes.io/docs/concepts/storage/ephemeral-storage/#resource-ephemeral-storage-consumption
    """
    for item in cluster.workloads:
        pod = pod_spec(item.document)
        in_memory = sum(
            amount_of(volume["emptyDir"].get("sizeLimit", 0))
            for volume in pod.get("volumes", [])
            if (volume.get("emptyDir") or {}).get("medium") == "Memory"
        )
        memory = [((c.get("resources") or {}).get("limits") or {}).get("memory") for c in pod.get("containers", [])]
        if in_memory and all(memory) and in_memory >= (all_memory := sum(map(amount_of, filter(None, memory)))):
            yield Violation(
                item,
                f"has emptyDirs of {as_quantity(in_memory, binary=True)} in memory, which count against the "
                f"{as_quantity(all_memory, binary=True)} that its containers may take: lower sizeLimit, or raise that",
            )
        limits = [
            ((c.get("resources") or {}).get("limits") or {}).get("ephemeral-storage") for c in pod.get("containers", [])
        ]
        sizes = [
            amount_of(volume["emptyDir"].get("sizeLimit", 0))
            for volume in pod.get("volumes", [])
            if "emptyDir" in volume and (volume["emptyDir"] or {}).get("medium") != "Memory"
        ]
        most = sum(map(amount_of, filter(None, limits)))
        if limits and all(limits) and sum(sizes) > most:
            yield Violation(
                item,
                f"has emptyDirs of {as_quantity(sum(sizes), binary=True)}, but is evicted at the "
                f"{as_quantity(most, binary=True)} of ephemeral storage that its containers may take: raise that",
            )


def _labels(item: Object) -> str:
    return shown(pod_labels(item.document)) or f"the pods of {item}"


RULES: tuple[Rule, ...] = (
    claims_can_be_had,
    drivers_are_there,
    scratch_space_is_within_the_limit,
    claims_find_their_class,
    volumes_of_several_nodes_have_a_class_for_it,
    volumes_outlive_their_pods,
    claims_are_what_pods_make_of_them,
    volumes_have_one_pod,
    shared_volumes_are_on_one_node,
)
