"""Small environments before and after a change."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from synth.changes import Hazard, Risk, hazards
from synth.manifest import Document, load
from synth.tree import Object

ROOT = "deploy/somewhere"


def objects(text: str, folder: str = "apps/wiki") -> list[Object]:
    """The objects of a text, each in a file of its own in one folder of the environment's tree."""
    found = []
    for document in load(text):
        document.setdefault("metadata", {})
        path = f"{ROOT}/{folder}/{document['kind'].lower()}-{document['metadata'].get('name', '')}.yaml"
        found.append(Object(document, "", path))
    return found


def edited(items: Iterable[Object], kind: str, name: str, /, **changes: Any) -> list[Object]:
    """The same objects with one of them changed: `spec__replicas=2`; None takes a field away."""
    result, hits = [], 0
    for item in items:
        document = deepcopy(item.document)
        if (item.kind, item.name) == (kind, name):
            hits += 1
            for path, value in changes.items():
                _set(document, path.split("__"), value)
        result.append(Object(document, item.source, item.path))
    assert hits == 1, f"{hits} objects are {kind} {name}"
    return result


def _set(document: Any, keys: list[str], value: Any) -> None:
    *above, last = keys
    for key in above:
        document = document[int(key)] if isinstance(document, list) else document.setdefault(key, {})
    if value is None:
        del document[last]
    else:
        document[int(last) if isinstance(document, list) else last] = value


def without(items: Iterable[Object], *titles: str) -> list[Object]:
    """The same objects but for some: `Service wiki`."""
    kept = [item for item in items if str(item) not in titles]
    assert len(kept) + len(titles) == len(list(items)), titles
    return kept


def renamed(items: Iterable[Object], kind: str, old: str, new: str) -> list[Object]:
    return edited(items, kind, old, metadata__name=new)


def told(before: Iterable[Object], after: Iterable[Object], definitions: Iterable[Document] = ()) -> list[str]:
    """Each hazard that has to be acknowledged, in short: `refused Deployment wiki`."""
    return [f"{hazard.risk} {hazard.item}" for hazard in hazards(before, after, definitions) if not hazard.notice]


def the_only(before: Iterable[Object], after: Iterable[Object], risk: Risk) -> Hazard:
    """The one hazard of a change, which is of this kind."""
    (found,) = hazards(before, after)
    assert found.risk is risk
    assert found.steps, "it does not say what to do instead"
    return found
