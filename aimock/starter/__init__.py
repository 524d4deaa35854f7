"""`aimock init`: a config file with comments, fixtures for every service, and the schemas of both, for editors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from aimock.cache import write_whole
from aimock.config import Failure
from aimock.readers import Parser

JSON, TOML = "aimock.json", "aimock.toml"
"""The config file in either language."""
_MODE = 0o666
_SCHEMAS = ("config", "fixtures")


def init(words: Sequence[str]) -> int:
    """Writes the starter, and says what to do with it; the exit status. Raises Failure."""
    parser = Parser(
        prog="aimock init",
        description="Writes a config file, and fixtures for every service, to start from.",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("directory", nargs="?", default=".", metavar="DIR", help="where to; it is made (default .)")
    parser.add_argument("--toml", action="store_true", help=f"{TOML} in place of {JSON}")
    parser.add_argument("--force", action="store_true", help="write over files that are there already")
    parser.add_argument("-h", "--help", action="help", help="show this and exit")
    options = parser.parse_args(words)
    config = TOML if options.toml else JSON
    directory = Path(options.directory)
    contents = starter(config)
    taken = [name for name in contents if (directory / name).exists()]
    if taken and not options.force:
        raise Failure(f"init: {directory / taken[0]} is there already; --force writes over it")
    for name, content in contents.items():
        try:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(directory / name, content, _MODE)
        except OSError as error:
            raise Failure(f"init: {directory / name}: {error.strerror or error}") from error
        print(directory / name)
    print(f"\nNow: aimock --config {directory / config}")
    return 0


def starter(config: str) -> dict[str, bytes]:
    """Files by their names, with one of the config files."""
    from aimock.schema import schema_text

    found = {name: file.read_bytes() for name, file in _below(files("aimock.starter").joinpath("files"), "")}
    others = {JSON, TOML} - {config}
    schemas = {f"schema/{name}.schema.json": (schema_text(name) + "\n").encode() for name in _SCHEMAS}
    return {name: content for name, content in found.items() if name not in others} | schemas


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            yield from _below(each, f"{path}{each.name}/")
        else:
            yield f"{path}{each.name}", each
