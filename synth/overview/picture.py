"""The maps of an environment as mermaid flowcharts: from the gateway to the volumes, and who may call whom.

Two, because one with both is wider than a page as soon as one app calls another. In the dialect that GitHub draws:
https://mermaid.js.org/syntax/flowchart.html. It refuses a chart of more than 50,000 characters or 500 arrows
(https://mermaid.js.org/config/schema-docs/config.html), so a large environment has several of each.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from synth.overview.model import Address, App, Call, Overview, Party, Route, Volume, Workload

PLAIN = re.compile(r"[A-Za-z0-9 ./:,()+→-]")
"""Characters that mean nothing to mermaid, to Markdown or to HTML within a quoted label."""

APPS_IN_A_MAP = 20
CALLS_IN_A_MAP = 100
MOST_ADDRESSES = 4
"""So many addresses an arrow names; of more it says how many they are."""

# As `kubectl get pvc` has them.
MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


SHORT = {"PersistentVolumeClaim": "volume"}
"""What a kind is called in the names of nodes, which one reads in a comparison of two pages."""


def maps(overview: Overview) -> Iterator[list[str]]:
    """The lines of one flowchart for every `APPS_IN_A_MAP` apps."""
    parts = [*overview.apps, *overview.platform]
    starts = range(0, max(len(parts), 1), APPS_IN_A_MAP)
    for start in starts:
        elsewhere = overview.elsewhere if start == starts[-1] else ()
        yield list(_map(overview, parts[start : start + APPS_IN_A_MAP], elsewhere))


def _map(overview: Overview, parts: Sequence[App], elsewhere: Sequence[Route]) -> Iterator[str]:
    ids = _Ids()
    yield "flowchart LR"
    for gateway in overview.gateways:
        spoken = ", ".join(f":{port} {protocol}" for port, protocol in gateway.ports)
        yield f"  visitors([visitors]) --> {ids.of(gateway.party)}[{label(f'Gateway {gateway.name}', spoken)}]"
    for part in parts:
        yield f"  subgraph {ids.of('folder', part.name)} [{label(part.name)}]"
        yield "    direction LR"
        yield from (f"    {line}" for line in _inside(ids, part))
        yield "  end"
    for line in (
        *_from_gateways(ids, [*(route for part in parts for route in part.routes), *elsewhere]),
        *_aligned(ids, overview, parts),
        *_to_outside(ids, parts),
    ):
        yield f"  {line}"


def _inside(ids: "_Ids", part: App) -> Iterator[str]:
    """What stands in one folder, and what leads from one of it to another."""
    for service in part.services:
        ports = ", ".join(f":{port} → :{target}" for port, target in service.ports)
        yield f"{ids.of(service.party)}[{label(f'Service {service.name}', ports)}]"
    for workload in part.workloads:
        yield f"{ids.of(workload.party)}{_workload(workload)}"
    for volume in part.volumes:
        yield f"{ids.of(volume.party)}[({label(volume.name, size_of(volume))})]"
    for service in part.services:
        for party in service.workloads:
            yield f"{ids.of(service.party)} --> {ids.of(party)}"
    for workload in part.workloads:
        for volume in workload.volumes:
            yield f"{ids.of(workload.party)} --- {ids.of(volume.party)}"


def _workload(workload: Workload) -> str:
    text = label(f"{workload.kind} {workload.name}", workload.schedule or pods_of(workload))
    return f"{{{{{text}}}}}" if workload.schedule else f"[{text}]"


def pods_of(workload: Workload) -> str:
    """How many pods a workload has, in words."""
    if workload.kind == "DaemonSet":
        return "1 pod a node"
    number = f"{workload.least}" if workload.least == workload.most else f"{workload.least} to {workload.most}"
    return f"{number} pod{'' if number == '1' else 's'}"


def size_of(volume: Volume) -> str:
    """How large a volume is, who can mount it, and whether it stays when it leaves Git."""
    size = volume.size if volume.count == 1 else f"{volume.count} x {volume.size}"
    return f"{' '.join([size, *(MODES.get(mode, mode) for mode in volume.modes)])}{', kept' if volume.kept else ''}"


def address_of(address: Address) -> str:
    """An address with what is spoken there, unless it is HTTP."""
    how = {"HTTP": "", "HTTPS": "", "TLS": ", TLS passed through"}
    return f"{address}{how.get(address.protocol, f' {address.protocol}')}"


def _from_gateways(ids: "_Ids", routes: Iterable[Route]) -> Iterator[str]:
    arrows: dict[tuple[Party, Party], dict[str, None]] = {}
    for route in routes:
        arrows.setdefault((route.gateway, route.service), {})[address_of(route.address)] = None
    for (gateway, service), addresses in arrows.items():
        shown = list(addresses)
        if len(shown) > MOST_ADDRESSES:
            shown[MOST_ADDRESSES - 1 :] = [f"and {len(shown) - MOST_ADDRESSES + 1} more"]
        target = ids.of(service) if service in ids else f"{ids.of(service)}[{label(f'Service {service}')}]"
        yield f"{ids.of(gateway)} -->|{label(*shown)}| {target}"


def _aligned(ids: "_Ids", overview: Overview, parts: Iterable[App]) -> Iterator[str]:
    """Invisible arrows to what no gateway leads to, which would otherwise stand left of everything else."""
    for gateway in overview.gateways[:1]:
        for part in parts:
            nodes = [item.party for items in (part.services, part.workloads, part.volumes) for item in items]
            if nodes and not part.routes:
                yield f"{ids.of(gateway.party)} ~~~ {ids.of(nodes[0])}"


def _to_outside(ids: "_Ids", parts: Iterable[App]) -> Iterator[str]:
    for part in parts:
        for place in part.outside:
            key = ("outside", place.host, str(place.port))
            node = f"{ids.of(*key)}([{label(place.host, f':{place.port} {place.protocol}')}])"
            yield from (f"{ids.of(party)} --> {node}" for party in place.workloads)


def maps_of_calls(overview: Overview) -> Iterator[list[str]]:
    """The lines of one flowchart for every `CALLS_IN_A_MAP` calls between workloads; none where nobody calls."""
    here = {workload.party for part in (*overview.apps, *overview.platform) for workload in part.workloads}
    calls = [call for call in overview.calls if call.caller in here and call.caller != call.target]
    for start in range(0, len(calls), CALLS_IN_A_MAP):
        yield list(_map_of_calls(calls[start : start + CALLS_IN_A_MAP]))


def _map_of_calls(calls: Sequence[Call]) -> Iterator[str]:
    ids = _Ids()
    yield "flowchart LR"
    for party in dict.fromkeys(party for call in calls for party in (call.caller, call.target)):
        yield f"  {ids.of(party)}[{label(f'{party.kind} {party.name}', f'in {party.namespace}')}]"
    for call in calls:
        yield f"  {ids.of(call.caller)} -->|{label(*(f':{port}' for port in call.ports))}| {ids.of(call.target)}"


def label(*lines: str) -> str:
    """Lines of text as one quoted label, in which no character means more than itself.

    Whatever could is written as an entity: https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters
    """
    return f'"{"<br>".join("".join(map(_escaped, line)) for line in lines if line)}"'


def _escaped(character: str) -> str:
    return character if PLAIN.fullmatch(character) else f"#{ord(character)};"


class _Ids:
    """Names of nodes, made of what they stand for, so that a change of one app changes no line of another."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], str] = {}

    def of(self, what: Party | str, *more: str) -> str:
        key = self._key(what, *more)
        if key not in self._names:
            # Begun by a kind it is no word of mermaid's own, such as `end`.
            name = re.sub(r"[^a-z0-9]", "_", "_".join(key).lower())
            taken = set(self._names.values())
            numbered = (f"{name}_{number}" for number in count(2))
            self._names[key] = name if name not in taken else next(n for n in numbered if n not in taken)
        return self._names[key]

    def __contains__(self, what: Party) -> bool:
        return self._key(what) in self._names

    @staticmethod
    def _key(what: Party | str, *more: str) -> tuple[str, ...]:
        if isinstance(what, Party):
            return SHORT.get(what.kind, what.kind), what.namespace, what.name
        return what, *more
