"""Rules for where servers are told to listen: at the address of their pod, and at a port that it declares.

The sidecar and the kubelet call an app at its pod's address, so that one that listens at 127.0.0.1 is never reached:
https://istio.io/latest/docs/ops/configuration/traffic-management/network-topologies/ has the ways through a mesh, and
https://istio.io/latest/blog/2021/upcoming-networking-changes/ says since when it is so.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import declared, pod_spec

OF_THE_POD_ALONE = re.compile(r"(?:https?://)?(?:127(?:\.\d+){3}|localhost|\[?::1\]?)(?::(?P<port>\d+))?")
ANY = re.compile(r"(?:https?://)?(?:0\.0\.0\.0|\[::\]|\*)?:(?P<port>\d+)")
AT = re.compile(r"--(?:(?:http|web)[.-])?(?:host|bind|listen|addr|address|listen-address|listen-addr|bind-address)")
"""Options of servers that say where they listen: those of uvicorn, gunicorn, Prometheus and of many written in Go."""
PORTS = ("--port", "--http-port", "--listen-port", "--server.port")
NAMED_AT = re.compile(r"(?:.*_)?(?:BIND|LISTEN)(?:_?(?:ADDR|ADDRESS|HOST|IP))?|(?:UVICORN_|FLASK_RUN_)?HOST")
NAMED_PORTS = re.compile(r"PORT|UVICORN_PORT|FLASK_RUN_PORT|SERVER_PORT|HTTP_PORT|(?:.*_)?LISTEN_PORT")


def servers_listen_where_they_are_called(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        alone = len(pod_spec(item.document).get("containers") or []) == 1
        for container in pod_spec(item.document).get("containers") or []:
            own = [port.number for port in declared([container])]
            for place, text, is_port in _said(container) if own else ():
                if problem := _problem(text, own, is_port=is_port, alone=alone):
                    yield Violation(item, f"has container {container['name']} with {place} {text}, {problem}")


def _said(container: Document) -> Iterator[tuple[str, str, bool]]:
    """What a container is told of where to listen: where it is told, the text, and whether that is a port alone."""
    for variable in container.get("env") or []:
        name, value = variable["name"].upper(), str(variable.get("value", ""))
        if NAMED_PORTS.fullmatch(name) or NAMED_AT.fullmatch(name):
            yield variable["name"], value, bool(NAMED_PORTS.fullmatch(name))
    words = [str(word) for word in (*(container.get("command") or []), *(container.get("args") or []))]
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        option, is_whole, value = word.partition("=")
        if option in PORTS or AT.fullmatch(option):
            yield option, value if is_whole else following, option in PORTS


def _problem(text: str, own: list[int], *, is_port: bool, alone: bool) -> str:
    numbers = ", ".join(map(str, own))
    match = OF_THE_POD_ALONE.fullmatch(text) or ANY.fullmatch(text)
    port = text if is_port else match and match["port"]
    if port and str(port).isdecimal() and int(port) not in own:
        # At an address of the pod's own it may be a port for the pod alone.
        return "" if match and OF_THE_POD_ALONE.fullmatch(text) else f"but declares port {numbers}: let them agree"
    if match and OF_THE_POD_ALONE.fullmatch(text) and (port or alone):
        return f"where nobody outside the pod reaches port {numbers}: write 0.0.0.0 instead"
    return ""


RULES: tuple[Rule, ...] = (servers_listen_where_they_are_called,)
