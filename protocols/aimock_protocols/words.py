"""The words of a text, as those count them who tell how alike texts are."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(
    r"[^\s!-/:-@\[-`{-~\u00a1\u00ab\u00bb\u00bf\u060c\u061b\u061f\u0964\u0965\u2000-\u206f\u3000-\u303f]{1,32}"
)
"""What is neither space nor punctuation, 32 characters at most: where no spaces are written (Chinese, Thai), that is
taken for a word. The regular expressions' own idea of letters would tear the scripts of India apart, and grows with
each Python."""
_ACCENTS = re.compile("[\u0300-\u036f]")
_FUNCTION_WORDS = """a an the this that these those and or but if then than so as of in on at by for from to with
without into about over under between after before i me my we us our you your he him his she her it its they them
their who whom whose which what when where why how is are was were be been being am do does did done have has had can
could will would shall should may might must not no there here some any each all more most much many very just also
only get got let please tell s t m d re ve ll"""
"""English words that say little of what a text is about, and would outweigh what does. In other languages they are
words like all others."""
SAYING_LITTLE = frozenset(_FUNCTION_WORDS.split())


def words_of(text: str) -> list[str]:
    """In their order, without case and accents."""
    return _WORD.findall(_ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold())
