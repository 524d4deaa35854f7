"""Benchmarks that compare aimock with a peer measured in the same run. `python -m bench`; see bench/README.md."""


class CannotRun(Exception):
    """The benchmark cannot be run, or would compare unlike things: something is missing, or answers wrongly."""
