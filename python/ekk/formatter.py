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

#: The article's fields.
_DEFAULT_FIELDS = ("asctime", "name", "levelname", "message")

#: Fields that are written where a record has something for them, whether `fmt` names them or not.
_WHERE_NEEDED = ("exc_info", "stack_info", "format_error")
#: The attributes that they are made of.
_NEEDS = ("exc_info", "exc_text", "stack_info")

#: Names of the formatter's own that are no fields unless `fmt` names them.
_NOT_WRITTEN = frozenset(["message", "asctime"])

#: An index refuses a document with one of its own metadata fields in it.
_METADATA = frozenset(
    "_id _index _source _type _routing _field_names _ignored _seq_no _version _primary_term _nested_path "
    "_doc_count _size _tier _meta _data_stream_timestamp".split()
)

#: An index takes objects of up to twenty levels, the document itself among them.
_DEPTH = 15
#: How many values one container of a record may hold, all levels together.
_VALUES = 5_000
#: And how many characters, so that it fits into a record with most of its texts whole.
_CHARACTERS = 512_000

_NOT_PLAIN = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_PERCENT = re.compile(r"%\((.+?)\)")

Style = Literal["%", "{", "$"]
Extra = Literal["fields", "strings", "text"]

#: How many characters one text may have, and all texts of one container together.
_Limits = tuple[int, int]


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
            the one field `extra`. A key that would be one of the fields above is `extra_KEY`.
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
        # Python's own example of a fileConfig has an empty `datefmt`, and means none.
        fmt, datefmt = fmt or None, datefmt or None
        super().__init__(fmt, datefmt, style, validate)
        if extra not in ("fields", "strings", "text"):
            raise ValueError(f"extra is fields, strings or text, not {extra!r}")
        if max_characters < 100:
            raise ValueError(f"max_characters is 100 or more, not {max_characters!r}")
        self._fields = _DEFAULT_FIELDS if fmt is None else _fields_of(fmt, style)
        self._prefixes = tuple((name, f"{_quote(name)}:") for name in self._fields)
        self._special = frozenset(("message", "asctime", *_WHERE_NEEDED, *(("extra",) if extra == "text" else ())))
        # No key of `extra` may have one of these names, not even where a record leaves it out: its type is taken.
        self._own = (frozenset(self._fields) | self._special) - (_NOT_WRITTEN - frozenset(self._fields))
        self._not_named = tuple(name for name in _WHERE_NEEDED if name not in self._fields)
        self._defaults = dict(defaults or {})
        self._extra = extra
        self._limits: _Limits = (max_characters, _CHARACTERS)
        # The text of the last second that was asked for; replaced whole, so that threads need no lock.
        self._second: tuple[int, str | None, str, str] = (-1, None, "", "")

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as one line of JSON; what is wrong with the record itself stands in `format_error`."""
        return self.format_in_need(record, None)

    def format_in_need(self, record: logging.LogRecord, trouble: str | None) -> str:
        """Returns a record that somebody else could not format, and in `format_error` why."""
        try:
            text = self._within_the_limit(record, trouble)
        except Exception as error:
            text = self._least(record, _told(error))
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

    def _within_the_limit(self, record: logging.LogRecord, trouble: str | None) -> str:
        limits = self._limits
        while limits[0] >= 25:
            text = self._compose(record, trouble, limits)
            # Six bytes for a character is the worst that JSON and UTF-8 make of it.
            if text is not None and (
                len(text) < RECORD_BYTES // 6 or len(text.encode("utf-8", "replace")) < RECORD_BYTES
            ):
                return text
            limits = (limits[0] // 4, limits[1] // 4)
        return self._least(record, "the record is over 1,000 KiB; its fields were left out")

    def _compose(self, record: logging.LogRecord, trouble: str | None, limits: _Limits) -> str | None:
        """Returns the record with its texts cut; None where there is too much of it nevertheless."""
        attributes = record.__dict__
        message, merged, message_trouble = _message(record)
        trouble = trouble or message_trouble
        fields: dict[str, Any] = {}
        inside: dict[str, Any] = {}
        if merged or self._defaults or not _STANDARD.issuperset(attributes):
            self._sort(attributes, merged, fields, inside)
        encode = _as_string if self._extra == "strings" else _encoded
        parts = []
        for name, prefix in self._prefixes:
            if name == "message":
                value = _encoded(message, limits) if type(message) is str else _as_string(message, limits)
            elif name == "asctime":
                try:
                    value = _as_string(self.formatTime(record, self.datefmt), limits)
                except Exception as error:
                    value, trouble = "null", trouble or _told(error)
            elif name in self._special:
                value = self._where_needed(name, record, trouble, inside, limits) or "null"
            elif name in attributes:
                # What Python sets has one type; what an application does has any.
                is_free = name not in _STANDARD or name in ("msg", "args")
                value = (encode if is_free else _encoded)(attributes[name], limits)
            else:
                value = encode(merged[name] if name in merged else self._defaults.get(name), limits)
            parts.append(prefix + value)
        if trouble or any(map(attributes.get, _NEEDS)):
            for name in self._not_named:
                found = self._where_needed(name, record, trouble, inside, limits)
                if found is not None:
                    parts.append(f'"{name}":{found}')
        size = 0
        for name, value in fields.items():
            parts.append(f"{_quote(name)}:{encode(value, limits)}")
            size += len(parts[-1])
            if size > RECORD_BYTES:
                # Before the rest of it takes seconds.
                return None
        if inside and "extra" not in self._fields:
            parts.append(f'"extra":{_inside_text(inside, limits)}')
        return "{" + ",".join(parts) + "}"

    def _sort(
        self, attributes: dict[str, Any], merged: dict[str, Any], fields: dict[str, Any], inside: dict[str, Any]
    ) -> None:
        """Sorts what `fmt` does not name into fields and what stands inside of the one field `extra`."""
        others = inside if self._extra == "text" else fields
        for key, value in self._defaults.items():
            if key not in self._fields:
                # A default is a field with every `extra`, and so is what a record has instead.
                if self._extra == "text":
                    self._add(fields, key, attributes.get(key, merged.get(key, value)))
                elif key not in attributes and key not in merged:
                    self._add(fields, key, value)
        is_done = self._defaults if self._extra == "text" else ()
        for key, value in merged.items():
            is_named = key in self._fields and key not in attributes and key not in self._special
            if not is_named and key not in is_done:
                self._add(others, key, value)
        for key, value in attributes.items():
            if key not in _STANDARD and (key not in self._fields or key in self._special) and key not in is_done:
                self._add(others, key, value)

    def _add(self, fields: dict[str, Any], key: Any, value: Any) -> None:
        """Adds a field under a name that the index takes and nothing else in the document has."""
        name = _key(key)
        if "." in name and (
            self._extra == "strings"
            # An object cannot have the name of a field that is none.
            or name.split(".", 1)[0] in self._own
            or any(name.startswith(f"{other}.") and not isinstance(fields[other], Mapping) for other in fields)
        ):
            name = name.replace(".", "_")
        while name in self._own or name in fields:
            name = f"extra_{name}"
        fields[name] = value

    def _where_needed(
        self, name: str, record: logging.LogRecord, trouble: str | None, inside: dict[str, Any], limits: _Limits
    ) -> str | None:
        attributes = record.__dict__
        if name == "exc_info":
            if attributes.get("exc_info"):
                return _as_string(self._traceback(record), limits)
            text = attributes.get("exc_text")
        elif name == "stack_info":
            text = attributes.get("stack_info")
            if text:
                try:
                    text = self.formatStack(text)
                except Exception as error:
                    text = f"{shown(text)} (it cannot be formatted: {type(error).__name__})"
        elif name == "format_error":
            text = trouble
        else:
            return _inside_text(inside, limits) if inside else None
        return _as_string(text, limits) if text else None

    def _traceback(self, record: logging.LogRecord) -> str:
        try:
            # Not the text that another handler's formatter may have left in `exc_text`.
            return self.formatException(record.exc_info)  # type: ignore[arg-type]
        except Exception as error:
            return f"{shown(record.exc_info)} (its traceback cannot be shown: {type(error).__name__})"

    def _least(self, record: logging.LogRecord, trouble: str) -> str:
        try:
            at = self.formatTime(record, self.datefmt)
        except Exception:
            at = None
        attributes = record.__dict__
        values = {
            "asctime": at,
            "name": attributes.get("name"),
            "levelname": attributes.get("levelname"),
            "message": shown(attributes.get("msg")),
            "format_error": trouble,
        }
        return (
            "{" + ",".join(f"{_quote(name)}:{_as_string(value, (1000, 1000))}" for name, value in values.items()) + "}"
        )


def _message(record: logging.LogRecord) -> tuple[Any, dict[str, Any], str | None]:
    """Returns a record's message, what else came with it when it is a mapping, and what was wrong with it."""
    message = record.msg
    try:
        if type(message) is str or not isinstance(message, Mapping) or record.args:
            return record.getMessage(), {}, None
        merged: dict[str, Any] = {}
        for key, value in message.items():
            name = key if type(key) is str else _cut(shown(key), 200)
            while name in merged or (name == "message" and type(key) is not str):
                name = f"extra_{name}"
            merged[name] = value
        return merged.pop("message", ""), merged, None
    except Exception as error:
        # What was meant is worth more than that it was written badly.
        arguments = record.__dict__.get("args")
        text = f"{shown(message)} {shown(arguments)}" if arguments else shown(message)
        return text, {}, _told(error)


