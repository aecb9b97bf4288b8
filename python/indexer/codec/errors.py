"""Faults as exceptions, for those who prefer them."""

from typing import TypeVar

from indexer._native import Fault

_T = TypeVar("_T")


class CodecError(ValueError):
    """Data that cannot be read. `fault` says what is wrong, and at which byte."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class TruncatedError(CodecError):
    """The data ends too early: fetch it again."""


class CorruptError(CodecError):
    """The data is wrong, and stays wrong."""


class LimitError(CodecError):
    """The data is more than was allowed."""


_ERRORS = {"truncated": TruncatedError, "corrupt": CorruptError, "limit": LimitError}


def checked(result: _T | Fault) -> _T:
    r"""The result itself; raises a `CodecError` where it is a fault.

    >>> from indexer import codec
    >>> checked(codec.decode_dag_cbor([b"\x18\x18"])[0])
    24
    >>> checked(codec.decode_dag_cbor([b"\x18\x17"])[0])
    Traceback (most recent call last):
    indexer.codec.errors.CorruptError: a number is not in its shortest form, at byte 0
    """
    if isinstance(result, Fault):
        raise _ERRORS[result.group](result)
    return result
