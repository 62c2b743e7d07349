"""The article's program: JSON logs on the console and, side by side, through Firehose to the domain.

Of the article's configuration only the class strings are changed: `ekk.JsonFormatter` for the formatter and
`ekk.KinesisFirehoseDeliveryStreamHandler` for the handler.
"""

import logging
import logging.config

config = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "standard": {
            "format": "%(asctime)s %(name)s %(levelname)s %(message)s",
            "datefmt": "%Y-%m-%dT%H:%M:%S%z",
        },
        "json": {
            "format": "%(asctime)s %(name)s %(levelname)s %(message)s",
            "datefmt": "%Y-%m-%dT%H:%M:%S%z",
            "class": "ekk.JsonFormatter",
        },
    },
    "handlers": {
        "standard": {"class": "logging.StreamHandler", "formatter": "json"},
        "kinesis": {"class": "ekk.KinesisFirehoseDeliveryStreamHandler", "formatter": "json"},
    },
    "loggers": {"": {"handlers": ["standard", "kinesis"], "level": logging.INFO}},
}

logging.config.dictConfig(config)
logger = logging.getLogger(__name__)


def test() -> None:
    try:
        raise NameError("fake NameError")
    except NameError as error:
        logger.error(error)
        logger.error(error, exc_info=True)


if __name__ == "__main__":
    logger.info("Hello from Python", extra={"order": 17})
    test()
