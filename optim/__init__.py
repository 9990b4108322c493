"""tensorgrad.optim."""

if __name__ != "tensorgrad.optim":
    raise ImportError("import this package as tensorgrad.optim, not as optim")
