"""tensorgrad.nn."""

if __name__ != "tensorgrad.nn":
    raise ImportError("import this package as tensorgrad.nn, not as nn")
