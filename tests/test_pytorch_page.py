"""docs/pytorch.md is what the package does: no name is claimed that is not there."""

from pathlib import Path

import pytest
from scripts import module_at

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def pytorch():
    return module_at(DOCS / "pytorch.py")


def test_the_page_is_fresh(pytorch):
    assert pytorch.main(["--check"]) == 0, "run: python docs/pytorch.py"


def test_every_symbol_that_scripts_compute_with_is_there(pytorch):
    """All 581 ranked ones; the switches of other hardware come after them."""
    missing = [
        symbol
        for symbol, *_ in pytorch.census()
        if pytorch.find(symbol) is pytorch.MISSING and symbol not in pytorch.NOT_SUPPORTED
    ]
    assert missing == []


def test_what_is_said_to_be_missing_is(pytorch):
    for symbol in pytorch.NOT_SUPPORTED:
        value = pytorch.find(symbol)
        assert value is pytorch.MISSING or value.__module__ == "tensorgrad._absent", symbol


def test_remarks_are_on_symbols_of_the_census(pytorch):
    symbols = {symbol for symbol, *_ in pytorch.census()}
    assert set(pytorch.DIFFERS) | set(pytorch.NOT_SUPPORTED) <= symbols
    assert not set(pytorch.DIFFERS) & set(pytorch.NOT_SUPPORTED)


def test_the_keyword_arguments_of_scripts_are_taken(pytorch):
    wrong = []
    for symbol, _, _, keywords in pytorch.census():
        value = pytorch.find(symbol)
        for keyword in keywords:
            known = pytorch.NOT_PYTORCH | pytorch.KEYWORD_NOT_SUPPORTED.keys()
            if value is pytorch.MISSING or (symbol, keyword) in known:
                continue
            if not pytorch.accepts(value, keyword):
                wrong.append(f"{symbol}({keyword}=)")
    assert wrong == []
