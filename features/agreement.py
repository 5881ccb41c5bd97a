"""The agreement that sales and marketing sign: the one place where words get their meaning.

`agreement.toml` says which column is what, which outcome values mean which disposition, which
fields may be used, what a good lead is and what each side promises. Everything reads it; nothing
defines it again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from features.errors import AgreementError
from features.sections import (
    DISPOSITIONS,
    GRADES,
    Agreement,
    Columns,
    Disposition,
    Export,
    FieldUse,
    Gate,
    Grade,
    Grades,
    Kind,
    LearningRules,
    PointsRule,
    Rule,
)

__all__ = [
    "DISPOSITIONS",
    "GRADES",
    "Agreement",
    "Columns",
    "Disposition",
    "Export",
    "FieldUse",
    "Gate",
    "Grade",
    "Grades",
    "Kind",
    "LearningRules",
    "PointsRule",
    "Rule",
    "faults",
    "from_dict",
    "load",
    "parse",
]

FORMAT = 1
_SIGNED = "is kept by `leadq sign` and no longer in the file; remove it"


def load(path: Path) -> Agreement:
    """Read and check an agreement.

    Raises:
        AgreementError: when the file is absent, is no TOML, or says something that does not hold;
            one line for each fault, with the key, the value and the cure.

    """
    return parse(_read(path), path.name)


def _read(path: Path) -> str:
    try:
        # Windows editors begin UTF-8 with a byte order mark, which is no TOML.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise AgreementError(
            f"{path}: no such agreement; write one with: leadq init EXPORT -o {path}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise AgreementError(f"{path}: cannot be read as UTF-8 text: {error}") from error


def parse(text: str, file: str = "agreement.toml") -> Agreement:
    """Check the text of an agreement; errors name `file`. See `load`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AgreementError(f"{file}: not valid TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        # Python's own limits, which its reader of TOML does not know of.
        raise AgreementError(
            f"{file}: holds a number that is too long, or too many brackets within one another"
        ) from error
    return from_dict(content, file)


def from_dict(content: dict[str, object], file: str = "agreement.toml") -> Agreement:
    """Check an agreement given as plain values. See `load`."""
    _check_format(content, file)
    try:
        return Agreement.model_validate(content)
    except ValidationError as error:
        raise AgreementError("\n".join(faults(error, file))) from None


def _check_format(content: dict[str, object], file: str) -> None:
    found = content.get("format")
    if isinstance(found, int) and found > FORMAT:
        raise AgreementError(
            f"{file}: format = {found} was written by a newer leadq; this one reads {FORMAT}"
        )


def faults(error: ValidationError, file: str) -> Iterator[str]:
    """Name each fault by its key, with the cure and what was found."""
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"]) or "the agreement"
        shown = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
        cure = _SIGNED if key == "signatures" else _cure(fault["type"], fault["msg"])
        yield f"{file}: {key}: {cure}{shown}"


def _cure(kind: str, message: str) -> str:
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        return "is not a key of the agreement; remove it or mend its spelling"
    if kind == "list_type":
        return 'must be a list; write it in brackets: ["…"]'
    if kind in ("model_type", "dict_type"):
        return "must be a section of keys; write them under its name in brackets"
    return message.removeprefix("Value error, ")
