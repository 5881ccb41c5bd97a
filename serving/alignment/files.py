"""The alignment report as a file: HTML and PDF to read, JSON with the same figures for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from features.errors import UsageError
from serving.alignment.report import Report
from serving.alignment.told import facts, sections, title
from serving.document import render

KINDS = (".html", ".pdf", ".json")


def as_json(report: Report) -> dict[str, Any]:
    """Return all figures as JSON values; moments say by a Z that they are UTC."""
    found: dict[str, Any] = _plain(report)
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return value.isoformat() if isinstance(value, date) else value


def kind_of(file: Path) -> str:
    """Return of which kind a file is to be, by its name.

    Raises:
        UsageError: when its name ends otherwise.

    """
    kind = file.suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"{file}: the name must end in {', '.join(KINDS)}")
    return kind


def content(report: Report, kind: str) -> bytes:
    """Return the report as a file of a kind of `KINDS`; equal figures give equal bytes."""
    if kind == ".json":
        return (json.dumps(as_json(report), ensure_ascii=False, indent=1) + "\n").encode()
    told = (title(report), facts(report), sections(report))
    if kind == ".html":
        return render(*told).encode()
    # Fonts and drawing take a quarter of a second to import; only a PDF needs them.
    from serving.document_pdf import pdf

    return pdf(*told, made=report.as_of)
