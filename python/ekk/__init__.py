"""Ships Python's log records to an Amazon Data Firehose delivery stream.

`FirehoseHandler` takes records from `logging` and sends them, `JsonFormatter` writes them. Pure Python; the only
dependency is boto3. The command `ekk` of the same distribution is not needed by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ekk.formatter import JsonFormatter
from ekk.handler import Counts, FirehoseHandler, KinesisFirehoseDeliveryStreamHandler
from ekk.lifecycle import flush_after

if TYPE_CHECKING:
    __version__: str

__all__ = [
    "Counts",
    "FirehoseHandler",
    "JsonFormatter",
    "KinesisFirehoseDeliveryStreamHandler",
    "flush_after",
]


def __getattr__(name: str) -> object:
    # Reading the version means reading files, which most programs never ask for.
    if name == "__version__":
        from ekk.sender import version

        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
