"""What a job's schedule may be."""

import pytest

from synth.schedule import DAY, HOUR, check_schedule, period


@pytest.mark.parametrize(
    "line",
    [
        "0 3 * * *",
        "*/5 8-18 * jan-mar,DEC mon-fri",
        "0,30 0-23/2 1 1 0",
        "15 10 ? * 6",
        "@daily",
        "* 8-17 * * *",
        "* * * * *",
        "@every 1h30m",
        "5/15 * * * *",
        "0 3 29 2 *",
        "0 3 31 1,2 *",
        "0 3 30 2 mon",
        "0 3 31 * *",
        "0 3 28-31 feb *",
    ],
)
def test_a_line_of_cron_may_be(line: str) -> None:
    check_schedule("job", line, "Etc/UTC")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("0 3 * *", "which is not minute, hour, day of the month, month, day of the week"),
        ("0 0 3 * * *", "which is not minute"),
        ("* 3 * * *", "which is every minute from 3:00 to 3:59"),
        ("60 3 * * *", "whose minute 60 is not within 0 to 59"),
        ("0 3 0 * *", "whose day of the month 0 is not within 1 to 31"),
        ("0 3 * * 7", "whose day of the week 7 is not within 0 to 6"),
        ("0 3 * mon *", "whose month mon is not within 1 to 12"),
        ("30-10 3 * * *", "whose minute 30-10 is not within 0 to 59"),
        ("*/0 3 * * *", "whose minute */0 cannot be read"),
        ("*/90 3 * * *", "whose minute */90 steps over all of 0 to 59 but the first"),
        ("0 */24 * * *", "whose hour */24 steps over all of 0 to 23 but the first"),
        ("@never", "which is not minute"),
        ("0 3 30 2 *", "whose day 30 month 2 does not have"),
        ("0 3 31 apr,jun *", "whose day 31 month apr,jun does not have"),
    ],
)
def test_another_line_may_not(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match="job has the schedule") as raised:
        check_schedule("job", line, "Etc/UTC")
    assert problem in str(raised.value)


@pytest.mark.parametrize("zone", ["Berlin", "", "../UTC", "Europe"])
def test_a_time_zone_is_one_of_the_known_ones(zone: str) -> None:
    with pytest.raises(ValueError, match="Europe/Berlin is one"):
        check_schedule("job", "0 3 * * *", zone)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("* * * * *", 60),
        ("*/15 * * * *", 900),
        ("*/15 2-4 * * sun", 900),
        ("5/20 * * * *", 1200),
        ("0,10 3 * * *", 600),
        ("50 3,4 * * *", HOUR),
        ("0 1-23/2 * * *", 2 * HOUR),
        ("0 22,1 * * *", 3 * HOUR),
        ("0 22,1 * * mon", 21 * HOUR),
        ("0 3 * * *", DAY),
        ("0 3 1 * *", 28 * DAY),
        ("0 3 1 jan-mar *", 28 * DAY),
        ("0 3 29 2 *", 4 * 365 * DAY + DAY),
        ("0 3 * * mon,thu", 3 * DAY),
        ("0 3 * * sun-tue", DAY),
        ("0 3 1 * mon", DAY),
        ("0 22,1 * * sat", 21 * HOUR),
        ("@hourly", HOUR),
        ("@daily", DAY),
        ("@weekly", 7 * DAY),
        ("@monthly", 28 * DAY),
        ("@annually", 365 * DAY),
        ("@every 1h30m", 5400),
        ("@every 45s", 45),
    ],
)
def test_runs_are_so_far_apart(line: str, seconds: int) -> None:
    check_schedule("job", line, "Etc/UTC")
    assert period(line) == seconds
