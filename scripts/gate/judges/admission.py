"""What an API server says of the trees: every object applied as Flux applies it, and a pod of every workload."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from facts.environments import ENVIRONMENTS, K3D, Environment
from facts.provided import MADE_ANEW, provided
from scripts.definition.committed import ACCEPTED_FILE, BASES, Files, acceptances, bases, files_here, files_of, left
from scripts.gate import kubernetes as built
from scripts.gate.api_server import Answer, ApiServer, running
from scripts.gate.judges.controllers import made_of
from scripts.gate.judges.judging import Findings, Remark
from scripts.gate.judges.reconciliation import Applied, Identity, Reconciliation, Step
from synth import ToolError
from synth.changes import Hazard, Risk, hazards
from synth.changes.acceptances import Acceptance, place
from synth.manifest import Document
from synth.tree import Object


def kubernetes() -> Findings:
    """What the API server of each environment's Kubernetes says against its tree."""
    here, before, accepted = files_here(), Files(), []
    if bases():
        commit = left(None)
        before, accepted = files_of(commit), acceptances(commit, None)
    else:
        yield Remark(f"not looked at: what cannot be changed in place, for there is no {' nor '.join(BASES)} here")
    told: set[str] = set()
    for minor in built.minors():
        trees = {
            environment: tuple(Reconciliation(files, environment.path).steps for files in (here, before))
            for environment in ENVIRONMENTS
            if minor in environment.minors
        }
        kinds = {
            item.identity[:2] for sides in trees.values() for steps in sides for step in steps for item in step.objects
        }
        with prepared(minor, kinds) as server:
            for environment, (steps, earlier) in trees.items():
                verdict = judge(server, steps, of_the_cluster(environment), earlier)
                for finding in (
                    *verdict.findings,
                    *to_be_acknowledged(environment, steps, earlier, verdict.stuck, accepted),
                ):
                    if finding not in told:
                        yield finding
                    told.add(finding)


def to_be_acknowledged(
    environment: Environment,
    steps: Iterable[Step],
    before: Iterable[Step],
    stuck: Mapping[Applied, str],
    accepted: Iterable[Acceptance],
) -> Findings:
    """What is refused in place and not acknowledged; a remark of what `review` asks to acknowledge anyway."""
    old, new = ([_object(item) for step in side for item in step.objects] for side in (before, steps))
    known = [
        place(environment.name, hazard)
        for hazard in hazards(old, new, built.definitions())
        if hazard.risk is Risk.REFUSED
    ]
    for item, words in stuck.items():
        hazard = Hazard(Risk.REFUSED, _object(item), words, ())
        where = place(environment.name, hazard)
        if any(line.covers(environment.name, hazard) for line in accepted):
            continue
        sentence = item.says(f"cannot be changed in place to this: {words}")
        if where in known:
            yield Remark(f"{sentence}; `./gw review` has what to do instead")
        else:
            acknowledged = f"`accepts: {Risk.REFUSED} {where} WHY` in {ACCEPTED_FILE}"
            yield f"{sentence}; take it back, or acknowledge that it needs a hand, by a line {acknowledged}"


def _object(item: Applied) -> Object:
    return Object(item.document, "", item.path)


@contextmanager
def prepared(minor: str, kinds: Container[tuple[str, str]]) -> Iterator[ApiServer]:
    """An API server that serves what of these groups and kinds a cluster has before Flux comes.

    Raises:
        ToolError: it is not built, or does not start.
    """
    with running(built.program(minor)) as server:
        for definition in built.definitions():
            if (definition["spec"]["group"], definition["spec"]["names"]["kind"]) not in kinds:
                continue
            if refusal := server.apply(definition).refusal:
                raise ToolError(f"{definition['metadata']['name']}: {refusal}")
        server.mark()
        yield server


@dataclass(frozen=True)
class Verdict:
    """What a server says against a tree.

    `findings` are sentences; `stuck` is what it takes anew and refuses to change to, with its words.
    """

    findings: list[str]
    stuck: dict[Applied, str]


def judge(
    server: ApiServer, steps: Iterable[Step], provided: Iterable[Document], before: Iterable[Step] = ()
) -> Verdict:
    """Apply an environment's tree to an empty cluster, then ask for its pods, then apply it over another one.

    `provided` is what the cluster has of its own. `before` is the tree that runs there now: what differs from it is
    applied over it as well, since the server refuses some changes to what it would take anew.
    """
    steps, before, provided = tuple(steps), tuple(before), tuple(provided)
    prepare(server, provided, steps)
    answers = [(step, item, server.apply(item.document, user=step.user)) for step in steps for item in step.objects]
    refused = {item.identity for _, item, answer in answers if answer.refusal}
    # Without its namespace nothing is taken: one cause is one sentence.
    findings = [
        item.says(answer.refusal)
        for _, item, answer in answers
        if answer.refusal and _namespace_of(item) not in refused
    ]
    taken = [(step, item, answer) for step, item, answer in answers if not answer.refusal]
    for step, item, _ in taken:
        findings += _unsettled(server, step, item)
    server.quotas_are_counted()
    for _, item, answer in taken:
        findings += pods(server, item, answer.warnings)
    return Verdict(findings, _stuck(server, [(step, item) for step, item, _ in taken], provided, before))


