"""Array-in, array-out code behind the heavier operations."""
