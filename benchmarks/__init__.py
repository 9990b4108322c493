"""Speed and size of tensorgrad beside its neighbours: ``python -m benchmarks --help``.

Nothing here asserts a time. docs/benchmarks.md says what is measured and how to read it.
"""
