"""All recorded traffic, read by our protocols and said again by them: to an independent reader both are the same.

The tests of each protocol say more of its own traffic; this one counts, and tells the counts at the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import orjson
import pytest

from aimock.net.exchange import Head
from aimock_protocols.canonical import Stamp, WireError
from aimock_protocols.registry import PROTOCOLS
from recorded import body_of, is_stream, needs_corpus, rows_of

pytestmark = needs_corpus


class Recorded(NamedTuple):
    """The traffic of one file."""

    protocol: str
    rows: int
    errors: int = 0
    """Rows that are errors, and are read as such."""
    differently: int = 0
    """Rows that are said again otherwise than they came, though all is read."""


FILES = {
    "anthropic.messages": Recorded("anthropic_messages", 144),
    "bedrock.converse": Recorded("bedrock_converse", 106, errors=3, differently=2),  # runs of the provider's own tools
    "bedrock.converse-stream": Recorded("bedrock_converse", 5, errors=1, differently=1),  # likewise
    "bedrock.invoke": Recorded("bedrock_invoke", 13),
    "cohere.chat": Recorded("cohere", 3),
    "gemini.generate": Recorded("gemini", 195, errors=3),
    # Usage that no stream was asked for (5), and finish reasons that were empty or missing (4).
    "openai.chat": Recorded("openai_chat", 239, errors=3, differently=8),
    "openai.embeddings": Recorded("openai_embeddings", 4, errors=1),
    # Thoughts in several parts, which are joined by blank lines (6), or with text of their own, told as summaries (11).
    "openai.responses": Recorded("openai_responses", 162, errors=3, differently=17),
}
STAMP = Stamp(1795200000.0, b"said again" * 6 + b"once")


def asked(protocol: Any, row: dict[str, Any]) -> Any:
    """The shape of the request that was recorded."""
    path, _, query = row["path"].partition("?")
    model = path.rpartition("/models/")[2].rpartition(":")[0] or path.rpartition("/model/")[2].partition("/")[0]
    head = Head("POST", row["path"], path, query, {}, ())
    return protocol.shape(protocol.decode(head, {"model": model}, orjson.dumps(row["request"])))


@pytest.mark.parametrize(("name", "recorded"), FILES.items(), ids=FILES)
def test_what_is_read_is_said_again(
    oracle: ModuleType, record_property: Callable[[str, object], None], name: str, recorded: Recorded
) -> None:
    protocol: Any = next(each for each in PROTOCOLS if each.name == recorded.protocol).load()
    errors = same = 0
    rows = [row for row in rows_of(name) if isinstance(row["request"], dict)]  # others were not recorded in full
    for row in rows:
        body, content_type = body_of(row), row["content_type"]
        if row["status"] != 200:
            with pytest.raises(WireError):
                protocol.parse(body)
            errors += 1
            continue
        streamed = is_stream(row)
        reply = protocol.collapse([body]) if streamed else protocol.parse(body)
        shape = asked(protocol, row)
        if streamed:
            again = b"".join(frame.data for frame in protocol.frames(reply, shape, STAMP, 20))
        else:
            again = protocol.encode(reply, shape, STAMP)
        summaries = [oracle.summary(row["protocol"], content_type, each) for each in (body, again)]
        same += summaries[0] == summaries[1]
    record_property("counted", f"{name}: {same} of {len(rows)} recorded answers said again alike, {errors} errors read")
    assert (len(rows), errors, len(rows) - errors - same) == (recorded.rows, recorded.errors, recorded.differently)
