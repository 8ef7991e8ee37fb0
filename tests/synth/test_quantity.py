"""Kubernetes quantities: text to number and back."""

from decimal import Decimal

import pytest

from synth.quantity import as_quantity, quantity, seconds


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        ("1", "1"),
        ("250m", "0.25"),
        ("1.5", "1.5"),
        ("1.", "1"),
        (".5", "0.5"),
        ("1Ki", "1024"),
        ("64Mi", "67108864"),
        ("1Gi", "1073741824"),
        ("0.5Gi", "536870912"),
        ("1k", "1000"),
        ("2E", "2000000000000000000"),
        ("2Ei", "2305843009213693952"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("25e-2", "0.25"),
        ("7u", "0.000007"),
        ("5n", "0.000000005"),
    ],
)
def test_a_quantity_is_a_number(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("number", [0, 2, 0.25])
def test_yaml_may_have_read_a_number_already(number: float) -> None:
    assert quantity(number) == Decimal(str(number))


@pytest.mark.parametrize("text", ["", "64MB", "1 Gi", "-1", "abc", "1K", "1mi", "Mi", "1..5", "1e"])
def test_what_kubernetes_would_refuse_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity: write a number and a unit"):
        quantity(text)


@pytest.mark.parametrize("value", [None, True, {}])
def test_what_is_no_number_is_no_quantity(value: object) -> None:
    with pytest.raises(ValueError, match="is not a quantity: write a number and a unit"):
        quantity(value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("0.001", "1m"),
        ("0.25", "250m"),
        ("0.999", "999m"),
        ("1", "1"),
        ("1.000", "1"),
        ("1.5", "1500m"),
        ("2", "2"),
        ("1024", "1024"),
    ],
)
def test_cores_are_whole_or_in_thousandths(number: str, text: str) -> None:
    assert as_quantity(Decimal(number), binary=False) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1000, "1000"),
        (1023, "1023"),
        (1024, "1Ki"),
        (1025, "1025"),
        (1536, "1536"),
        (1024**2 - 1024, "1023Ki"),
        (1024**2, "1Mi"),
        (192 * 1024**2, "192Mi"),
        (1024**3, "1Gi"),
        (1280 * 1024**2, "1280Mi"),
        (1024**3 + 1, "1073741825"),
        (1024**4, "1Ti"),
        (20 * 1024**6, "20Ei"),
    ],
)
def test_bytes_are_in_the_largest_unit_that_keeps_them_whole(number: int, text: str) -> None:
    assert as_quantity(number, binary=True) == text
    assert as_quantity(Decimal(number), binary=True) == text


@pytest.mark.parametrize("text", ["0", "1", "999", "1Ki", "1025", "64Mi", "1536Mi", "1Gi", "3Ti", "5Pi", "2Ei"])
def test_bytes_read_back_as_they_were_written(text: str) -> None:
    assert as_quantity(quantity(text), binary=True) == text


@pytest.mark.parametrize("text", ["0", "1m", "50m", "999m", "1", "1001m", "2500m", "16"])
def test_cores_read_back_as_they_were_written(text: str) -> None:
    assert as_quantity(quantity(text), binary=False) == text


AMOUNTS = [0, 1, 7, 1000, 1023, 1024, 1536, 10**6, 64 * 1024**2, 10**9, 3 * 1024**3 + 5, 1024**5, 2 * 10**18]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_every_amount_comes_back(amount: int) -> None:
    assert quantity(as_quantity(amount, binary=True)) == amount
    assert quantity(as_quantity(amount, binary=False)) == amount
    thousandths = Decimal(amount) / 1000
    assert quantity(as_quantity(thousandths, binary=False)) == thousandths


def test_an_amount_that_no_unit_keeps_whole_stays_as_it_is() -> None:
    assert as_quantity(quantity("500u"), binary=False) == "0.0005"
    assert as_quantity(quantity("0.5"), binary=True) == "0.5"


def test_an_exponent_beyond_all_reason_is_no_quantity() -> None:
    with pytest.raises(ValueError, match="'1e9999999' is not a quantity"):
        quantity("1e9999999")


@pytest.mark.parametrize(
    ("text", "number"), [("90s", "90"), ("1m30s", "90"), ("1.5h", "5400"), ("250ms", "0.25"), ("0s", "0")]
)
def test_a_duration_is_so_many_seconds(text: str, number: str) -> None:
    assert seconds(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "10", "1d", "5 s", "1m-3s"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write a number and ms, s, m or h"):
        seconds(text)
