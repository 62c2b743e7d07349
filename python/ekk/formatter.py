"""Writes a log record as one line of JSON that the index takes. Never raises, whatever a record holds."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import logging
import math
import operator
import re
import string
import time
from collections import deque
from collections.abc import Mapping, Sequence, Set
from json.encoder import encode_basestring as _quote
from typing import Any, Callable, Literal

#: Firehose takes records of up to 1,000 KiB before base64; the newline counts.
RECORD_BYTES = 1_024_000

#: What every log record has: not of the application's own making. `taskName` came with Python 3.12.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_STANDARD_COUNT = len(logging.makeLogRecord({}).__dict__)

#: The article's fields.
_DEFAULT_FIELDS = ("asctime", "name", "levelname", "message")

#: An index refuses a document with one of its own metadata fields in it.
_METADATA = frozenset(
    "_id _index _source _type _routing _field_names _ignored _seq_no _version _primary_term _nested_path "
    "_doc_count _size _tier _meta _data_stream_timestamp".split()
)

#: An index takes objects of up to twenty levels, the document itself among them.
_DEPTH = 15
#: How many values one container of a record may hold, all levels together.
_VALUES = 5_000

_NOT_PLAIN = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_PERCENT = re.compile(r"%\((.+?)\)")

Style = Literal["%", "{", "$"]
Extra = Literal["fields", "strings", "text"]


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object on one line, without a newline at its end; `FirehoseHandler` adds that.

    Fields are those that `fmt` names (`asctime`, `name`, `levelname` and `message` without one), then `exc_info` and
    `stack_info` where a record has them, then what came as `extra`. The first four arguments are those of
    `logging.Formatter`, so that the `class` of a formatter in a `dictConfig` or `fileConfig` is all that changes.

    Args:
        fmt: Names fields; what stands between them does not matter.
        datefmt: For `time.strftime`; without it local time in ISO 8601 with milliseconds and the offset of the zone.
            One without `%z` is read as UTC by the index.
        style: `%`, `{` or `$`, as `fmt` is written.
        validate: Whether to check `fmt` against `style`.
        defaults: Fields that every record gets, unless it has its own.
        extra: `fields`: each key of `extra` is a field with a type of its own. `strings`: each is a field, and every
            value a string, so that two records never clash in the mapping. `text`: all of them are the JSON text of
            the one field `extra`.
        max_characters: A longer text is cut and says so at its end. A record that is over 1,000 KiB nevertheless is
            cut further.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Style = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
        extra: Extra = "fields",
        max_characters: int = 100_000,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate)
        if extra not in ("fields", "strings", "text"):
            raise ValueError(f"extra is fields, strings or text, not {extra!r}")
        if max_characters < 100:
            raise ValueError(f"max_characters is 100 or more, not {max_characters!r}")
        self._fields = _DEFAULT_FIELDS if fmt is None else _fields_of(fmt, style)
        self._prefixes = tuple((name, f"{_quote(name)}:") for name in self._fields)
        self._own = frozenset(self._fields) | {"exc_info", "stack_info"}
        self._defaults = dict(defaults or {})
        self._extra = extra
        self._max_characters = max_characters
        # The text of the last second that was asked for; replaced whole, so that threads need no lock.
        self._second: tuple[int, str | None, str, str] = (-1, None, "", "")

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as one line of JSON; what is wrong with the record itself stands in `format_error`."""
        limit = self._max_characters
        while True:
            text = self._compose(record, limit)
            # Six bytes for a character is the worst that JSON and UTF-8 make of it.
            if len(text) < RECORD_BYTES // 6 or len(text.encode("utf-8", "replace")) < RECORD_BYTES:
                break
            if limit < 100:
                text = self._least(record)
                break
            limit //= 4
        if not text.isascii():
            # Lone surrogates are no Unicode; they stay legible, as Python's own standard error shows them. And some
            # readers take Unicode's other ends of a line for such.
            text = _NOT_PLAIN.sub(_written_out, text)
        return text

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Returns the record's time with its zone; `converter` is honoured."""
        second = int(record.created)
        cached = self._second
        if cached[0] != second or cached[1] != datefmt:
            at = self.converter(second)
            if datefmt is not None:
                cached = (second, datefmt, time.strftime(datefmt, at), "")
            else:
                zone = time.strftime("%z", at)
                # With the colon, which older readers of ISO 8601 insist on.
                zone = f"{zone[:3]}:{zone[3:]}" if len(zone) == 5 else zone
                cached = (second, datefmt, time.strftime("%Y-%m-%dT%H:%M:%S", at), zone)
            self._second = cached
        if datefmt is not None:
            return cached[2]
        # Not `record.msecs`, which some versions round up to 1000; and .123 may be .12299999 in a float.
        milliseconds = min(999, int((record.created - second) * 1000 + 0.001))
        return f"{cached[2]}.{milliseconds:03d}{cached[3]}"

    def wrap(self, record: logging.LogRecord, text: str) -> str:
        """Returns what another formatter wrote, which is no JSON object, as the message of one."""
        plain = logging.makeLogRecord({**record.__dict__, "msg": text, "args": None})
        # They stand in the text already.
        plain.exc_info = plain.exc_text = plain.stack_info = None
        return self.format(plain)

    def _compose(self, record: logging.LogRecord, limit: int) -> str:
        attributes = record.__dict__
        merged: dict[str, Any] = {}
        trouble: str | None = None
        if isinstance(record.msg, dict) and not record.args:
            merged = record.msg
            message: Any = merged.get("message", "")
        else:
            try:
                message = record.getMessage()
            except Exception as error:
                # What was meant is worth more than that it was written badly.
                message = f"{_shown(record.msg)} {_shown(record.args)}"
                trouble = f"{type(error).__name__}: {_shown(error)}"
        parts = []
        for name, prefix in self._prefixes:
            if name == "message":
                value = message
            elif name == "asctime":
                value = self.formatTime(record, self.datefmt)
            elif name in attributes:
                value = attributes[name]
            elif name in merged:
                value = merged[name]
            else:
                value = self._defaults.get(name)
            parts.append(prefix + _encoded(value, limit))
        if record.exc_info:
            parts.append('"exc_info":' + _encoded(self._traceback(record), limit))
        elif record.exc_text:
            parts.append('"exc_info":' + _encoded(record.exc_text, limit))
        if record.stack_info:
            parts.append('"stack_info":' + _encoded(self.formatStack(record.stack_info), limit))
        if trouble:
            parts.append('"format_error":' + _quote(trouble[:limit]))
        if merged or self._defaults or len(attributes) > _STANDARD_COUNT:
            self._add_extra(parts, attributes, merged, limit)
        return "{" + ",".join(parts) + "}"

    def _add_extra(self, parts: list[str], attributes: dict[str, Any], merged: dict[str, Any], limit: int) -> None:
        extra: dict[str, Any] = {}
        for source in (self._defaults, merged):
            for key, value in source.items():
                if key not in self._own and key != "message":
                    extra[_key(key)] = value
        for key, value in attributes.items():
            if key not in _STANDARD and key not in self._own:
                extra[_key(key)] = value
        if not extra:
            return
        if self._extra == "text":
            parts.append('"extra":' + _encoded(_json(extra, limit), limit))
        elif self._extra == "strings":
            strings = {key.replace(".", "_"): _as_string(value, limit) for key, value in extra.items()}
            parts.extend(f"{_quote(key)}:{value}" for key, value in strings.items())
        else:
            parts.extend(f"{_quote(key)}:{_encoded(value, limit)}" for key, value in extra.items())

    def _traceback(self, record: logging.LogRecord) -> str:
        try:
            # Not the text that another handler's formatter may have left in `exc_text`.
            return self.formatException(record.exc_info)  # type: ignore[arg-type]
        except Exception as error:
            return f"{_shown(record.exc_info)} (its traceback cannot be shown: {type(error).__name__})"

    def _least(self, record: logging.LogRecord) -> str:
        values = {
            "asctime": self.formatTime(record, self.datefmt),
            "name": record.name[:1000],
            "levelname": record.levelname[:1000],
            "message": _cut(_shown(record.msg), 1000),
            "format_error": "the record is over 1,000 KiB; its fields were left out",
        }
        return "{" + ",".join(f"{_quote(name)}:{_quote(value)}" for name, value in values.items()) + "}"


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def _fields_of(fmt: str, style: Style) -> tuple[str, ...]:
    if style == "%":
        names = _PERCENT.findall(fmt)
    elif style == "{":
        names = [re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(fmt) if name]
    else:
        found = string.Template.pattern.finditer(fmt)
        names = [match["named"] or match["braced"] for match in found if match["named"] or match["braced"]]
    return tuple(dict.fromkeys(names))


