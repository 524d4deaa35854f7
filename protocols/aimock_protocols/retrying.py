"""When to come back after an error: the wait, and the headers that both OpenAI's SDKs and Anthropic's obey."""

from __future__ import annotations

import math

from aimock_protocols.canonical import ErrorReply, Headers


def wait_of(error: ErrorReply) -> float | None:
    """Seconds to wait before asking again: a 429 always says, other errors only if they are told to."""
    return 1.0 if error.retry_after is None and error.status == 429 else error.retry_after


def retry_headers(error: ErrorReply) -> Headers:
    """`retry-after` in whole seconds, and `retry-after-ms`, both rounded up: who waits so has waited long enough."""
    wait = wait_of(error)
    if wait is None:
        return ()
    return (("retry-after", str(math.ceil(wait))), ("retry-after-ms", str(math.ceil(wait * 1000))))