def _inside_text(inside: dict[str, Any], limits: _Limits) -> str:
    return _encoded(_json(inside, limits), (max(limits), max(limits)))


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


def _encoded(value: Any, limits: _Limits) -> str:
    """Returns a value as JSON; the common ones without a detour."""
    kind = type(value)
    if kind is str:
        return _quote(value if len(value) <= limits[0] else _cut(value, limits[0]))
    if value is None:
        return "null"
    if kind is int and -(2**63) <= value < 2**63:
        return int.__repr__(value)
    return _json(value, limits)


def _json(value: Any, limits: _Limits) -> str:
    try:
        plain = _plain(value, limits[0], _DEPTH, [_VALUES, limits[1]], set())
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    except Exception as error:
        return _quote(_cut(f"<{type(value).__name__} that cannot be written: {type(error).__name__}>", limits[0]))


def _as_string(value: Any, limits: _Limits) -> str:
    """Returns a value as a JSON string, or as null."""
    if type(value) is str or value is None:
        return _encoded(value, limits)
    text = _json(value, limits)
    if text == "null":
        return text
    return text if text.startswith('"') else _quote(_cut(text, limits[0]))


def _plain(value: Any, limit: int, depth: int, budget: list[int], above: set[int]) -> Any:
    """Returns a value made of nothing but what JSON and the index know.

    The budget is what is left of the values and of the characters.
    """
    budget[0] -= 1
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, limit, depth, budget, above)
    if isinstance(value, str):
        return _paid(str.__str__(value), limit, budget)
    if isinstance(value, int):
        # Beyond 64 bits the index has no type for it and would refuse the document.
        return int(value) if -(2**63) <= value < 2**63 else _big(value)
    if isinstance(value, float):
        # JSON has no NaN; a text would make the field a text for the whole index.
        return float(value) if math.isfinite(value) else None
    inner = _inner(value)
    if inner is None:
        single = _single(value, limit)
        return _paid(single, limit, budget) if isinstance(single, str) else single
    if id(value) in above:
        return f"<circular {type(value).__name__}>"
    if depth == 0:
        return f"<{type(value).__name__} nested too deep>"
    above.add(id(value))
    try:
        if isinstance(inner, Mapping):
            result: dict[str, Any] = {}
            for key, item in inner.items():
                if min(budget) <= 0:
                    result["cut"] = f"of {len(inner)} values"
                    break
                name = _key(key)
                budget[1] -= len(name)
                result[name] = _plain(item, limit, depth - 1, budget, above)
            return result
        items: list[Any] = []
        for item in inner:
            if min(budget) <= 0:
                items.append(None)
                break
            items.append(_plain(item, limit, depth - 1, budget, above))
        return items
    finally:
        above.discard(id(value))


