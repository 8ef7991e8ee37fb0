"""What somebody says of a hazard: that it is wanted, and why.

A line `accepts: RISK WHERE WHY`, in the text of a pull request or in a file. WHERE is
`environment/Kind/namespace/name`, without the namespace where there is none; `*` stands for any part of it:

    accepts: outage staging/Deployment/wiki/wiki the move is announced for Sunday
    accepts: refused */PriorityClass/* the clusters are made anew
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from synth.changes.sides import Hazard, Risk

LINE = re.compile(
    r"^[ \t]*(?:[-*+>][ \t]+)*(?P<quote>`*)accepts:[ \t]*(?P<rest>[^\n]*?)(?:(?P=quote))?[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Acceptance:
    """One line: which hazards it is about and why they are wanted. `source` says where it stands."""

    risk: str
    where: str
    why: str
    source: str

    def covers(self, environment: str, hazard: Hazard) -> bool:
        """Whether it is about a hazard, and says all that it has to."""
        return bool(self.why) and self.risk == hazard.risk and fnmatchcase(place(environment, hazard), self.where)

    @property
    def fault(self) -> str:
        """Why it can be about nothing, empty if it can."""
        if self.risk not in list(Risk):
            return f"there is no {self.risk or 'such'} change; there are {', '.join(Risk)}"
        if not self.where:
            return "it does not say where: write environment/Kind/namespace/name behind it"
        return "" if self.why else "it does not say why: write the reason behind it"

    def __str__(self) -> str:
        return " ".join(filter(None, ("accepts:", self.risk, self.where, self.why)))


def place(environment: str, hazard: Hazard) -> str:
    """Where a hazard is, as an acceptance names it."""
    return "/".join(filter(None, (environment, hazard.item.kind, hazard.item.namespace, hazard.item.name)))


def read(text: str, source: str) -> list[Acceptance]:
    """The acceptances of a text. What stands in a comment of Markdown is none."""
    found = []
    for match in LINE.finditer(COMMENT.sub("", text.replace("\r\n", "\n"))):
        risk, where, why = (*match["rest"].split(None, 2), "", "", "")[:3]
        found.append(Acceptance(risk.lower().rstrip(":"), where.rstrip(":"), why.strip().strip("."), source))
    return found


def line_for(places: Iterable[str], risk: Risk) -> str:
    """The shortest acceptance that is for all of some places, but for the reason."""
    split = [place.split("/") for place in dict.fromkeys(places)]
    if len({len(parts) for parts in split}) == 1:
        columns = [set(column) for column in zip(*split, strict=True)]
        where = "/".join(next(iter(column)) if len(column) == 1 else "*" for column in columns)
    else:
        where = "*"
    return f"accepts: {risk} {where}"
