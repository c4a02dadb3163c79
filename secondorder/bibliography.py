"""The references: one BibTeX file, that of the book."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from secondorder.catalogue import nearest


def entries() -> dict[str, str]:
    """The BibTeX entries by key.

    >>> "doikov2023lazy" in entries()
    True
    """
    packaged = files("secondorder") / "references.bib"
    checkout = Path(__file__).parent.parent / "book" / "references.bib"
    text = (packaged if packaged.is_file() else checkout).read_text(encoding="utf-8")
    blocks = re.split(r"(?m)^(?=@)", text)
    return {match[1]: block.strip() for block in blocks if (match := re.match(r"@\w+\{([^,\s]+),", block))}


def entry(key: str) -> str:
    """The BibTeX entry of ``key``; ValueError when there is none."""
    known = entries()
    if key not in known:
        raise ValueError(f"no reference {key!r}{nearest(key, known)}")
    return known[key]