def _paid(text: str, limit: int, budget: list[int]) -> str:
    text = _cut(text, min(limit, max(budget[1], 0)))
    budget[1] -= len(text)
    return text


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
        for kinds, written in _SINGLES:
            if isinstance(value, kinds):
                result = written(value)
                return _cut(result, limit) if isinstance(result, str) else result
        if hasattr(type(value), "__index__"):
            number = operator.index(value)
            return number if -(2**63) <= number < 2**63 else _big(number)
        return _cut(str(value), limit)
    except Exception:
        return _cut(shown(value), limit)


def _big(number: int) -> str:
    # Python refuses to write out more than 4,300 digits, and nobody would read them.
    return str(number) if abs(number) < 10**100 else hex(number)[:100]


def _key(key: Any) -> str:
    """Returns a name that the index takes for a field."""
    name = key if type(key) is str else _cut(shown(key), 200)
    if name in _METADATA:
        return f"extra{name}"
    if not name or name.isspace():
        return "_"
    # The dot makes an object of a name, and an object has to have one.
    if "." in name and any(not part or part.isspace() for part in name.split(".")):
        return name.replace(".", "_")
    return name


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… [cut, {len(text)} characters]"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {shown(error)}"


def shown(value: Any) -> str:
    """Returns a value as text, and if that fails a text that says so."""
    try:
        return value if type(value) is str else str(value)
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
