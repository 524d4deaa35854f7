"""The verbs that serve nothing: `aimock validate PATH…` and `aimock schema NAME`."""

from __future__ import annotations

from collections.abc import Sequence

from aimock.readers import Parser


def validate(words: Sequence[str]) -> int:
    """Checks fixture files; the exit status."""
    parser = Parser(
        prog="aimock validate",
        description="Checks fixture files, alone and together.",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a fixture file, or a directory of them")
    parser.add_argument("--strict", action="store_true", help="fail on warnings too")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("-h", "--help", action="help", help="show this and exit")
    options = parser.parse_args(words)
    from aimock.fixtures.check import check_paths

    report = check_paths(options.paths, strict=options.strict)
    if options.json:
        import orjson

        print(orjson.dumps(report.to_json()).decode())
    else:
        for line in report.lines():
            print(line)
    return 1 if report.failed else 0


def schema(words: Sequence[str]) -> int:
    """Prints a JSON Schema."""
    parser = Parser(
        prog="aimock schema",
        description="Prints a JSON Schema (draft 2020-12).",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "name", metavar="NAME", choices=("fixtures", "config"), help="of fixture files, or of config files"
    )
    parser.add_argument("-h", "--help", action="help", help="show this and exit")
    from aimock.schema import schema_text

    print(schema_text(parser.parse_args(words).name))
    return 0
