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
