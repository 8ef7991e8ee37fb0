"""An API server beside `./gw watch`, asked about every object that a save changes."""

import json
import os
import select
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from facts.environments import ENVIRONMENTS, Environment
from scripts.definition.committed import files_here
from scripts.gate import kubernetes as built
from scripts.gate.api_server import ApiServer
from scripts.gate.judges.admission import of_the_cluster, pods, prepare, prepared
from scripts.gate.judges.reconciliation import Applied, Files, Identity, Reconciliation
from synth import DefinitionError
from synth.manifest import Document

NEEDED = ("CustomResourceDefinition", "Namespace", "PriorityClass", "ServiceAccount")
"""The kinds without which the server does not even look at others."""


class Standing:
    """What has been asked about each environment's objects, of a server for each Kubernetes that they run."""

    def __init__(self, servers: Mapping[str, ApiServer]) -> None:
        self._servers = servers
        self._asked: dict[tuple[Environment, Identity], Document] = {}

    def refusals(self, files: Files) -> Iterator[str]:
        """What the server has against the objects that are not as they were when it was asked the last time.

        Each is tried for itself and made anew: what one object does to another, a quota to pods say, and what cannot
        be changed in place, is for `./gw verify` and `./gw review`.
        """
        for environment in ENVIRONMENTS:
            steps = Reconciliation(files, environment.path).steps
            objects = {item.identity: item for step in steps for item in step.objects}
            changed = [
                item for identity, item in objects.items() if self._asked.get((environment, identity)) != item.document
            ]
            if not changed:
                continue
            self._asked.update({(environment, item.identity): item.document for item in changed})
            found: list[str] = []
            for server in (self._servers[minor] for minor in environment.minors):
                prepare(server, of_the_cluster(environment), steps)
                found += _refusals(server, objects.values(), changed)
            yield from dict.fromkeys(found)


def _refusals(server: ApiServer, objects: Iterable[Applied], changed: Sequence[Applied]) -> Iterator[str]:
    """What a server has against the changed ones of an environment's objects."""
    missing = set()
    for item in objects:
        if item.document["kind"] in NEEDED:
            refusal = server.apply(item.document).refusal
            missing |= {item.document["metadata"]["name"]} if refusal else set()
            if refusal and item in changed:
                yield item.says(refusal)
    for item in changed:
        if item.document["kind"] in NEEDED or item.document["metadata"].get("namespace") in missing:
            continue
        answer = server.apply(item.document, dry_run=True)
        if answer.refusal:
            yield item.says(answer.refusal)
        else:
            yield from pods(server, item, answer.warnings)


def serve() -> None:
    """Look at deploy/ for every line on standard input, and answer with a line of JSON: the refusals, as sentences.

    Lines that arrive during a look are one. Where no server is built, it ends without a word.
    """
    os.nice(10)
    if not built.is_built():
        return
    with ExitStack() as stack:
        specs = [definition["spec"] for definition in built.definitions()]
        kinds = {(spec["group"], spec["names"]["kind"]) for spec in specs}
        standing = Standing({minor: stack.enter_context(prepared(minor, kinds)) for minor in built.minors()})
        while sys.stdin.readline():
            while select.select([sys.stdin], [], [], 0)[0] and sys.stdin.readline():
                pass
            try:
                found = list(standing.refusals(files_here()))
            except DefinitionError as error:
                found = [str(error)]
            print(json.dumps(found), flush=True)  # noqa: T201, whoever asks reads it
