"""The errors a user meets, each with what was wrong, where, the value and the cure.

LeadqError            exit code 1: the work failed
├── StoreError        the store's database cannot be reached or refuses
│   └── RefusedError      it can be reached, and does not take these values
├── BusyError         another process does this very work
├── OutputError       a file cannot be read or written any more: disk full, folder gone
└── UsageError        exit code 2: the caller must change something first
    ├── FileError         a file or folder cannot be read as a table of leads
    ├── AgreementError    agreement.toml is wrong, or does not fit the export
    ├── ModelError        no model, or one that cannot be trusted
    └── ReusedKeyError    an idempotency key came before with another request
"""

from __future__ import annotations


class LeadqError(Exception):
    """The work failed although the call was right."""

    exit_code = 1


class StoreError(LeadqError):
    """The store's database cannot be reached, or does not do what is asked of it."""


class RefusedError(StoreError):
    """The store's database can be reached, and does not take the values it is given."""


class BusyError(LeadqError):
    """Another process does this very work."""


class OutputError(LeadqError):
    """A file cannot be read or written any more although it could before."""


class UsageError(LeadqError):
    """The caller must change something first: an option, a file, an agreement."""

    exit_code = 2


class FileError(UsageError):
    """A file or folder cannot be read as a table of leads."""


class AgreementError(UsageError):
    """The agreement is wrong, or does not fit the export it is held against."""


class ModelError(UsageError):
    """There is no model to use, or the one found cannot be trusted."""


class ReusedKeyError(UsageError):
    """An idempotency key came before with another request."""
