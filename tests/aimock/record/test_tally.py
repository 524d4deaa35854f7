"""What a recording server has done, as sums and as lines for people."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from aimock import AIMock
from aimock.record.prices import Price, PriceList
from aimock.record.tally import Sum, Tally, report
from aimock_protocols.consumption import Consumption


def test_clients_cannot_make_it_grow() -> None:
    counted = Sum()
    for number in range(1000):
        counted.of(f"model-{number}").add(Consumption(1), 1.0)
    assert len(counted.models) == 101
    assert counted.models["other models"].requests == 900
    assert counted.requests == 1000


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        (0.0, "$0.00"),
        (0.00001, "less than $0.0001"),
        (0.0001, "$0.0001"),
        (0.98765, "$0.9877"),
        (1.005, "$1.00"),
        (12345.6, "$12,345.60"),
    ],
)
def test_money(dollars: float, shown: str) -> None:
    tally = Tally(PriceList({}), clock=lambda: 0.0)
    tally.recorded.of("m").add(Consumption(1), dollars)
    assert list(report(tally))[1] == f"  recorded m: 1 request, 1 tokens in, 0 out, {shown}"


def test_what_is_not_known_is_said() -> None:
    tally = Tally(PriceList({}), clock=lambda: 0.0)
    tally.recorded.seconds = 1.25
    known, unknown, untold = (tally.recorded.of(model) for model in ("known", "unknown", "untold"))
    known.add(Consumption(10, output=5), 0.5)
    known.add(Consumption(1), None)
    known.add(None, None)
    unknown.add(Consumption(1_000), None)
    untold.add(None, None)
    tally.replayed.of("unknown").add(Consumption(1), None)
    tally.replayed.seconds = -0.1
    assert list(report(tally)) == [
        "5 recorded, 1 replayed, 0 missed, 0 failed",
        "  recorded known: 3 requests, 11 tokens in, 5 out, $0.5000, tokens of 1 not told, price of 1 unknown",
        "  recorded unknown: 1 request, 1,000 tokens in, 0 out, price unknown",
        "  recorded untold: 1 request, tokens not told",
        "  replayed unknown: 1 request, 1 tokens in, 0 out, price unknown",
        "  the recorded ones cost $0.5000 (and 4 of unknown price) and 1.2 s",
        "  the replayed ones saved an unknown price and 0.0 s",
    ]


def test_seconds_are_those_of_the_provider_and_those_that_were_spared(tmp_path: Path) -> None:
    """And embeddings count too, and models that nobody can print."""
    now = [0.0]
    tally = Tally(PriceList({"text-*": Price(1_000_000, 0)}), clock=lambda: now[0])
    with AIMock() as provider, AIMock() as mock:
        tally.watch(mock._state)
        mock.enable_recording({"providers": {"openai": provider.url}, "fixturePath": str(tmp_path)})
        body = {"model": "text-\x1b[2J", "input": "hello"}
        for _ in range(2):
            assert httpx.post(f"{mock.url}/v1/embeddings", json=body).status_code == 200
        assert httpx.post(f"{mock.url}/v1/nowhere", json={}).status_code == 404
    (recorded,) = tally.recorded.models.items()
    assert recorded[0] == "text-?[2J"
    assert recorded[1].dollars == recorded[1].prompt > 0
    assert tally.replayed.models.keys() == {"text-?[2J"}
    assert 0 < tally.replayed.seconds == pytest.approx(tally.recorded.seconds, abs=0.001)
    assert (tally.missed, tally.failed, tally.relayed, tally.answered) == (1, 0, 0, 0)
