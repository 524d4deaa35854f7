"""What is measured, one module a row of questions. Each measures all servers in alternation and returns table rows."""

from collections.abc import Callable

from bench.plan import Plan
from bench.report import Row
from bench.rows import cold, cpu, every, fidelity, match, memory, micro, protocols, recording, sockets, vector

ROWS: dict[str, Callable[[Plan], list[Row]]] = {
    "cpu": cpu.measure,
    "protocols": protocols.measure,
    "every": every.measure,
    "match": match.measure,
    "micro": micro.measure,
    "cold": cold.measure,
    "memory": memory.measure,
    "fidelity": fidelity.measure,
    "sockets": sockets.measure,
    "recording": recording.measure,
    "vector": vector.measure,
}
