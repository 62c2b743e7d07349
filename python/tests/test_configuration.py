"""How the handler and the formatter come into a program: dictConfig, fileConfig, structlog, python-json-logger."""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from conftest import Firehose

import ekk

Make = Callable[..., ekk.FirehoseHandler]


@pytest.fixture(autouse=True)
def stream(firehose: Firehose, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_FIREHOSE", firehose.url)
    before = logging.root.level, logging.root.handlers[:]
    yield
    for handler in logging.root.handlers[:]:
        if handler not in before[1]:
            logging.root.removeHandler(handler)
            handler.close()
    logging.root.level, logging.root.handlers[:] = before


def documents(firehose: Firehose) -> list[dict[str, Any]]:
    logging.shutdown()
    return [json.loads(line) for call in firehose.calls() for line in call["records"]]


def test_dict_config_takes_all_arguments(firehose: Firehose, tmp_path: Path) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": "ekk.JsonFormatter",
                    "format": "%(levelname)s %(message)s",
                    "extra": "strings",
                    "defaults": {"service": "shop"},
                }
            },
            "handlers": {
                "firehose": {
                    "class": "ekk.FirehoseHandler",
                    "formatter": "json",
                    "level": "WARNING",
                    "stream": "logs",
                    "region": "eu-west-1",
                    "endpoint_url": firehose.url,
                    "spool": str(tmp_path),
                    "hook_sigterm": False,
                }
            },
            "root": {"handlers": ["firehose"], "level": "DEBUG"},
        }
    )
    logging.getLogger("shop").warning("sold out", extra={"item": 5})
    logging.getLogger("shop").info("not shipped")
    assert documents(firehose) == [{"levelname": "WARNING", "message": "sold out", "service": "shop", "item": "5"}]
    assert firehose.calls()[0]["stream"] == "logs"


def test_file_config_takes_them_too(firehose: Firehose, tmp_path: Path) -> None:
    path = tmp_path / "logging.ini"
    path.write_text(
        """
[loggers]
keys=root
[handlers]
keys=firehose
[formatters]
keys=json
[logger_root]
level=INFO
handlers=firehose
[handler_firehose]
class=ekk.FirehoseHandler
formatter=json
args=("logs", "eu-west-1")
kwargs={"hook_sigterm": False}
[formatter_json]
class=ekk.JsonFormatter
format=%(levelname)s %(message)s
"""
    )
    logging.config.fileConfig(path, disable_existing_loggers=False)
    logging.getLogger("shop").info("hello")
    assert documents(firehose) == [{"levelname": "INFO", "message": "hello"}]


def test_the_article_s_class_takes_nothing_and_ships_to_its_stream(firehose: Firehose) -> None:
    handler = ekk.KinesisFirehoseDeliveryStreamHandler()
    logging.root.addHandler(handler)
    logging.getLogger("app").error("hello")
    (document,) = documents(firehose)
    assert list(document) == ["asctime", "name", "levelname", "message"]
    assert firehose.calls()[0]["stream"] == "logging-test"


def test_a_queue_handler_in_front_of_it_ships_the_same(firehose: Firehose) -> None:
    import queue

    handler = ekk.FirehoseHandler("logs", hook_sigterm=False)
    waiting: queue.Queue[Any] = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    logger = logging.Logger("app")
    logger.addHandler(logging.handlers.QueueHandler(waiting))
    try:
        raise KeyError("a")
    except KeyError:
        logger.exception("failed %s", 5, extra={"order": 17})
    listener.stop()
    handler.close()
    (document,) = documents(firehose)
    assert document["message"].startswith("failed 5") and document["order"] == 17
    assert "KeyError: 'a'" in document["message"] + document.get("exc_info", "")


def test_python_json_logger_s_output_is_shipped_as_it_is(firehose: Firehose) -> None:
    from pythonjsonlogger.json import JsonFormatter

    handler = ekk.FirehoseHandler("logs", hook_sigterm=False)
    formatter = JsonFormatter("%(asctime)s %(name)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")
    handler.setFormatter(formatter)
    logger = logging.Logger("app")
    logger.addHandler(handler)
    logger.info("hello", extra={"order": {"id": 17}, "at": "caf\u00e9"})
    handler.close()
    (document,) = documents(firehose)
    del document["asctime"]
    assert document == {
        "name": "app",
        "levelname": "INFO",
        "message": "hello",
        "order": {"id": 17},
        "at": "caf\u00e9",
    }


def test_structlog_s_output_is_shipped_as_it_is(firehose: Firehose) -> None:
    import structlog

    handler = ekk.FirehoseHandler("logs", hook_sigterm=False)
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", key="asctime"),
        structlog.processors.EventRenamer("message"),
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=shared,
        )
    )
    logger = logging.Logger("app")
    logger.addHandler(handler)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        structlog.wrap_logger(logger).info("hello", order=17)
        logger.info("from the standard library")
    finally:
        structlog.reset_defaults()
    handler.close()
    first, second = documents(firehose)
    assert {"message": "hello", "order": 17, "logger": "app"}.items() <= first.items()
    assert first["asctime"].endswith("Z") and second["message"] == "from the standard library"


def test_structlog_that_renders_by_itself_needs_a_bare_formatter(firehose: Firehose) -> None:
    import structlog

    handler = ekk.FirehoseHandler("logs", hook_sigterm=False)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.Logger("app")
    logger.addHandler(handler)
    bound = structlog.wrap_logger(logger, processors=[structlog.processors.JSONRenderer()])
    bound.info("hello", order=17)
    handler.close()
    assert documents(firehose) == [{"event": "hello", "order": 17}]


def test_configuring_anew_ships_what_the_old_handler_had(firehose: Firehose) -> None:
    def configure(stream: str) -> None:
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {
                    "firehose": {
                        "class": "ekk.FirehoseHandler",
                        "stream": stream,
                        "batch_seconds": 60,
                        "hook_sigterm": False,
                    }
                },
                "root": {"handlers": ["firehose"]},
            }
        )

    configure("first")
    logging.getLogger("app").error("a")
    configure("second")
    logging.getLogger("app").error("b")
    documents(firehose)
    assert [(call["stream"], len(call["records"])) for call in firehose.calls()] == [("first", 1), ("second", 1)]