def _namespace_of(item: Applied) -> Identity:
    return "", "Namespace", "", item.document["metadata"].get("namespace", "")


def prepare(server: ApiServer, provided: Iterable[Document], steps: Iterable[Step]) -> None:
    """Have an empty cluster with what it has of its own; what the tree brings itself is left to it."""
    server.reset()
    brought = {item.identity for step in steps for item in step.objects}
    for document in provided:
        if Applied(document, "").identity not in brought:
            answer = server.create(document)
            if answer.refusal and answer.code != CONFLICT:
                raise ToolError(f"{document['kind']} {document['metadata']['name']}: {answer.refusal}")


CONFLICT = 409
"""What the server answers when it has an object of that name already, as it has Namespace kube-system."""


def _unsettled(server: ApiServer, step: Step, item: Applied) -> Iterator[str]:
    """Whether the same object, applied again, changes: Flux would change it at every reconciliation."""
    first = server.read(item.document)
    again = server.apply(item.document, user=step.user)
    if again.refusal:
        yield item.says(f"taken once, refused when it is applied again: {again.refusal}")
    elif _stated(first.body) != _stated(again.body):
        differing = [key for key in first.body | again.body if first.body.get(key) != again.body.get(key)]
        fields = ", ".join(key for key in differing if key not in NOT_STATED)
        yield item.says(f"its {fields} changes when it is applied again: Flux would change it at every reconciliation")


NOT_STATED = ("status",)


def _stated(document: Document) -> Document:
    """An object without what the server and the controllers keep in it for themselves."""
    metadata = {key: text for key, text in document["metadata"].items() if key not in BOOKKEEPING}
    return {key: value for key, value in document.items() if key not in NOT_STATED} | {"metadata": metadata}


BOOKKEEPING = ("managedFields", "resourceVersion")


def pods(server: ApiServer, item: Applied, warnings: tuple[str, ...]) -> Iterator[str]:
    """What the server says of the objects that controllers make of one, and `warnings`, what it said of that itself."""
    made: list[tuple[Document, Answer]] = []
    for document in made_of(item.document):
        made.append((document, server.create(document, dry_run=True)))
        if made[-1][1].refusal:
            # Without a claim or a Job there is no pod.
            break
    refusals = [answer.refusal for _, answer in made]
    for warning in warnings:
        if not any(_of_pods(warning) in refusal for refusal in refusals):
            yield item.says(f"warning: {warning}")
    known = set(map(_of_pods, warnings))
    for document, answer in made:
        said = [f"warning: {warning}" for warning in answer.warnings if _of_pods(warning) not in known]
        for words in (*said, answer.refusal):
            if words:
                yield item.says(f"its {document['kind']} {document['metadata']['name']}: {words}")
        known |= set(map(_of_pods, answer.warnings))


def _of_pods(warning: str) -> str:
    """A warning about a pod template in the words that the server has for the pod: one cause is one sentence."""
    return re.sub(r"^(would violate |spec\.(jobTemplate\.spec\.)?template\.)", "", warning)


def _stuck(
    server: ApiServer,
    taken: Iterable[tuple[Step, Applied]],
    provided: Iterable[Document],
    before: Iterable[Step],
) -> dict[Applied, str]:
    """What of a tree is refused where the tree before it runs already, though it is taken anew."""
    was = {item.identity: item.document for step in before for item in step.objects}
    changed = [
        (step, item)
        for step, item in taken
        if was.get(item.identity, item.document) != item.document
        and not step.forced
        and not MADE_ANEW.items() <= (item.document["metadata"].get("annotations") or {}).items()
    ]
    if not changed:
        return {}
    prepare(server, provided, before)
    for step in before:
        for item in step.objects:
            if not server.apply(item.document).refusal and item.document["kind"] == "PersistentVolumeClaim":
                server.bind(item.document)
    answers = {item: server.apply(item.document, user=step.user) for step, item in changed}
    return {item: answer.refusal for item, answer in answers.items() if answer.refusal}


def of_the_cluster(environment: Environment) -> Iterator[Document]:
    """What an environment's cluster has of its own, as far as the server asks for it when it judges others."""
    for item in provided(environment):
        metadata = {"name": item.name} | ({"namespace": item.namespace} if item.namespace else {})
        match item.kind:
            case "Namespace" | "ServiceAccount":
                yield {"apiVersion": "v1", "kind": item.kind, "metadata": metadata}
            case "StorageClass":
                yield _storage_class(item.name, grows=True)
    # The volumes of k3s's own class, local-path, cannot grow.
    default = _storage_class("default", grows=not environment.context.startswith(K3D))
    default["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    yield default


def _storage_class(name: str, *, grows: bool) -> Document:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "example.com/volumes",
        "allowVolumeExpansion": grows,
    }
