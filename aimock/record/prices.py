"""What tokens cost: a table of list prices, which is data, and which a file of one's own may correct and add to."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import orjson

from aimock.fixtures.question import undated
from aimock.reading import Fields, mapping_of, members, number, whole_number
from aimock_protocols.consumption import Consumption

_MILLION = 1_000_000


class PriceError(Exception):
    """A file of prices that cannot be used; the text says which, and what was expected."""


@attrs.frozen
class Price:
    """USD for a million tokens."""

    input: float
    output: float
    cached_input: float | None = None
    """None: as other input."""
    cache_write: float | None = None
    """Likewise."""
    cache_write_1h: float | None = None
    """None: not known."""
    up_to: int | None = None
    """Tokens of input beyond which the price is another one, which is not known here; None: it never is."""

    def of(self, consumption: Consumption) -> float | None:
        """USD; None if it is not known."""
        if self.up_to is not None and consumption.prompt > self.up_to:
            return None
        if consumption.long_cache_writes and self.cache_write_1h is None:
            return None
        prices = (
            (consumption.input, self.input),
            (consumption.cached, self.input if self.cached_input is None else self.cached_input),
            (consumption.cache_writes, self.input if self.cache_write is None else self.cache_write),
            (consumption.long_cache_writes, self.cache_write_1h or 0.0),
            (consumption.output, self.output),
        )
        return sum(tokens * price for tokens, price in prices) / _MILLION


_PRICE = number(0)
_KEYS: Fields = {
    "input": ("input", _PRICE),
    "cachedInput": ("cached_input", _PRICE),
    "cacheWrite": ("cache_write", _PRICE),
    "cacheWrite1h": ("cache_write_1h", _PRICE),
    "output": ("output", _PRICE),
    "upTo": ("up_to", whole_number(1)),
}


@attrs.frozen
class PriceList:
    """Prices by model. Of several patterns that fit, the first counts."""

    prices: Mapping[str, Price]
    """By the name of a model, in which `*`, `?` and `[…]` stand for what they do in file names."""

    def cost(self, model: str, consumption: Consumption) -> float | None:
        """USD: what the provider says that it was, else what it is by the list; None if nobody knows."""
        if consumption.charged is not None:
            return consumption.charged
        price = self._of(model)
        return None if price is None else price.of(consumption)

    def _of(self, model: str) -> Price | None:
        name = model.removeprefix("models/")  # as Google calls them
        for each in (name, undated(name)):
            for pattern, price in self.prices.items():
                if fnmatchcase(each, pattern):
                    return price
        return None


def price_list(file: Path | None = None) -> PriceList:
    """The list prices that came with this version, behind those of a file. Raises PriceError."""
    built_in = orjson.loads(files("aimock.record").joinpath("prices.json").read_bytes())
    prices = _prices(built_in["models"])
    if file is None:
        return PriceList(prices)
    try:
        own = _prices(orjson.loads(file.read_bytes()))
    except OSError as error:
        raise PriceError(f"{file}: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise PriceError(f"{file}: not JSON: {error}") from None
    except ValueError as error:
        raise PriceError(f"{file}: {error}") from None
    return PriceList(own | {model: price for model, price in prices.items() if model not in own})


@mapping_of
def _prices(given: Any, model: str) -> Price:
    return Price(**members(given, model, _KEYS, ("input", "output")))
