"""Lines of cron and time zones, as Kubernetes reads them for a CronJob."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
Field = tuple[str, range, tuple[str, ...]]
FIELDS: tuple[Field, ...] = (
    ("minute", range(60), ()),
    ("hour", range(24), ()),
    ("day of the month", range(1, 32), ()),
    ("month", range(1, 13), MONTHS),
    ("day of the week", range(7), DAYS),
)
"""The fields of a line, the numbers that each may be, and names for those from the first on.

https://pkg.go.dev/github.com/robfig/cron/v3#hdr-CRON_Expression_Format
"""

NICKNAMES = {
    **dict.fromkeys(("@yearly", "@annually"), "0 0 1 1 *"),
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    **dict.fromkeys(("@daily", "@midnight"), "0 0 * * *"),
    "@hourly": "0 * * * *",
}
"""The same in fields: https://pkg.go.dev/github.com/robfig/cron/v3#hdr-Predefined_schedules"""
EVERY = re.compile(r"@every (\d+[hms])+")
PART = re.compile(r"(?:[*?]|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


def check_schedule(name: str, line: str, time_zone: str) -> None:
    """Look at when a job runs, before a cluster does.

    Raises:
        ValueError: the line is none of cron's, or there is no such time zone.
    """
    if line not in NICKNAMES and not EVERY.fullmatch(line):
        for problem in _problems(line):
            raise ValueError(f"{name} has the schedule {line!r}, {problem}: 0 3 * * * is every day at 3 o'clock")
    try:
        ZoneInfo(time_zone)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"{name} has the time zone {time_zone!r}, which is none: Europe/Berlin is one") from None


@cache
def period(line: str) -> int:
    """The seconds from a run to the next where they are nearest to each other; four years where there is no next."""
    if every := EVERY.fullmatch(line):
        return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", every[0]))
    fields = NICKNAMES.get(line, line).split()
    minutes, hours, dates, months, weekdays = map(_numbers, fields, FIELDS)
    # Where both are given, one of them is enough.
    of_both = any if not {"*", "?"} & {fields[2], fields[4]} else all
    calendar = (FIRST_DAY + timedelta(number) for number in range(FOUR_YEARS))
    days = [
        day.toordinal()
        for day in calendar
        if day.month in months and of_both((day.day in dates, day.isoweekday() % 7 in weekdays))
    ]
    times = sorted(hour * HOUR + minute * MINUTE for hour in hours for minute in minutes)
    between = [(later - earlier) * DAY - times[-1] + times[0] for earlier, later in pairwise(days)]
    return min([later - earlier for earlier, later in pairwise(times)] + between, default=FOUR_YEARS * DAY)


MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
UNITS = {"s": 1, "m": MINUTE, "h": HOUR}
FIRST_DAY, FOUR_YEARS = date(2024, 1, 1), 1461


def _numbers(text: str, field: Field) -> set[int]:
    """The numbers that a field of a line is for."""
    _, numbers, names = field
    known = {name: str(number) for number, name in enumerate(names, numbers.start)}
    found: set[int] = set()
    for match in filter(None, map(PART.fullmatch, text.split(","))):
        first, last = (known.get(str(bound).lower(), bound) for bound in (match["first"], match["last"]))
        start = int(first or numbers.start)
        stop = int(last or start) if first and not match["step"] else int(last or numbers.stop - 1)
        found.update(range(start, stop + 1, int(match["step"] or 1)))
    return found


LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""How many days each month has at most."""


def _never(line: str) -> str | None:
    """A day of the month that none of the months has, where no day of the week is asked for as well."""
    _, _, day, month, weekday = line.split()
    days, months = (re.findall(r"\d+", text.split("/")[0]) for text in (day, month))
    if weekday not in ("*", "?") or not days or "-" in day:
        return None
    numbers = [int(number) for number in months] or [MONTHS.index(name) + 1 for name in MONTHS if name in month.lower()]
    most = max([LONGEST[number - 1] for number in numbers if 1 <= number <= len(LONGEST)] or LONGEST)
    first = min(map(int, days))
    return f"whose day {first} month {month} does not have" if first > most else None


def _problems(line: str) -> Iterator[str]:
    fields = line.split()
    if len(fields) != len(FIELDS):
        yield f"which is not {', '.join(name for name, _, _ in FIELDS)}"
        return
    for text, (name, numbers, names) in zip(fields, FIELDS, strict=True):
        for part in text.split(","):
            if (match := PART.fullmatch(part)) is None or match["step"] == "0":
                yield f"whose {name} {part} cannot be read"
                continue
            given = [bound for bound in (match["first"], match["last"]) if bound is not None]
            known = {name: number for number, name in enumerate(names, numbers.start)}
            bounds = [int(bound) if bound.isdecimal() else known.get(bound.lower(), -1) for bound in given]
            if not all(bound in numbers for bound in bounds) or bounds != sorted(bounds):
                yield f"whose {name} {part} is not within {numbers.start} to {numbers.stop - 1}"
            elif match["step"] and int(match["step"]) >= len(numbers):
                yield f"whose {name} {part} steps over all of {numbers.start} to {numbers.stop - 1} but the first"
    if problem := _never(line):
        yield problem
    minute, hour, *_ = fields
    if minute in ("*", "*/1") and hour.isdecimal():
        yield f"which is every minute from {hour}:00 to {hour}:59"
