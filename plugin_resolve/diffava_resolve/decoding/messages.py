"""What passes over the pipes between a command and its decoding process.

Towards the process: what to run, pickled, since the command is trusted. Back: a JSON object a line, with an array's
bytes behind it. Nothing that comes back is unpickled or believed further than its length: a file may have taken the
process over.
"""

import json
import math
import pickle
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

NEXT, DONE = b"n", b"d"  # from the command: one more answer is wanted; the last one has come
_LENGTH = struct.Struct("<Q")
_MAX_LINE_BYTES = 64 << 10
_MAX_ARRAY_BYTES = 512 << 20
_KINDS = ("|u1", "<f4")


class BrokenAnswerError(Exception):
    """What came is no answer."""


@dataclass(frozen=True)
class Request:
    """Run `function(*arguments)` in `directory`, and give back what it yields: arrays, or plain values as JSON has."""

    directory: str
    function: Callable[..., Iterable[Any]]
    arguments: tuple[Any, ...]


def write_request(pipe: BinaryIO, request: Request) -> None:
    """Ask for a run."""
    packed = pickle.dumps(request)
    pipe.write(_LENGTH.pack(len(packed)) + packed)
    pipe.flush()


def read_request(pipe: BinaryIO) -> Request | None:
    """The next request; None once the command is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    request: Request = pickle.loads(pipe.read(*_LENGTH.unpack(head)))
    return request


def write_item(pipe: BinaryIO, item: Any) -> None:
    """Give back one thing that was yielded."""
    if isinstance(item, np.ndarray):
        whole = np.ascontiguousarray(item)
        _write_line(pipe, {"array": [whole.dtype.str, whole.shape]})
        pipe.write(whole.data)
    else:
        _write_line(pipe, {"value": item})
    pipe.flush()


def write_note(pipe: BinaryIO, **note: Any) -> None:
    """Say `reads=path`, `goes_on=True`, `error=[kind, text]` or `ended=True`."""
    _write_line(pipe, note)
    pipe.flush()


def _write_line(pipe: BinaryIO, line: dict[str, Any]) -> None:
    pipe.write(json.dumps(line).encode() + b"\n")


def read_answer(pipe: BinaryIO) -> tuple[str, Any] | None:
    """What came next: `array` or `value`, or a note's name, with its content; None at the end of the pipe.

    Raises:
        BrokenAnswerError: It is none of these.
    """
    line = pipe.readline(_MAX_LINE_BYTES)
    if not line:
        return None
    try:
        [(name, content)] = json.loads(line).items()
        if name != "array":
            return name, content
        kind, shape = content
        byte_count = math.prod(shape) * np.dtype(kind).itemsize
        if kind not in _KINDS or not 0 <= byte_count <= _MAX_ARRAY_BYTES or min(shape) < 0:
            raise BrokenAnswerError(f"an array {kind} {shape}")
        data = bytearray(byte_count)
        if _read_into(pipe, memoryview(data)) < byte_count:
            return None
        return name, np.frombuffer(data, kind).reshape(shape)
    except (ValueError, TypeError, AttributeError) as error:
        raise BrokenAnswerError(str(error)) from error


def _read_into(pipe: BinaryIO, view: memoryview) -> int:
    done = 0
    while done < len(view):
        count = pipe.readinto(view[done:])  # type: ignore[attr-defined]  # a buffered reader has it
        if not count:
            break
        done += count
    return done
