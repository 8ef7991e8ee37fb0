"""The overview of an environment as a page for people: the map, and the table of what runs there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from synth.overview.model import App, Call, Container, Overview, Volume
from synth.overview.picture import address_of, pictures, pods_of, size_of
from synth.quantity import as_quantity
from synth.takes import amount_of
from synth.tree import Page

README = "README.md"
DIGEST_LENGTH = 12
"""So many characters of an image's digest tell it from any other that one compares it with."""

HEAD = ("app", "workload", "addresses", "image", "pods", "requests", "limits", "volumes", "backup")


def page(overview: Overview, title: str, source: str) -> Page:
    """The page of an environment, called `title`; `source` is the module that composes it."""
    return Page("\n".join(_lines(overview, title)) + "\n", source)


def _lines(overview: Overview, title: str) -> Iterator[str]:
    yield f"# {title}"
    for picture in pictures(overview):
        yield from ("", "```mermaid", *picture, "```")
    if others := list(_others(overview)):
        yield from ("", "Beside the arrows, these may call:", "", *others)
    yield from ("", "## Apps", "")
    yield "Requests and limits are CPU and memory of all pods at full scale, Istio's proxies included."
    yield from ("", *_table(overview.apps, "all apps"))
    if overview.platform:
        yield from ("", "## Platform", "", *_table(overview.platform, "all of it"))


def _others(overview: Overview) -> Iterator[str]:
    """The callers that have no arrow: pods that something else makes, and addresses."""
    found: dict[str, dict[tuple[int, ...], list[Call]]] = {}
    for call in overview.calls:
        if not call.caller.kind:
            found.setdefault(str(call.caller), {}).setdefault(call.ports, []).append(call)
    for caller, by_ports in sorted(found.items()):
        for ports, calls in by_ports.items():
            targets = ", ".join(_code(str(call.target)) for call in calls)
            yield f"- {_code(caller)}, at port {' and '.join(map(str, ports))} of {targets}"


def _table(parts: Sequence[App], total: str) -> Iterator[str]:
    yield _row(HEAD)
    yield "|---" * len(HEAD) + "|"
    for part in parts:
        yield from map(_row, _rows(part))
    workloads = [workload for part in parts for workload in part.workloads]
    if len(workloads) > 1:
        takes = [_takes(_sum(getattr(workload, kind) for workload in workloads)) for kind in ("requests", "limits")]
        storage = _sum({"storage": v.size} for part in parts for v in part.volumes for _ in range(v.count))
        yield _row((f"**{total}**", "", "", "", "", *takes, storage.get("storage", ""), ""))


def _rows(part: App) -> Iterator[tuple[str, ...]]:
    """A row for each workload, and one for the volumes that none of them mounts."""
    app = f"[{part.name}]({part.folder})"
    for workload in part.workloads:
        yield (
            app,
            f"{workload.kind} {_code(workload.name)}{f', at {_code(workload.schedule)}' if workload.schedule else ''}",
            _cell(_code(address_of(address)) for address in part.addresses_of(workload)),
            _cell(map(_image, workload.containers)),
            pods_of(workload),
            _takes(workload.requests),
            _takes(workload.limits),
            *_volumes(workload.volumes),
        )
    mounted = [volume for workload in part.workloads for volume in workload.volumes]
    if free := [volume for volume in part.volumes if volume not in mounted]:
        yield (app, "", "", "", "", "", "", *_volumes(free))


def _volumes(volumes: Sequence[Volume]) -> tuple[str, str]:
    return (
        _cell(f"{_code(volume.name)} {size_of(volume)}" for volume in volumes),
        _cell(volume.backup or "none" for volume in volumes),
    )


def _image(container: Container) -> str:
    name, at, digest = container.image.partition("@")
    algorithm, colon, text = digest.partition(":")
    short = f"{text[:DIGEST_LENGTH]}..." if len(text) > DIGEST_LENGTH else text
    return f"{_code(f'{name}{at}{algorithm}{colon}{short}')}{', at the start' if container.first else ''}"


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
    return f"`` {escaped} ``" if "`" in escaped else f"`{escaped}`"


def _cell(texts: Iterable[str]) -> str:
    return "<br>".join(dict.fromkeys(texts))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