def _encoded(value: Any, limit: int) -> str:
    """Returns a value as JSON; the common ones without a detour."""
    kind = type(value)
    if kind is str:
        return _quote(value if len(value) <= limit else _cut(value, limit))
    if value is None:
        return "null"
    if kind is int and -(2**63) <= value < 2**63:
        return int.__repr__(value)
    return _json(value, limit)


def _json(value: Any, limit: int) -> str:
    try:
        return json.dumps(_plain(value, limit, _DEPTH, [_VALUES], set()), ensure_ascii=False, separators=(",", ":"))
    except Exception as error:
        return _quote(_cut(f"<{type(value).__name__} that cannot be written: {type(error).__name__}>", limit))


def _as_string(value: Any, limit: int) -> str:
    if value is None or isinstance(value, str):
        return _encoded(value, limit)
    text = _json(value, limit)
    if text == "null":
        return text
    return text if text.startswith('"') else _quote(_cut(text, limit))


def _plain(value: Any, limit: int, depth: int, budget: list[int], above: set[int]) -> Any:
    """Returns a value made of nothing but what JSON and the index know."""
    budget[0] -= 1
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, limit, depth, budget, above)
    if isinstance(value, str):
        return _cut(str.__str__(value), limit)
    if isinstance(value, int):
        # Beyond 64 bits the index has no type for it and would refuse the document.
        return int(value) if -(2**63) <= value < 2**63 else _big(value)
    if isinstance(value, float):
        # JSON has no NaN; a text would make the field a text for the whole index.
        return float(value) if math.isfinite(value) else None
    inner = _inner(value)
    if inner is None:
        return _single(value, limit)
    if id(value) in above:
        return f"<circular {type(value).__name__}>"
    if depth == 0:
        return f"<{type(value).__name__} nested too deep>"
    above.add(id(value))
    try:
        if isinstance(inner, Mapping):
            result: dict[str, Any] = {}
            for key, item in inner.items():
                if budget[0] <= 0:
                    result["cut"] = f"of {len(inner)} values"
                    break
                result[_key(key)] = _plain(item, limit, depth - 1, budget, above)
            return result
        items: list[Any] = []
        for item in inner:
            if budget[0] <= 0:
                items.append(None)
                break
            items.append(_plain(item, limit, depth - 1, budget, above))
        return items
    finally:
        above.discard(id(value))


