"""The faults that end a command, each with what to do about it (interface.md, exit codes)."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit status means."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    UNAVAILABLE = 69
    INTERNAL = 70
    STOPPED_EARLY = 75
    CONFIG = 78


class IndexerError(Exception):
    """A fault in three sentences: what happened, why, and what the reader can do about it.

    `str()` gives them as three lines. None of them may hold a password: put URLs through `values.mask`.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, what: str, cause: str, remedy: str) -> None:
        super().__init__(what, cause, remedy)
        self.what = what
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  cause:  {self.cause}\n  remedy: {self.remedy}"


class ConfigError(IndexerError):
    """The configuration is wrong or incomplete; found before anything was opened or changed."""

    exit_code = ExitCode.CONFIG


class SchemaError(IndexerError):
    """The database lacks something that is needed, or must not be changed as asked."""

    exit_code = ExitCode.CONFIG


class UnavailableError(IndexerError):
    """A server cannot be reached at start."""

    exit_code = ExitCode.UNAVAILABLE


class StoppedEarlyError(IndexerError):
    """The work was broken off and can be started again."""

    exit_code = ExitCode.STOPPED_EARLY


class NotFoundError(IndexerError):
    """What was named is not there."""

    exit_code = ExitCode.FINDINGS


class BudgetError(IndexerError):
    """The run was ended because more went wrong than `--stop-if` allows."""

    exit_code = ExitCode.FINDINGS
