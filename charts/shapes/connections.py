"""What concerns several apps: who calls whom, and whose paths belong to whose host."""

from collections.abc import Mapping, Sequence

from charts.shapes.app import App
from charts.shapes.route import Route
from charts.shapes.workload import Workload
from synth import DefinitionError
from synth.tree import module_of


def connect(apps: Sequence[App]) -> None:
    """Let the workloads of all apps reach those that they call, and put paths of another's host there.

    Raises:
        DefinitionError: a workload calls one that is not there or cannot be called, or has paths of a host that nobody
            has.
    """
    parts = [part for app in apps for part in app.parts]
    workloads = [part for part in parts if isinstance(part, Workload)]
    named: dict[str, list[Workload]] = {}
    for workload in workloads:
        named.setdefault(workload.name, []).append(workload)
        named.setdefault(f"{workload.app.name}/{workload.name}", []).append(workload)
    for workload in workloads:
        called: list[Workload] = []
        for name in workload.pod.calls:
            called.append(_called(workload, name, named, called))
            workload.call(called[-1])
    routes = [part for part in parts if isinstance(part, Route)]
    owners = {host: route for route in routes for host in route.virtual_services}
    for route in routes:
        for host in route.hosts if route.paths else ():
            if host not in owners:
                raise DefinitionError(
                    f"{route.workload.name} serves {', '.join(route.paths)} of {host}, a host that no app has: there "
                    f"are {', '.join(owners) or 'none'} ({module_of(route.workload.app)})"
                )
            route.share(owners[host], host)


def _called(
    caller: Workload, name: str, named: Mapping[str, Sequence[Workload]], before: Sequence[Workload]
) -> Workload:
    """The workload that another one calls by a name, when it calls those `before` already."""
    found = named.get(name, [])
    if not found:
        problem = f"but there is no such workload: there are {', '.join(known for known in named if '/' not in known)}"
    elif len(found) > 1:
        full = " or ".join(f"{target.app.name}/{target.name}" for target in found)
        problem = f"of which there are several: write {full}"
    elif found[0] in before:
        problem = "and names it twice: leave one out"
    else:
        return found[0]
    raise DefinitionError(f"{caller.name} calls {name}, {problem} ({module_of(caller.app)})")
