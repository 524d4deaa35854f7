"""With which key a request goes to a provider: its client's, or ours (spec: record-replay §3.1).

A real key of the client's always wins. Ours takes the place of none, and of a dummy, which is known by its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from aimock.net.exchange import Headers
from aimock.record.providers import SCHEMES, Scheme, url_key
from aimock.record.urls import parameters, without
from aimock.redaction import CREDENTIAL_HEADERS, CREDENTIAL_QUERY_KEYS
from aimock.sdks import KEY

_MARKER_VARIABLE = "AIMOCK_DUMMY_KEY_MARKER"
_MARKER = "sk-aimock-"
_SCHEME_WORD = re.compile(r"(?:Bearer|Key|Token|Basic)(?:[ \t]+|$)", re.IGNORECASE)


_KEYLESS = {"bedrock": "there are no AWS credentials here", "vertexai": "Vertex AI has tokens, which are its clients'"}


class NoCredential(Exception):
    """A request must not go out with the key it came with, and there is no other. The text says what would help."""


def variable_of(provider: str) -> str:
    """The environment variable that has our key of a provider."""
    return f"AIMOCK_PROVIDER_{provider.upper().replace('-', '_')}_KEY"


def read_key(text: str) -> str:
    """A key, without blanks at its ends. Raises ValueError, whose text says what was expected and shows no key."""
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError("a key of printable ASCII characters")
    return key


class Keyring:
    """Our keys by provider: those given, else those of the environment, where an empty one is none."""

    def __init__(self, given: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """Raises ValueError, naming the variable, for a key that no header can have."""
        self._keys = dict(given)
        for provider, scheme in SCHEMES.items():
            variable = variable_of(provider)
            if scheme is None or provider in given or not environment.get(variable):
                continue
            try:
                self._keys[provider] = read_key(environment[variable])
            except ValueError as expected:
                raise ValueError(f"{variable}: expected {expected}") from None
        self._marker = environment.get(_MARKER_VARIABLE) or _MARKER

    def equipped(self, provider: str, lines: Headers, query: str, *, is_guarded: bool) -> tuple[Headers, str]:
        """Header lines and query with the credential with which they go out. `is_guarded`: theirs is the key of this
        server, which nobody else is to see. Raises NoCredential."""
        scheme = SCHEMES.get(provider)  # an agent has none
        holder = url_key(provider, self._keys)
        key = self._keys[holder] if holder is not None else None
        if is_guarded:
            lines, query = stripped(lines, query)
            if scheme is None or key is None:
                raise NoCredential(f"set {variable_of(provider)}" if scheme else _KEYLESS[provider])
        if scheme is None:
            return lines, query
        is_real = any(not self.is_dummy(each) for each in _presented(scheme, lines, query))
        if key is None and not is_real:
            return lines, query  # the provider will say what it thinks of it
        places = (scheme.header, *scheme.also)
        lines = _without(lines, places, lambda value: self.is_dummy(credential_in(value)))
        if scheme.in_query:
            query = without(query, lambda name, value: name in CREDENTIAL_QUERY_KEYS and self.is_dummy(value))
        if not is_real:
            lines = (*lines, (scheme.header, f"{scheme.prefix}{key}"))
        return lines, query

    def is_dummy(self, credential: str) -> bool:
        return not credential or credential.startswith((self._marker, KEY))


def stripped(lines: Headers, query: str) -> tuple[Headers, str]:
    """Without anything in which this server takes a key."""
    return _without(lines, CREDENTIAL_HEADERS), without(query, lambda name, value: name in CREDENTIAL_QUERY_KEYS)


def credential_in(value: str) -> str:
    """What a credential header presents, without the word for its scheme."""
    return _SCHEME_WORD.sub("", value.strip(), count=1).strip()


def _presented(scheme: Scheme, lines: Headers, query: str) -> list[str]:
    places = (scheme.header, *scheme.also)
    found = [credential_in(value) for name, value in lines if name in places]
    if scheme.in_query:
        found += [value for name, value in parameters(query) if name in CREDENTIAL_QUERY_KEYS]
    return found


def _without(
    lines: Headers, names: frozenset[str] | tuple[str, ...], is_dropped: Callable[[str], bool] = lambda value: True
) -> Headers:
    return tuple(line for line in lines if line[0] not in names or not is_dropped(line[1]))