def _inner(value: Any) -> Any:
    """Returns what a container holds, as a mapping or something to go through; None for a single value."""
    if isinstance(value, (Mapping, list, tuple, Set, deque)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return value
    return None


_SINGLES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((bytes, bytearray, memoryview), lambda value: bytes(value).decode("utf-8", "backslashreplace")),
    ((datetime.datetime, datetime.date, datetime.time), lambda value: value.isoformat()),
    (datetime.timedelta, lambda value: value.total_seconds()),
    (decimal.Decimal, str),
    (BaseException, lambda value: f"{type(value).__name__}: {value}"),
    (type, lambda value: f"{value.__module__}.{value.__qualname__}"),
)


def _single(value: Any, limit: int) -> Any:
    try:
        for kinds, shown in _SINGLES:
            if isinstance(value, kinds):
                result = shown(value)
                return _cut(result, limit) if isinstance(result, str) else result
        if hasattr(type(value), "__index__"):
            number = operator.index(value)
            return number if -(2**63) <= number < 2**63 else _big(number)
        return _cut(str(value), limit)
    except Exception:
        return _cut(_shown(value), limit)


def _big(number: int) -> str:
    # Python refuses to write out more than 4,300 digits, and nobody would read them.
    return str(number) if abs(number) < 10**100 else hex(number)[:100]


def _key(key: Any) -> str:
    """Returns a name that the index takes for a field."""
    name = key if type(key) is str else _cut(_shown(key), 200)
    if name in _METADATA:
        return f"extra{name}"
    if not name or name.isspace():
        return "_"
    # The dot makes an object of a name, and an object has to have one.
    if name[0] == "." or name[-1] == "." or ".." in name:
        return name.replace(".", "_")
    return name


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… [cut, {len(text)} characters]"


def _shown(value: Any) -> str:
    try:
        return value if type(value) is str else str(value)
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
