"""What tokens cost: the table that comes with the package, a file of one's own, and what nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from aimock.record.prices import PriceError, price_list
from aimock_protocols.consumption import Consumption

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "consumption", "cost"),
    [
        ("gpt-4o", Consumption(MILLION, MILLION, output=MILLION), 2.5 + 1.25 + 10),
        ("gpt-4o-2024-08-06", Consumption(MILLION), 2.5),
        ("gpt-4o-2024-05-13", Consumption(MILLION), 5),
        ("gpt-4-turbo", Consumption(0, MILLION), 10),
        ("claude-sonnet-4-20250514", Consumption(100, 100, 100, 100, 100), (3 + 0.3 + 3.75 + 6 + 15) / 10_000),
        ("models/gemini-2.5-pro", Consumption(200_000), 0.25),
        ("gemini-2.5-pro", Consumption(200_001), None),
        ("text-embedding-3-small", Consumption(MILLION), 0.02),
        ("gpt-4o-audio-preview", Consumption(1), None),
        ("my-own-model", Consumption(1), None),
        ("my-own-model", Consumption(1, charged=0.5), 0.5),
    ],
)
def test_list_prices(model: str, consumption: Consumption, cost: float | None) -> None:
    assert price_list().cost(model, consumption) == (None if cost is None else pytest.approx(cost))


def test_a_file_goes_before_the_list(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    own = {"my-*": {"input": 1, "output": 2}, "gpt-4o": {"input": 0, "cachedInput": 0, "output": 0}}
    file.write_bytes(orjson.dumps(own))
    prices = price_list(file)
    assert prices.cost("my-own-model", Consumption(MILLION, output=MILLION)) == 3
    assert prices.cost("gpt-4o-2024-08-06", Consumption(MILLION, MILLION, output=MILLION)) == 0
    assert prices.cost("gpt-4o-mini", Consumption(MILLION)) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "expected an object, got []"),
        (b'{"m":1}', "m: expected an object, got 1"),
        (b'{"m":{"input":1}}', "m.output: is missing"),
        (b'{"m":{"input":-1,"output":1}}', "m.input: expected a number of 0 or more, got -1"),
        (b'{"m":{"input":1,"output":1,"cachedinput":1}}', 'm.cachedinput: unknown key, did you mean "cachedInput"?'),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "prices.json"
    file.write_bytes(content)
    with pytest.raises(PriceError, match=r"prices\.json: ") as raised:
        price_list(file)
    assert said in str(raised.value)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="No such file or directory"):
        price_list(tmp_path / "prices.json")


def test_long_cache_writes_without_a_price(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    known: dict[str, Any] = {"m": {"input": 1, "output": 1}}
    file.write_bytes(orjson.dumps(known))
    assert price_list(file).cost("m", Consumption(1, long_cache_writes=1)) is None
