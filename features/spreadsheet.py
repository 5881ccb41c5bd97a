"""CSV that a person will open in a spreadsheet: no cell may act as a formula there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes Excel and LibreOffice calculate (OWASP, CSV injection)."""


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV whose cells are all safe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def safe_cell(text: str) -> str:
    """Return a text that a spreadsheet shows as it is; numbers stay numbers."""
    if not text.startswith(_FORMULA) or _is_number(text):
        return text.encode("utf-8", "backslashreplace").decode()
    return f"'{text.encode('utf-8', 'backslashreplace').decode()}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
