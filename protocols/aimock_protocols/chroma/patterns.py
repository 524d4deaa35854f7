"""Regular expressions in the syntax of Rust, which Chroma's filters have, in that of Python's library `regex`.

Rust's know neither look-around nor references, `$` is the end of the text alone, and a quantifier may follow another.
Only whether something is found is asked, so groups lose their names and numbers.

Source: the syntax of Rust's `regex` crate, and what chromadb 1.5.9's server answers.
"""

from __future__ import annotations

import re
from typing import Any

import attrs

from aimock_protocols.chroma.errors import refused

MODE = "(?V1)(?-f)"
"""Goes before what is translated: nested classes, flags that hold from where they stand, no folding of ß to ss."""
MAX_LENGTH = 10_000

_LOOK_AROUND = re.compile(r"\(\?<?[=!]")
_NAMED = re.compile(r"\(\?P?<\w+>")
_FLAGS = re.compile(r"\(\?([imsUuxR]*)(-[imsUuxR]+)?([:)])")
_KNOWN_FLAGS = frozenset("imsUuxR")
_KEPT_FLAGS = frozenset("imsx")
_COUNTED = re.compile(r"\{\d+(?:,\d*)?\}")
_POSIX = re.compile(r"\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]")
_PROPERTY = re.compile(r"\\[pP](?:[A-Za-z]|\{[^{}]+\})")
_CODE_POINT = re.compile(r"\\(?:[xuU]\{([0-9a-fA-F]{1,8})\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_LAST_CODE_POINT = 0x10FFFF
_EDGES = {
    r"\b{start}": r"\m",
    r"\b{end}": r"\M",
    r"\b": r"\b",
    r"\B": r"\B",
    r"\A": r"\A",
    r"\z": r"\Z",
    r"\<": r"\m",
    r"\>": r"\M",
}
_CLASSES = frozenset("dDsSwWntrafv")
_QUANTIFIERS = "*+?{"


def translated(source: str) -> str:
    """Raises WireError in the server's words for what Rust does not take."""
    if len(source) > MAX_LENGTH:
        raise refused(f"Regex syntax errror: longer than {MAX_LENGTH} characters")
    return MODE + _Translation(source).whole()


def syntax_error(source: str, problem: str, start: int = 0, length: int = 1) -> Exception:
    """The refusal of a pattern, with the place that is at fault."""
    lines = ("Regex syntax errror: regex parse error:", f"    {source}", f"    {' ' * start}{'^' * length}")
    return refused("\n".join((*lines, f"error: {problem}")))


@attrs.define
class _Translation:
    source: str
    at: int = 0
    out: list[str] = attrs.field(factory=list)
    atom: int | None = None
    """Where in `out` begins what a quantifier is for."""
    is_quantified: bool = False
    is_multiline: bool = False
    opened: list[tuple[int, int, bool]] = attrs.field(factory=list)
    """For each group that is open: where it is in the source and in `out`, and whether lines count outside it."""

    def whole(self) -> str:
        while self.at < len(self.source):
            self._next()
        if self.opened:
            raise self._wrong("unclosed group", self.opened[-1][0])
        return "".join(self.out)

    def _next(self) -> None:
        character = self.source[self.at]
        if character in _QUANTIFIERS:
            self._quantifier(character)
        elif character == "(":
            self._open()
        elif character == ")":
            self._close()
        elif character == "[":
            self._put(self._class())
        elif character == "\\":
            self._put(self._edge() or self._escape("unrecognized escape sequence"))
        else:
            self.at += 1
            if character == "|":
                self._put(character)
                self.atom = None
            else:
                self._put(r"\Z" if character == "$" and not self.is_multiline else character)

    def _put(self, text: str) -> None:
        self.atom, self.is_quantified = len(self.out), False
        self.out.append(text)

    def _wrong(self, problem: str, start: int | None = None, length: int = 1) -> Exception:
        return syntax_error(self.source, problem, self.at if start is None else start, length)

    def _matched(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.source, self.at)
        if found:
            self.at = found.end()
        return found

    # -- quantifiers and groups ------------------------------------------------------------------------------------

    def _quantifier(self, character: str) -> None:
        start = self.at
        if self.atom is None:
            raise self._wrong("repetition operator missing expression")
        if character == "{":
            counted = self._matched(_COUNTED)
            if counted is None:
                if self.source.find("}", start) > 0:
                    raise self._wrong("repetition quantifier expects a valid decimal", start + 1)
                raise self._wrong("unclosed counted repetition", length=len(self.source) - start)
            text = counted[0]
        else:
            self.at += 1
            text = character
        if self.source.startswith("?", self.at):
            self.at += 1
            text += "?"
        if self.is_quantified:
            self.out.insert(self.atom, "(?:")
            self.out.append(")")
        self.out.append(text)
        self.is_quantified = True

    def _open(self) -> None:
        start, outside, text = self.at, self.is_multiline, "(?:"
        if self.source.startswith("(?", start):
            if look := _LOOK_AROUND.match(self.source, start):
                problem = "look-around, including look-ahead and look-behind, is not supported"
                raise self._wrong(problem, length=len(look[0]))
            if not self._matched(_NAMED):
                flags = self._flags()
                if flags is None:
                    return
                text = flags
        else:
            self.at += 1
        self.opened.append((start, len(self.out), outside))
        self.out.append(text)
        self.atom = None

    def _flags(self) -> str | None:
        """How a group with flags opens; None if flags were set for what follows."""
        found = self._matched(_FLAGS)
        if found is None:
            bad = next((n for n in range(self.at + 2, len(self.source)) if self.source[n] not in _KNOWN_FLAGS), None)
            if bad is None:
                raise self._wrong("expected flag but got end of regex", len(self.source))
            raise self._wrong("unrecognized flag", bad)
        on, off, end = found.groups()
        if "m" in on:
            self.is_multiline = True
        elif "m" in (off or ""):
            self.is_multiline = False
        kept = "".join(flag for flag in on if flag in _KEPT_FLAGS)
        lost = "".join(flag for flag in off or "" if flag in _KEPT_FLAGS)
        text = f"(?{kept}{'-' + lost if lost else ''}{end}"
        if end == ":":
            return text
        self.out.append("" if text == "(?)" else text)
        self.atom = None
        return None

    def _close(self) -> None:
        if not self.opened:
            raise self._wrong("unopened group")
        _, self.atom, self.is_multiline = self.opened.pop()
        self.out.append(")")
        self.is_quantified = False
        self.at += 1

    # -- classes and escapes ---------------------------------------------------------------------------------------

    def _class(self) -> str:
        """From `[` to its `]`, with the classes inside it."""
        start, depth, out = self.at, 0, []
        while self.at < len(self.source):
            character = self.source[self.at]
            if character == "\\":
                out.append(self._escape("invalid escape sequence found in character class"))
                continue
            if depth and (posix := self._matched(_POSIX)):
                out.append(posix[0])
                continue
            self.at += 1
            if character == "[":
                depth += 1
                out.append("[")
                for mark, text in (("^", "^"), ("]", r"\]")):
                    if self.source.startswith(mark, self.at):
                        self.at += 1
                        out.append(text)
            elif character == "]":
                depth -= 1
                out.append("]")
                if not depth:
                    return "".join(out)
            else:
                out.append("\\" + character if character in "|:" else character)
        raise self._wrong("unclosed character class", start)

    def _edge(self) -> str | None:
        """What an escape that matches no character becomes."""
        for written, text in _EDGES.items():
            if self.source.startswith(written, self.at):
                self.at += len(written)
                return text
        return None

    def _escape(self, problem: str) -> str:
        start = self.at
        escaped = self.source[start + 1 : start + 2]
        if not escaped:
            raise self._wrong("incomplete escape sequence, reached end of pattern prematurely")
        if escaped.isdecimal():
            raise self._wrong("backreferences are not supported", length=2)
        if found := self._matched(_PROPERTY):
            return found[0]
        if found := self._matched(_CODE_POINT):
            return self._code_point(found)
        if escaped in _CLASSES or (escaped.isascii() and not escaped.isalnum()):
            self.at += 2
            return "\\" + escaped
        raise self._wrong(problem, length=2)

    def _code_point(self, found: re.Match[Any]) -> str:
        number = int(next(digits for digits in found.groups() if digits), 16)
        if number > _LAST_CODE_POINT:
            raise self._wrong("hexadecimal literal is not a Unicode scalar value", found.start(), len(found[0]))
        return f"\\U{number:08x}"
