"""Rules for words that only a shell would take apart, join or fill in, in what containers run without one.

Kubernetes starts a program with the words that it is given:
https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
"""

import re
from collections.abc import Iterator
from json import dumps
from pathlib import PurePosixPath

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import PROBES, containers

SHELLS = ("sh", "bash", "ash", "dash", "zsh", "ksh", "fish")
JOINING = ("&&", "||", "|", "&", ">", ">>", "2>&1", "2>", "<")
"""`;` is none of them: it ends what `find -exec` runs."""
# $(NAME) is a variable for Kubernetes; with more in it, it would be a command for a shell.
RUN_FIRST = re.compile(r"(?<!\$)\$\([^()\s]+\s[^()]*\)")
HOME = re.compile(r"(?:^|=)~/")
IN_A_SHELL = 'it for a shell, as in ["sh", "-ec", "a && b"]'
TWO_WORDS = re.compile(r"(--[a-z][\w.-]*)\s+(\S.*)", re.DOTALL)


def words_need_no_shell(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        for container in containers(item.document):
            for place, words, begins in _commands(container):
                if not any(PurePosixPath(word.split(" ")[0]).name in SHELLS for word in words):
                    for problem in _problems(words, begins=begins):
                        yield Violation(item, f"has container {container['name']} with {place} {problem}")


def _commands(container: Document) -> Iterator[tuple[str, list[str], bool]]:
    """What runs in a container: where it says so, the words, and whether the first of them is the program."""
    command, arguments = (list(map(str, container.get(field) or [])) for field in ("command", "args"))
    if command or arguments:
        yield "a command", [*command, *arguments], bool(command)
    handlers = {**{probe: container.get(probe) or {} for probe in PROBES}, **(container.get("lifecycle") or {})}
    for kind, handler in handlers.items():
        if words := (handler.get("exec") or {}).get("command"):
            yield f"a {kind}", list(map(str, words)), True


def _problems(words: list[str], *, begins: bool) -> Iterator[str]:
    if begins and len(parts := words[0].split()) > 1:
        yield f"that runs {words[0]!r} as one program: write each word by itself, as in {dumps(parts)}"
        return
    for word in words:
        if word in JOINING:
            yield f"with {word!r}, which no shell reads: write {IN_A_SHELL}, or leave it out"
        elif found := RUN_FIRST.search(word):
            yield f"with {found[0]}, which no shell runs: write {IN_A_SHELL}, or the text itself"
        elif HOME.search(word):
            yield f"with {word}, whose ~ no shell fills in: write the folder from / on"
        elif found := TWO_WORDS.fullmatch(word):
            option, value = found.groups()
            yield f"with {word!r} as one word: write {option}={value}, or {dumps(option)}, {dumps(value)}"


RULES: tuple[Rule, ...] = (words_need_no_shell,)
