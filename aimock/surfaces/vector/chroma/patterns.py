"""Regular expressions of filters, in bounded time.

Chroma's own never backtrack. What would here is stopped, and the call fails, for half an answer would be a wrong one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from aimock_protocols.chroma.errors import failed, refused
from aimock_protocols.chroma.patterns import MODE, syntax_error, translated

SECONDS = 2.0
"""That all searches of one call may take."""


@attrs.define
class Patterns:
    """Those of one call."""

    is_used: bool = False
    left: float = SECONDS
    """Seconds that searches may still take."""

    def searcher(self, source: str) -> Callable[[str], bool]:
        """Raises WireError if the pattern is none; what it gives raises it if time is up."""
        import regex  # half of a cold start's import time, and few filters have a pattern

        self.is_used = True
        try:
            compiled = regex.compile(translated(source))
        except regex.error as error:
            raise syntax_error(source, str(error.msg), max(0, (error.pos or 0) - len(MODE))) from error
        except (OverflowError, RecursionError) as error:
            raise refused(f"Regex syntax errror: {error}") from error

        def found(text: str) -> bool:
            begun = time.perf_counter()
            try:
                return compiled.search(text, timeout=self.left, concurrent=True) is not None
            except TimeoutError:
                raise failed(f"The regular expression {source} took more than {SECONDS:g} s") from None
            finally:
                self.left = max(0.001, self.left - (time.perf_counter() - begun))

        return found
