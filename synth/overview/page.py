"""The overview of an environment as a page for people: the map, and the table of what runs there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from synth.overview.model import App, Call, Container, Overview, Volume, Workload
from synth.overview.picture import address_of, maps, maps_of_calls, pods_of, size_of
from synth.quantity import as_quantity
from synth.takes import amount_of
from synth.tree import Page

README = "README.md"
DIGEST_LENGTH = 12
"""So many characters of an image's digest tell it from any other that one compares it with."""


def page(overview: Overview, title: str, source: str) -> Page:
    """The page of an environment, called `title`; `source` is the module that composes it."""
    return Page("\n".join(_lines(overview, title)) + "\n", source)


def _lines(overview: Overview, title: str) -> Iterator[str]:
    parts = [*overview.apps, *overview.platform]
    yield f"# {title}"
    for lines in maps(overview):
        yield from ("", "```mermaid", *lines, "```")
    yield from ("", "## Apps", "", *_table(("app", "addresses", "runs", "image"), map(_what, parts)))
    yield from ("", "## At full scale", "")
    yield "CPU and memory of all pods together, with Istio's proxies."
    yield from ("", *_table(("app", "pods", "requests", "limits", "volumes", "backup"), map(_size, parts)))
    yield _total(parts)
    yield from ("", "## Who may call whom", "")
    calls, others = list(maps_of_calls(overview)), list(_others(overview))
    if not (calls or others):
        yield "NetworkPolicies and AuthorizationPolicies let in the gateways and nobody else."
        return
    yield "Besides the gateways, as far as NetworkPolicies and AuthorizationPolicies let them through:"
    for lines in calls:
        yield from ("", "```mermaid", *lines, "```")
    if others:
        yield from ("", *others)


def _others(overview: Overview) -> Iterator[str]:
    """The callers that no map has: pods that something else makes, and addresses."""
    found: dict[str, dict[tuple[int, ...], list[Call]]] = {}
    for call in overview.calls:
        if not call.caller.kind:
            found.setdefault(str(call.caller), {}).setdefault(call.ports, []).append(call)
    for caller, by_ports in sorted(found.items()):
        for ports, calls in by_ports.items():
            targets = ", ".join(_code(str(call.target)) for call in calls)
            yield f"- {_code(caller)}, at port {' and '.join(map(str, ports))} of {targets}"


Row = tuple[str, ...]


def _table(head: Row, parts: Iterable[Iterable[Row]]) -> Iterator[str]:
    yield _row(head)
    yield "|---" * len(head) + "|"
    yield from (_row(row) for rows in parts for row in rows)


def _what(part: App) -> Iterator[Row]:
    """What runs in one folder, a row for each workload, and one for the addresses that lead to none of them."""
    for workload in part.workloads:
        addresses = _cell(_code(address_of(address)) for address in part.addresses_of(workload))
        images = _cell(map(_image, workload.containers))
        runs = f"{_named(workload)}{f', {_code(workload.schedule)}' if workload.schedule else ''}"
        yield _link(part), addresses, runs, images
    reached = {address for workload in part.workloads for address in part.addresses_of(workload)}
    if others := [address for address in part.addresses if address not in reached]:
        yield _link(part), _cell(_code(address_of(address)) for address in others), "", ""


def _size(part: App) -> Iterator[Row]:
    """How much one folder takes, a row for each workload, and one for the volumes that none of them mounts."""
    for workload in part.workloads:
        takes = _takes(workload.requests), _takes(workload.limits)
        yield _link(part), f"{_named(workload)}, {pods_of(workload)}", *takes, *_volumes(workload.volumes)
    mounted = {volume for workload in part.workloads for volume in workload.volumes}
    if free := [volume for volume in part.volumes if volume not in mounted]:
        yield _link(part), "", "", "", *_volumes(free)


def _total(parts: Sequence[App]) -> str:
    workloads = [workload for part in parts for workload in part.workloads]
    takes = [_takes(_sum(getattr(workload, kind) for workload in workloads)) for kind in ("requests", "limits")]
    storage = _sum({"storage": v.size} for part in parts for v in part.volumes for _ in range(v.count))
    return _row(("**all of it**", "", *takes, storage.get("storage", ""), ""))


def _link(part: App) -> str:
    return f"[{part.name}]({part.folder})"


def _named(workload: Workload) -> str:
    return f"{workload.kind} {_code(workload.name)}"


def _volumes(volumes: Sequence[Volume]) -> tuple[str, str]:
    return (
        _cell(f"{_code(volume.name)} {size_of(volume)}" for volume in volumes),
        _cell(volume.backup or "none" for volume in volumes),
    )


def _image(container: Container) -> str:
    """An image, a line for each of its parts: the repository, the name with its tag, the digest."""
    image, at, digest = container.image.partition("@")
    repository, slash, name = image.rpartition("/")
    algorithm, colon, text = digest.partition(":")
    short = f"{at}{algorithm}{colon}{text[:DIGEST_LENGTH]}{'...' if len(text) > DIGEST_LENGTH else ''}"
    return "<br>".join(filter(None, map(_code, (f"{repository}{slash}", name, short))))


def _takes(amounts: Mapping[str, str]) -> str:
    """Amounts of CPU and memory; what else a pod takes is no reason to choose another node."""
    named = {"cpu": " CPU", "memory": ""}
    return ", ".join(f"{amounts[resource]}{unit}" for resource, unit in named.items() if resource in amounts)


def _sum(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    total: dict[str, Decimal] = {}
    for amounts in several:
        for resource, amount in amounts.items():
            total[resource] = total.get(resource, Decimal(0)) + amount_of(amount)
    return {resource: as_quantity(amount, binary=resource != "cpu") for resource, amount in total.items()}


def _code(text: str) -> str:
    """Text as it is, in a cell of a table too.

    https://github.github.com/gfm/#example-200
    """
    escaped = text.replace("|", "\\|")
    if not text:
        return ""
    return f"`` {escaped} ``" if "`" in escaped else f"`{escaped}`"


def _cell(texts: Iterable[str]) -> str:
    return "<br>".join(dict.fromkeys(texts))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
