"""What matching alone costs, in this process: no wire, no JSON, only a question put to a book of fixtures.

The one row that looks inside aimock, and so the one that has no peer: it tells where a change of the match row is from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import repeat

from bench import CannotRun, fixtures
from bench.plan import Plan
from bench.report import Row
from bench.servers import OURS

REPETITIONS = 2_000
PROMPTS = {"short prompt": 0, "4 KB prompt": 4096}
"""Characters of other text before the needle."""
FILLER = "Consider everything that has been said so far before you answer. "


def measure(plan: Plan) -> list[Row]:
    """Sizes and prompts take turns, as servers do in the other rows."""
    rows: list[Row] = []
    timed: list[tuple[Row, Callable[[], float]]] = []
    for size in plan.sizes if OURS in plan.servers else ():
        match = _book_of(size)
        for name, length in PROMPTS.items():
            row = Row(f"matching alone, {size:,} fixtures, {name}", "µs")
            prompt = (FILLER * (length // len(FILLER))) + fixtures.needle(size)
            rows.append(row)
            timed.append((row, _timer(match, prompt)))
    for _ in plan.progress("micro", plan.rounds):
        for row, cost in timed:
            row.add(OURS.name, cost())
    return rows


def _timer(match: Callable[[str], object], prompt: str) -> Callable[[], float]:
    match(prompt)  # builds the index

    def microseconds() -> float:
        before = time.process_time()
        for each in repeat(prompt, REPETITIONS):
            match(each)
        return (time.process_time() - before) * 1e6 / REPETITIONS

    return microseconds


def _book_of(size: int) -> Callable[[str], object]:
    """Matches a prompt among `size` fixtures as the server would, the facts of the request derived anew each time."""
    from aimock.fixtures.book import FixtureBook
    from aimock.fixtures.counters import Counters
    from aimock.fixtures.fixture import Fixture
    from aimock.fixtures.match import Match
    from aimock.fixtures.question import Question
    from aimock.fixtures.response import Response
    from aimock.fixtures.selection import Found
    from aimock_protocols.canonical import ChatRequest

    last = fixtures.needle(size)
    book, counters = FixtureBook(), Counters()
    numbers = range(1, size + 1)
    book.append(Fixture(Match(user_message=fixtures.needle(n)), Response.of({"content": "answer"})) for n in numbers)

    def match(prompt: str) -> object:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]}
        return book.match(Question(ChatRequest(body=body, native=body, model="gpt-4o")), counters)

    found = match(last)
    if not isinstance(found, Found) or found.fixture.match.user_message != last:
        raise CannotRun(f"{last!r} among {size:,} fixtures matched {found!r}")
    return match
