"""What is measured, one module a row of questions. Each measures all servers in alternation and returns table rows.

A row of another kind (the fidelity of paced streams: how late each frame is) is one more module and one more entry.
"""

from collections.abc import Callable

from bench.plan import Plan
from bench.report import Row
from bench.rows import cold, cpu, match, memory, micro

ROWS: dict[str, Callable[[Plan], list[Row]]] = {
    "cpu": cpu.measure,
    "match": match.measure,
    "micro": micro.measure,
    "cold": cold.measure,
    "memory": memory.measure,
}
