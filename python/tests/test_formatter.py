"""What `JsonFormatter` makes of a record: one line of JSON that the index takes, whatever the record holds."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import logging
import pathlib
import time
import uuid
from typing import Any

import pytest
from conftest import record

import ekk


def fields(made: logging.LogRecord, **arguments: Any) -> dict[str, Any]:
    line = ekk.JsonFormatter(**arguments).format(made)
    assert line.splitlines() == [line]
    line.encode("utf-8")
    result: dict[str, Any] = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    del result["asctime"]
    return result


def test_a_record_has_the_article_s_fields_in_their_order() -> None:
    made = record("hello %s", "world")
    made.created = 1589201084.123
    formatter = ekk.JsonFormatter()
    formatter.converter = time.gmtime
    assert formatter.format(made) == (
        '{"asctime":"2020-05-11T12:44:44.123+00:00","name":"app","levelname":"INFO","message":"hello world"}'
    )


def test_the_format_names_the_fields() -> None:
    made = record("hello")
    made.created = 1589201084.123
    for fmt, style in (
        ("%(levelname)s %(asctime)s: %(message)s (%(lineno)d)", "%"),
        ("{levelname} {asctime}: {message} ({lineno:d})", "{"),
        ("$levelname ${asctime}: $message ($lineno)", "$"),
    ):
        formatter = ekk.JsonFormatter(fmt, "%Y-%m-%dT%H:%M:%S%z", style)  # type: ignore[arg-type]
        formatter.converter = time.gmtime
        assert formatter.format(made) == (
            '{"levelname":"INFO","asctime":"2020-05-11T12:44:44+0000","message":"hello","lineno":1}'
        )


def test_the_time_has_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    made = record("hello")
    made.created = 1589201084.999999
    try:
        for zone, expected in (
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2020-05-11T14:44:44.999+02:00"),
            ("XXX3:30", "2020-05-11T09:14:44.999-03:30"),
        ):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            text = json.loads(ekk.JsonFormatter().format(made))["asctime"]
            assert text == expected
            assert datetime.datetime.fromisoformat(text).timestamp() == pytest.approx(made.created, abs=0.001)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_time_follows_the_record_and_not_the_one_before() -> None:
    formatter = ekk.JsonFormatter()
    formatter.converter = time.gmtime
    made = record("hello")
    times = []
    for created in (1.0, 1.5, 2.25, 1.0):
        made.created = created
        times.append(formatter.formatTime(made)[17:23])
    assert times == ["01.000", "01.500", "02.250", "01.000"]


def test_a_bad_format_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="format"):
        ekk.JsonFormatter("no field")
    with pytest.raises(ValueError, match="extra is fields, strings or text"):
        ekk.JsonFormatter(extra="other")  # type: ignore[arg-type]


def test_extra_values_keep_their_types() -> None:
    class Colour(enum.Enum):
        RED = "red"

    @dataclasses.dataclass
    class Point:
        x: int
        y: float

    made = record(
        "m",
        number=5,
        share=0.25,
        yes=True,
        nothing=None,
        text="t",
        colour=Colour.RED,
        point=Point(1, 2.5),
        at=datetime.datetime(2020, 5, 11, tzinfo=datetime.timezone.utc),
        took=datetime.timedelta(seconds=1.5),
        price=decimal.Decimal("1.10"),
        path=pathlib.PurePosixPath("/a/b"),
        id=uuid.UUID(int=1),
        data=b"a\xff",
        kinds={"a": [1, (2, 3)], 4: {5}},
        error=ValueError("wrong"),
        type=int,
    )
    assert fields(made) == {
        "name": "app",
        "levelname": "INFO",
        "message": "m",
        "number": 5,
        "share": 0.25,
        "yes": True,
        "nothing": None,
        "text": "t",
        "colour": "red",
        "point": {"x": 1, "y": 2.5},
        "at": "2020-05-11T00:00:00+00:00",
        "took": 1.5,
        "price": "1.10",
        "path": "/a/b",
        "id": "00000000-0000-0000-0000-000000000001",
        "data": "a\\xff",
        "kinds": {"a": [1, [2, 3]], "4": [5]},
        "error": "ValueError: wrong",
        "type": "builtins.int",
    }


def test_extra_as_strings_never_clashes_in_the_mapping() -> None:
    values: list[object] = [5, 0.5, True, "text", {"a": 1}, [1, "a"], None]
    kinds = [fields(record("m", value=value), extra="strings")["value"] for value in values]
    assert kinds == ["5", "0.5", "true", "text", '{"a":1}', '[1,"a"]', None]
    assert "user_id" in fields(record("m", **{"user.id": 1}), extra="strings")


def test_extra_as_text_is_one_field() -> None:
    made = fields(record("m", a=1, b={"c": [2]}), extra="text")
    assert made == {"name": "app", "levelname": "INFO", "message": "m", "extra": '{"a":1,"b":{"c":[2]}}'}


def test_names_that_an_index_refuses_are_changed() -> None:
    made = fields(
        record("m", **{"_id": 1, "": 2, ".a": 3, "b..c": 4, "d.": 5, "_own": 6, "e.f": {"_source": 7, "": 8}})
    )
    assert {name: made[name] for name in made if name not in ("name", "levelname", "message")} == {
        "extra_id": 1,
        "_": 2,
        "_a": 3,
        "b__c": 4,
        "d_": 5,
        "_own": 6,
        "e.f": {"extra_source": 7, "_": 8},
    }


def test_defaults_are_fields_of_every_record_that_has_none_of_its_own() -> None:
    assert fields(record("m"), defaults={"service": "shop"})["service"] == "shop"
    assert fields(record("m", service="cart"), defaults={"service": "shop"})["service"] == "cart"


def test_an_exception_has_its_traceback_and_the_stack_its_lines() -> None:
    logger = logging.Logger("app")
    made: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = made.append  # type: ignore[method-assign,assignment]
    logger.addHandler(handler)
    try:
        raise NameError("not there")
    except NameError:
        logger.exception("failed", stack_info=True)
    result = fields(made[0])
    assert result["exc_info"].startswith("Traceback (most recent call last):\n  File ")
    assert result["exc_info"].endswith("NameError: not there")
    assert result["stack_info"].startswith("Stack (most recent call last):\n  File ")


def test_what_a_queue_handler_prepared_keeps_its_traceback() -> None:
    assert fields(record("m", exc_text="Traceback: x"))["exc_info"] == "Traceback: x"


def test_an_exception_that_cannot_be_shown_is_shown_nevertheless() -> None:
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    made = record("m", bad=Bad())
    made.exc_info = (Bad, Bad(), None)
    result = fields(made)
    assert "Bad" in result["exc_info"]
    assert result["bad"] == "<Bad that cannot be shown: RuntimeError>"


def test_what_json_has_no_word_for_is_null() -> None:
    made = fields(record("m", a=float("nan"), b=float("inf"), c=[-float("inf"), 1.5], d={"e": float("nan")}))
    assert (made["a"], made["b"], made["c"], made["d"]) == (None, None, [None, 1.5], {"e": None})


def test_a_number_beyond_64_bits_is_a_text() -> None:
    made = fields(record("m", a=2**63, b=2**63 - 1, c=-(2**63) - 1, d=[2**64], e=10**5000))
    assert (made["a"], made["b"], made["c"], made["d"]) == (
        "9223372036854775808",
        2**63 - 1,
        "-9223372036854775809",
        ["18446744073709551616"],
    )
    assert made["e"].startswith("0x")


def test_a_circle_ends() -> None:
    circle: dict[str, Any] = {"a": 1}
    circle["self"] = [circle]
    same = [1]
    made = fields(record("m", circle=circle, twice=[same, same]))
    assert made["circle"] == {"a": 1, "self": ["<circular dict>"]}
    assert made["twice"] == [[1], [1]]


def test_what_is_deep_or_wide_ends() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    line = json.dumps(fields(record("m", deep=deep, wide=list(range(100_000)), table={i: i for i in range(100_000)})))
    assert "nested too deep" in line
    assert len(line) < 200_000


def test_lone_surrogates_stay_legible() -> None:
    made = fields(record("file %s", "caf\udce9", path="\ud800", **{"k\udfff": 1}))
    assert made["message"] == "file caf\\udce9"
    assert made["path"] == "\\ud800"
    assert made["k\\udfff"] == 1


def test_control_characters_stay_on_the_line() -> None:
    assert fields(record("a\nb\r\tc\x00\u2028\x7f"))["message"] == "a\nb\r\tc\x00\u2028\x7f"


def test_a_huge_text_is_cut_and_says_so() -> None:
    made = fields(record("x" * 3_000_000, blob="y" * 200_000))
    assert made["message"] == "x" * 100_000 + "… [cut, 3000000 characters]"
    assert made["blob"] == "y" * 100_000 + "… [cut, 200000 characters]"
    assert fields(record("x" * 1000), max_characters=100)["message"] == "x" * 100 + "… [cut, 1000 characters]"


@pytest.mark.parametrize("text", ["x" * 100_000, "\x01" * 100_000, "😀" * 100_000])
def test_a_record_is_never_over_firehose_s_limit(text: str) -> None:
    many = {f"field{i}": text for i in range(30)}
    line = ekk.JsonFormatter().format(record(text, **many)).encode()
    assert len(line) + 1 <= 1_024_000
    assert json.loads(line)["message"][:100] == text[:100]


def test_a_record_of_too_many_fields_keeps_its_message() -> None:
    many = {f"field{'x' * 300}{i}": "value" * 10 for i in range(30_000)}
    line = ekk.JsonFormatter().format(record("hello", **many))
    assert len(line) < 1_024_000
    assert json.loads(line)["message"] == "hello"
    assert json.loads(line)["format_error"] == "the record is over 1,000 KiB; its fields were left out"


def test_args_as_a_mapping_and_nested() -> None:
    assert fields(record("%(a)s and %(b)s", {"a": 1, "b": {"c": [2]}}))["message"] == "1 and {'c': [2]}"
    made = fields(record("%s", [{"a": {"b": float("nan")}}]), fmt="%(asctime)s %(message)s %(args)s")
    assert made["args"] == [[{"a": {"b": None}}]]


def test_a_message_that_does_not_fit_its_arguments_is_shipped_and_says_why() -> None:
    made = fields(record("%d items", "five"))
    assert made["message"] == "%d items ('five',)"
    assert made["format_error"].startswith("TypeError: ")


def test_a_mapping_as_message_becomes_fields() -> None:
    made = fields(record({"event": "login", "user": 5, "message": "hello", "_id": 1}))
    assert made == {
        "name": "app",
        "levelname": "INFO",
        "message": "hello",
        "event": "login",
        "user": 5,
        "extra_id": 1,
    }


def test_a_value_that_fails_in_every_way_costs_itself_only() -> None:
    class Bad:
        def __str__(self) -> str:
            raise ValueError

        def __index__(self) -> int:
            raise KeyError

    class BadMapping(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            raise RuntimeError

    made = fields(record("m", bad=Bad(), mapping=BadMapping(a=1), fine=1, keys={Bad(): 1}))
    assert made["bad"] == "<Bad that cannot be shown: ValueError>"
    assert made["mapping"] == "<BadMapping that cannot be written: RuntimeError>"
    assert made["keys"] == {"<Bad that cannot be shown: ValueError>": 1}
    assert made["fine"] == 1


def test_a_record_of_python_3_12_does_not_carry_its_task_name_as_extra() -> None:
    assert fields(record("m", taskName="Task-1")) == {"name": "app", "levelname": "INFO", "message": "m"}
    assert fields(record("m", taskName="Task-1"), fmt="%(asctime)s %(taskName)s")["taskName"] == "Task-1"


def pairs(made: logging.LogRecord, **arguments: Any) -> dict[str, Any]:
    """Returns the fields, and fails where one is written twice, which an index refuses."""

    def unique(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        assert len(names) == len(set(names)), names
        return dict(found)

    result: dict[str, Any] = json.loads(ekk.JsonFormatter(**arguments).format(made), object_pairs_hook=unique)
    for name in ("asctime", "name", "levelname"):
        result.pop(name, None)
    return result


def test_an_empty_format_or_date_format_is_none() -> None:
    made = record("m")
    made.created = 1589201084.123
    for arguments in (("", ""), (None, ""), ("", None)):
        formatter = ekk.JsonFormatter(*arguments)
        formatter.converter = time.gmtime
        assert formatter.format(made) == (
            '{"asctime":"2020-05-11T12:44:44.123+00:00","name":"app","levelname":"INFO","message":"m"}'
        )


def failed() -> Any:
    try:
        raise NameError("x")
    except NameError as error:
        return (NameError, error, None)


def test_no_field_is_ever_written_twice() -> None:
    class Message:
        def __str__(self) -> str:
            return "message"

    wrong = record("%d", "x", format_error="mine")
    result = pairs(wrong)
    assert result.pop("format_error").startswith("TypeError: ")
    assert result == {"message": "%d ('x',)", "extra_format_error": "mine"}
    assert pairs(record("m", format_error="mine")) == {"message": "m", "extra_format_error": "mine"}
    fmt = "%(message)s %(exc_info)s %(stack_info)s %(format_error)s %(extra)s"
    made = record("m", exc_info=failed(), stack_info="s", a=1)
    assert pairs(made, fmt=fmt, extra="text") == {
        "message": "m",
        "exc_info": "NameError: x",
        "stack_info": "s",
        "format_error": None,
        "extra": '{"a":1}',
    }
    assert pairs(record("m"), fmt="%(message)s %(exc_info)s") == {"message": "m", "exc_info": None}
    made = record("m", exc_info=failed(), **{"exc.info": 1, "a.b": 1, "a_b": 2})
    assert pairs(made, extra="strings") == {
        "message": "m",
        "exc_info": "NameError: x",
        "extra_exc_info": "1",
        "a_b": "1",
        "extra_a_b": "2",
    }
    assert pairs(record({Message(): 1, "message": "a"})) == {"message": "a", "extra_message": 1}
    assert pairs(record({"_id": 1, "extra_id": 2})) == {"message": "", "extra_id": 1, "extra_extra_id": 2}


def test_with_strings_all_that_is_free_is_a_string() -> None:
    assert pairs(record({"message": {"x": 1}, "k": [1]}), extra="strings") == {"message": '{"x":1}', "k": "[1]"}
    assert pairs(record({"message": 5}), extra="strings") == {"message": "5"}
    fmt = "%(message)s %(item)s %(args)s %(lineno)d"
    assert pairs(record("m %s", 1, item=17), fmt=fmt, extra="strings") == {
        "message": "m 1",
        "item": "17",
        "args": "[1]",
        "lineno": 1,
    }


def test_a_mapping_as_message_keeps_keys_that_are_the_formatter_s_own() -> None:
    import types

    message = {"name": "Bob", "levelname": 1, "asctime": 2, "exc_info": 3, "message": "hi", "user": 4}
    expected = {
        "message": "hi",
        "extra_name": "Bob",
        "extra_levelname": 1,
        "extra_asctime": 2,
        "extra_exc_info": 3,
        "user": 4,
    }
    assert pairs(record(message)) == expected
    assert pairs(record(types.MappingProxyType(message))) == expected
    both = record({"message": "hi", "user": 1}, user=2)
    assert pairs(both) == {"message": "hi", "user": 1, "extra_user": 2}
    assert pairs(both, fmt="%(message)s %(user)s") == {"message": "hi", "user": 2, "extra_user": 1}


def test_a_name_with_a_blank_part_or_below_a_field_that_is_no_object_is_changed() -> None:
    made = pairs(record("m", **{"a. ": 1, "b. .c": 2, "message.x": 3, "exc_info.y": 4, "d": 5, "d.e": 6, "f.g": 7}))
    assert made == {
        "message": "m",
        "a_ ": 1,
        "b_ _c": 2,
        "message_x": 3,
        "exc_info_y": 4,
        "d": 5,
        "d_e": 6,
        "f.g": 7,
    }


@pytest.mark.parametrize("created", [float("nan"), float("inf"), 1e300, None])
def test_a_time_that_is_none_costs_itself_only(created: Any) -> None:
    made = record("m")
    made.created = created
    result = json.loads(ekk.JsonFormatter().format(made))
    assert (result["asctime"], result["message"]) == (None, "m")
    assert result["format_error"]


def test_it_never_raises() -> None:
    class BadMapping(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            raise RuntimeError("no items")

    class BadKey(str):
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

    assert pairs(record(BadMapping(a=1))) == {"message": "{'a': 1}", "format_error": "RuntimeError: no items"}
    assert pairs(record({BadKey("a"): 1})) == {"message": "", "a": 1}
    assert pairs(record("m", stack_info=5)) == {"message": "m", "stack_info": "5"}
    made = record("m", **{f"field{i}": "x" * 100 for i in range(30_000)})
    made.name = None  # type: ignore[assignment]
    made.created = float("nan")
    result = json.loads(ekk.JsonFormatter().format(made))
    assert (result["asctime"], result["name"], result["message"]) == (None, None, "m")

    class Broken(ekk.JsonFormatter):
        def formatException(self, ei: Any) -> str:
            raise RuntimeError

        def formatStack(self, stack_info: str) -> str:
            raise RuntimeError

        def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
            raise RuntimeError("no time")

    made = record("m", exc_info=failed(), stack_info="s")
    result = json.loads(Broken().format(made))
    assert (result["asctime"], result["message"], result["format_error"]) == (None, "m", "RuntimeError: no time")


def test_extra_survives_a_filter_that_deletes_an_attribute() -> None:
    made = record("m", user=5)
    del made.processName
    assert pairs(made) == {"message": "m", "user": 5}


def test_defaults_are_fields_beside_the_text_of_all_others() -> None:
    made = record("m", user=5)
    assert pairs(made, extra="text", defaults={"env": "p"}) == {"message": "m", "env": "p", "extra": '{"user":5}'}
    assert pairs(made, extra="text", defaults={"user": 0}) == {"message": "m", "user": 5}


def test_a_huge_value_is_cut_before_it_is_written() -> None:
    many = ["x" * 100_000] * 5000
    text = "x" * 100_000
    began = time.process_time()
    assert fields(record("m", rows=many))["rows"] == [*[text] * 5, "x" * 12_000 + "… [cut, 100000 characters]", None]
    fields(record("m", **{f"field{number}": text for number in range(5000)}))
    fields(record("m", rows=many), extra="strings")
    fields(record("m", rows=many), extra="text")
    # Written in full, it takes four times half a gigabyte.
    assert time.process_time() - began < 1
