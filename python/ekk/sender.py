"""One `PutRecordBatch` call, and what its outcome means. Decides nothing about when to send again, and never raises."""

from __future__ import annotations

import binascii
import dataclasses
import enum
import functools
import json
import os
import re
import socket
from collections.abc import Sequence
from typing import Any

import boto3.session
import botocore.config
import botocore.exceptions
import botocore.session
from botocore.credentials import DeferredRefreshableCredentials

from ekk import lifecycle
from ekk.formatter import shown

#: What `PutRecordBatch` takes. 4,000,000 and not 4 MiB, since AWS's pages say both.
BATCH_RECORDS = 500
BATCH_BYTES = 4_000_000


class Kind(enum.Enum):
    """What an error says about sending again."""

    PASSING = "passes by itself: throttling, an outage, a lost connection"
    SETUP = "stays until somebody mends it: a name, a permission, credentials"
    INVALID = "is due to what was sent"


@dataclasses.dataclass(frozen=True)
class Trouble:
    """Why something of a call was not taken."""

    kind: Kind
    code: str
    text: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a call: the indexes that were not taken, in order, and why."""

    refused: Sequence[int]
    trouble: Trouble | None = None


#: Codes of credentials that may be other ones when they are read anew.
_CREDENTIALS = frozenset(
    "ExpiredToken ExpiredTokenException RequestExpired InvalidClientTokenId UnrecognizedClientException "
    "InvalidSignatureException SignatureDoesNotMatch IncompleteSignature MissingAuthenticationToken "
    "MissingAuthenticationTokenException AccessDenied AccessDeniedException".split()
)
_PASSING = frozenset(
    "ServiceUnavailable ServiceUnavailableException InternalFailure InternalServerError Throttling "
    "ThrottlingException ThrottledException RequestThrottled RequestThrottledException TooManyRequestsException "
    "LimitExceededException ProvisionedThroughputExceededException RequestLimitExceeded BandwidthLimitExceeded "
    "SlowDown RequestTimeout RequestTimeoutException PriorRequestNotComplete TransactionInProgressException".split()
)
_INVALID = frozenset(
    "InvalidArgumentException ValidationException SerializationException RequestEntityTooLarge".split()
)


class Sender:
    """Sends batches to one delivery stream. Used by one thread at a time; makes its client at the first call."""

    def __init__(
        self,
        stream: str,
        region: str | None,
        endpoint_url: str | None,
        role_arn: str | None,
        request_seconds: float,
    ) -> None:
        self.stream = stream
        self._region = region
        self._endpoint_url = endpoint_url
        self._role_arn = role_arn
        self._request_seconds = request_seconds
        self._client: Any = None
        self._client_seconds = request_seconds
        self._writes_body = False
        self._body = b""
        self._answer: Any = None

    def send(self, records: Sequence[bytes], seconds: float | None = None) -> Outcome:
        """Sends up to 500 records of up to 4,000,000 bytes together, within so many seconds if they are fewer."""
        before, lifecycle.thread.sends = lifecycle.thread.sends, True
        try:
            return self._send(records, self._request_seconds if seconds is None else seconds)
        finally:
            lifecycle.thread.sends = before

    def close(self) -> None:
        """Closes the connection; the next call would open another one."""
        client, self._client = self._client, None
        try:
            if client is not None:
                client.close()
        except Exception:
            pass  # There is nothing to be done about a connection that does not close.

    def _send(self, records: Sequence[bytes], seconds: float) -> Outcome:
        try:
            # A client cannot be told anew how long to wait, and making one takes long: half a second more will do.
            if seconds < self._client_seconds - 0.5 or self._client_seconds < self._request_seconds <= seconds:
                self.close()
            if self._client is None:
                # A fork in the middle of this would leave the child a lock of Python's imports that nobody frees.
                with lifecycle.without_fork():
                    self._client = self._make_client(max(0.1, min(seconds, self._request_seconds)))
            return _of_answer(self._put(records), len(records))
        except botocore.exceptions.ClientError as error:
            trouble = _of_service(error)
            if trouble.code in _CREDENTIALS:
                self._client = None
            return Outcome(range(len(records)), trouble)
        except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError) as error:
            return Outcome(range(len(records)), Trouble(Kind.PASSING, type(error).__name__, str(error)))
        except botocore.exceptions.BotoCoreError as error:
            self._client = None
            return Outcome(range(len(records)), Trouble(Kind.SETUP, type(error).__name__, str(error)))
        except Exception as error:
            self._client = None
            return Outcome(range(len(records)), Trouble(Kind.PASSING, type(error).__name__, shown(error)))

    def _put(self, records: Sequence[bytes]) -> Any:
        if not self._writes_body:
            return self._client.put_record_batch(
                DeliveryStreamName=self.stream, Records=[{"Data": record} for record in records]
            )
        # botocore takes about 10 us to check and to write one record, and as long again to read its answer; all of
        # that would be time in which the application's threads wait for the interpreter.
        encoded = [binascii.b2a_base64(record, newline=False) for record in records]
        name = json.dumps(self.stream).encode()
        self._body = b'{"DeliveryStreamName":%s,"Records":[{"Data":"%s"}]}' % (name, b'"},{"Data":"'.join(encoded))
        self._answer = None
        try:
            answer = self._client.put_record_batch(DeliveryStreamName=self.stream, Records=[])
            return self._answer if self._answer is not None else answer
        finally:
            self._body = b""
            self._answer = None

    def _make_client(self, seconds: float) -> Any:
        # The one thing that the first call imports by itself.
        import encodings.idna  # noqa: F401

        region = self._region
        session = boto3.session.Session(region_name=region)
        # boto3 reads AWS_DEFAULT_REGION only; ECS and others set AWS_REGION.
        region = region or session.region_name or os.environ.get("AWS_REGION")
        config = botocore.config.Config(
            # Sending again is decided by the handler, which has to be able to stop at any time.
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=min(5.0, seconds),
            read_timeout=seconds,
            max_pool_connections=1,
            parameter_validation=False,
            user_agent_extra=f"ekk/{version()}",
        )
        if self._role_arn:
            session = _as_role(session, region, self._role_arn, config)
        client = session.client("firehose", region_name=region, endpoint_url=self._endpoint_url, config=config)
        self._client_seconds = seconds
        self._writes_body = client.meta.service_model.metadata.get("protocol") == "json"
        if self._writes_body:
            client.meta.events.register("before-call.firehose.PutRecordBatch", self._set_body)
            client.meta.events.register("before-parse.firehose.PutRecordBatch", self._read_answer)
        return client

    def _set_body(self, params: dict[str, Any], **_: Any) -> None:
        params["body"] = self._body

    def _read_answer(self, response_dict: dict[str, Any], **_: Any) -> None:
        # Versions of botocore without this event read the answer themselves.
        if response_dict.get("status_code") == 200:
            try:
                self._answer = json.loads(response_dict["body"])
            except ValueError:
                return
            response_dict["body"] = b"{}"


def _as_role(session: Any, region: str | None, role_arn: str, config: Any) -> Any:
    sts = session.client("sts", region_name=region, config=config)
    name = re.sub(r"[^\w+=,.@-]", "-", f"ekk-{os.getpid()}@{socket.gethostname()}", flags=re.ASCII)[:64]

    def refresh() -> dict[str, str]:
        credentials = sts.assume_role(RoleArn=role_arn, RoleSessionName=name)["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }

    inner: Any = botocore.session.get_session()
    inner._credentials = DeferredRefreshableCredentials(refresh_using=refresh, method="sts-assume-role")
    return boto3.session.Session(botocore_session=inner, region_name=region)


def _of_answer(answer: Any, count: int) -> Outcome:
    failed = answer.get("FailedPutCount") if isinstance(answer, dict) else None
    if failed == 0:
        return Outcome(())
    responses = answer.get("RequestResponses") if isinstance(answer, dict) else None
    if (
        isinstance(failed, int)
        and failed > 0
        and isinstance(responses, list)
        and len(responses) == count
        and all(isinstance(response, dict) for response in responses)
    ):
        refused = [index for index, response in enumerate(responses) if response.get("ErrorCode")]
        if refused:
            first = responses[refused[0]]
            # In part or in whole, a record that was not taken by name is one of throttling or a fault of the service.
            trouble = Trouble(Kind.PASSING, str(first["ErrorCode"]), str(first.get("ErrorMessage") or ""))
            return Outcome(refused, trouble)
    # Whatever it was, that nothing was taken is the one assumption that loses nothing.
    return Outcome(
        range(count), Trouble(Kind.PASSING, "UnknownAnswer", "what answered is not Firehose's PutRecordBatch")
    )


def _of_service(error: botocore.exceptions.ClientError) -> Trouble:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    text = str(error.response.get("Error", {}).get("Message", "")) or str(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500 or status == 429:
        return Trouble(Kind.PASSING, code, text)
    if code in _INVALID or status == 413:
        return Trouble(Kind.INVALID, code, text)
    return Trouble(Kind.SETUP, code, text)


@functools.cache
def version() -> str:
    """Returns the version of the installed distribution, or `0` in a source tree."""
    import importlib.metadata

    try:
        return importlib.metadata.version("ekk")
    except importlib.metadata.PackageNotFoundError:
        return "0"
