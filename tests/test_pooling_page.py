"""docs/pooling.md: its pictures are there, small, and drawn by its script."""

import re
from pathlib import Path

import pytest
from scripts import module_at

DOCS = Path(__file__).parent.parent / "docs"


def pictures():
    return re.findall(r"!\[[^]]+\]\((pooling/\w+\.png)\)", (DOCS / "pooling.md").read_text())


def test_every_picture_is_there_small_and_shown():
    shown = [DOCS / name for name in pictures()]
    assert sorted(shown) == sorted((DOCS / "pooling").iterdir())
    for path in shown:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert 10_000 < path.stat().st_size < 200_000


def test_the_script_draws_them(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    page = module_at(DOCS / "pooling.py")
    monkeypatch.setattr(page, "OUT", tmp_path / "pooling")
    page.main()
    drawn = {p.name for p in (tmp_path / "pooling").iterdir()}
    assert drawn == {Path(name).name for name in pictures()}
    assert page.bins(8, 3) == [(0, 3), (2, 6), (5, 8)]
