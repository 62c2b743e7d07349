"""Stands between ekk and a server: writes down what passes, and puts faults into it by a plan. Standard library only.

    with proxy.start(address, via="moto", plan=proxy.mixture(7)) as running:
        running.address            # "http://127.0.0.1:41234"
        running.injected           # what was put in so far, one line each
        running.plan = None        # from now on everything passes

    python tests/real/proxy.py http://127.0.0.1:4566 --via localstack --seed 7

Requests and answers pass as they came, Host and chunks of a body included, so that a signature stays what it was. Only
with `lead_domains` are answers changed: the server's address in them becomes the proxy's, so that requests to a domain's
endpoint come through it, too.

Where EKK_RECORD names a folder, each exchange is one JSON line in a file there: `via`, `method`, `target`, `headers`,
`body_base64`, `status` (null where the client got no whole answer), `response_headers`, `response_body_base64`, and
`injected: true` where the proxy answered or cut instead of the server. Signatures and tokens are left out.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import enum
import hashlib
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import socketserver
import struct
import sys
import threading
import time
import urllib.parse
from typing import Iterator, Optional, Union

# Longer than whatever a server may take; ekk itself gives a call up after 30 s.
SERVER_SECONDS = 60
# Beyond this a "slow" answer would be a lost one, and a test would take minutes.
SLOWEST_SECONDS = 2.0
# How much is recorded of a body that no model describes, as the emulator's own recorder does.
OPAQUE_BODY_BYTES = 1024
LONGEST_HEAD = 1 << 16


# What is put in.


class Cut(enum.Enum):
    """The connection breaks."""

    BEFORE = "cut before the server got the request"
    AFTER = "cut after the server did the request"
    MIDDLE = "cut in the middle of the answer"


@dataclasses.dataclass(frozen=True)
class ServerError:
    """The service's own error with this status (a balancer's page for 502); the server never gets the request."""

    status: int

    def __str__(self) -> str:
        return f"answered {self.status}"


class Throttle(enum.Enum):
    """The service's own answer to too many calls; the server never gets the request."""

    ONCE = "throttled"


@dataclasses.dataclass(frozen=True)
class Slow:
    """The answer comes this much later."""

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= SLOWEST_SECONDS:
            raise ValueError(f"{self.seconds} s is no slow answer: up to {SLOWEST_SECONDS} s")

    def __str__(self) -> str:
        return f"answered {self.seconds} s late"


Effect = Union[Cut, ServerError, Throttle, Slow]


@dataclasses.dataclass(frozen=True)
class Rule:
    """Which requests an effect hits: those of `service` (as signed for; `domain` for a domain's own address) whose
    operation contains `operation`; of the requests of one operation the `nth` ones, counted from 1, or each with
    `probability`."""

    effect: Effect
    service: Optional[str] = None
    operation: Optional[str] = None
    nth: tuple[int, ...] = ()
    probability: float = 0.0

    def __post_init__(self) -> None:
        if bool(self.nth) == (self.probability > 0):
            raise ValueError("a rule hits the nth requests or by probability: one of the two")

    def fits(self, service: str, operation: str) -> bool:
        return self.service in (None, service) and (self.operation is None or self.operation in operation)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to put in, and where. The first rule that hits counts.

    What happens to the nth request of an operation depends on the seed and on nothing else, so requests that overtake
    each other change nothing. No more than `in_a_row` requests of one operation are hit one after the other: the SDK
    gives a call up after five attempts, and that of sts:GetCallerIdentity after three.
    """

    seed: int
    rules: tuple[Rule, ...]
    in_a_row: int = 2

    def effect(self, service: str, operation: str, number: int) -> Optional[Effect]:
        """What the rules alone say of the nth request of an operation."""
        for index, rule in enumerate(self.rules):
            if not rule.fits(service, operation):
                continue
            if number in rule.nth or self._drawn(index, service, operation, number) < rule.probability:
                return rule.effect
        return None

    def _drawn(self, *of) -> float:
        """A number in [0, 1) that these decide, in every process and version of Python alike."""
        digest = hashlib.sha256(json.dumps([self.seed, *of]).encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2**56

    def __str__(self) -> str:
        rules = "\n".join(f"  {rule}" for rule in self.rules)
        return f"plan of faults: seed {self.seed}, at most {self.in_a_row} in a row\n{rules}"


def mixture(seed: int, probability: float = 0.15) -> Plan:
    """Everything that can go wrong on the way, each a little."""
    effects = [
        Cut.BEFORE, Cut.AFTER, Cut.MIDDLE, ServerError(500), ServerError(502), ServerError(503), Throttle.ONCE, Slow(0.5)
    ]
    # The first rule that hits counts; the later ones are raised so that all are about as frequent.
    share = probability / len(effects)
    rules = (Rule(effect, probability=share / (1 - share * index)) for index, effect in enumerate(effects))
    return Plan(seed, tuple(rules))


class _Counts:
    """Which requests there were so far."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}

    def next(self, plan: Optional[Plan], service: str, operation: str) -> tuple[int, Optional[Effect]]:
        """The number of this request among those of its operation, and what happens to it."""
        with self._lock:
            number, row = self._seen.get((service, operation), (0, 0))
            number += 1
            effect = plan.effect(service, operation, number) if plan else None
            if effect is not None and not isinstance(effect, Slow):
                if row < plan.in_a_row:
                    row += 1
                else:
                    effect, row = None, 0
            else:
                row = 0
            self._seen[(service, operation)] = (number, row)
            return number, effect


# One message of HTTP/1.1.


class BadMessage(Exception):
    """Not HTTP as this proxy reads it."""


@dataclasses.dataclass
class Message:
    """A request or an answer. `head` and `body` are the bytes as they came; `content` is the body without HTTP's own
    chunks (those of `aws-chunked` are content)."""

    start: list[str]
    headers: list[tuple[str, str]]
    head: bytes
    body: bytes = b""
    content: bytes = b""

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def keeps_open(self) -> bool:
        said = self.header("connection").lower()
        return "keep-alive" in said if "HTTP/1.0" in self.start else "close" not in said

    @property
    def status(self) -> int:
        return int(self.start[1])


def read_head(stream) -> Optional[Message]:
    """Reads up to the empty line; None where the other side has ended before the first byte."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline(LONGEST_HEAD)
        if not line:
            if head:
                raise BadMessage(f"the other side ended after {head!r}")
            return None
        # A line break between two requests of one connection is tolerated (RFC 9112, 2.2).
        if head or line.strip():
            head += line
        if len(head) > LONGEST_HEAD:
            raise BadMessage("the head is too long")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = [line.partition(":") for line in lines]
    return Message(first.split(" ", 2), [(name, value.strip()) for name, _, value in pairs], head)


def read_body(stream, message: Message, until_end: bool) -> None:
    """Reads the body as the head says; `until_end` where an answer says nothing and the end of the connection is its end."""
    if "chunked" in message.header("transfer-encoding").lower():
        raw, content = b"", b""
        while True:
            line = exactly_line(stream)
            size = int(line.split(b";")[0], 16)
            raw += line
            if size == 0:
                break
            chunk = exactly(stream, size)
            raw += chunk + exactly(stream, 2)
            content += chunk
        while True:
            line = exactly_line(stream)
            raw += line
            if line == b"\r\n":
                break
        message.body, message.content = raw, content
    elif length := message.header("content-length"):
        message.body = message.content = exactly(stream, int(length))
    elif until_end:
        message.body = message.content = stream.read()


def exactly(stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise BadMessage(f"the other side ended after {len(data)} of {size} bytes")
    return data


def exactly_line(stream) -> bytes:
    line = stream.readline(LONGEST_HEAD)
    if not line.endswith(b"\r\n"):
        raise BadMessage("the other side ended within a line")
    return line


# What a request is.

CONTROL_PLANE = ("/2021-01-01/", "/2015-01-01/")
# Those of S3 are told by a key of the query.
S3_SUBRESOURCES = (
    "tagging", "encryption", "publicAccessBlock", "policy", "lifecycle", "versioning", "versions", "uploads", "delete",
    "uploadId", "location", "ownershipControls",
)


def service_of(request: Message) -> str:
    """The service that the request is signed for; `domain` for a domain's own address, `unknown` without a signature."""
    scope = re.search(r"Credential=[^,\s]*/[0-9]{8}/[^/]*/([^/]*)/aws4_request", request.header("authorization"))
    service = scope[1] if scope else "unknown"
    return "domain" if service == "es" and not request.start[1].startswith(CONTROL_PLANE) else service


def operation_of(service: str, request: Message) -> str:
    """The operation as AWS names it where the request tells, else method and path; for S3 the method, what it is of, and
    the subresource."""
    method, target = request.start[0], request.start[1]
    path, _, query = target.partition("?")
    if action := request.header("x-amz-target"):
        return action.rpartition(".")[2]
    if service in ("iam", "sts"):
        return (urllib.parse.parse_qs(request.content.decode("latin-1")).get("Action") or [f"{method} {path}"])[0]
    if service == "s3":
        level = "bucket" if path.strip("/").count("/") == 0 else "object"
        keys = {pair.partition("=")[0] for pair in query.split("&")}
        return " ".join([method, level, *(name for name in S3_SUBRESOURCES if name in keys)])
    return f"{method} {path}"


def own_error(service: str, method: str, effect: Union[ServerError, Throttle]) -> bytes:
    """The error as the service itself would put it."""
    if isinstance(effect, Throttle):
        status, code, text = {
            "s3": (503, "SlowDown", "Please reduce your request rate."),
            "iam": (400, "Throttling", "Rate exceeded"),
            "sts": (400, "Throttling", "Rate exceeded"),
            "tagging": (400, "ThrottledException", "Rate exceeded"),
            "es": (429, "ThrottlingException", "Rate exceeded"),
            "domain": (429, "", "429 Too Many Requests /"),
        }.get(service, (400, "ThrottlingException", "Rate exceeded"))
    else:
        status = effect.status
        code, text = {
            500: ("InternalError" if service == "s3" else "InternalFailure", "We encountered an internal error."),
            503: ("ServiceUnavailable", "Service is unable to handle request."),
        }.get(status, ("", "Bad Gateway"))
    media, body, extra = "application/xml", "", ""
    if status == 502:
        # No service says this itself; it is the load balancer in front.
        media, body = "text/html", "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    elif service in ("iam", "sts"):
        kind = "Receiver" if status >= 500 else "Sender"
        body = f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{text}</Message></Error><RequestId>proxy</RequestId></ErrorResponse>"
    elif service == "s3":
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{text}</Message><RequestId>proxy</RequestId></Error>'
    elif service == "es":
        media, body, extra = "application/json", json.dumps({"message": text}), f"x-amzn-errortype: {code}\r\n"
    elif service == "domain":
        media, body = ("text/plain", text) if status == 429 else ("application/json", json.dumps({"Message": text}))
    else:
        media, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": text})
    content = b"" if method == "HEAD" else body.encode()
    head = f"HTTP/1.1 {status} Injected\r\ncontent-type: {media}\r\n{extra}content-length: {len(content)}\r\n\r\n"
    return head.encode() + content


# What is written down.


class Recorder:
    """One file of exchanges."""

    _next = itertools.count()

    def __init__(self, folder: Union[str, os.PathLike], via: str) -> None:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        self.via = via
        self.path = pathlib.Path(folder) / f"{via}-{os.getpid()}-{next(Recorder._next)}.jsonl"
        # Appended without a buffer, so that each line is one write and a kill leaves whole lines.
        self._file = open(self.path, "ab", buffering=0)

    def write(self, request: Message, answer: Optional[Message], injected: bool) -> None:
        service = service_of(request)
        is_object = service == "s3" and operation_of(service, request) in ("PUT object", "GET object", "PUT object uploadId")
        opaque = OPAQUE_BODY_BYTES if is_object or service == "domain" else None
        line = {
            "via": self.via,
            "method": request.start[0],
            "target": without_secret_parameters(request.start[1]),
            "headers": without_secrets(request.headers),
            "body_base64": base64.b64encode(request.content[:opaque]).decode(),
            "status": None,
            "response_headers": {},
            "response_body_base64": "",
        }
        if answer is not None:
            line["status"] = answer.status
            line["response_headers"] = without_secrets(answer.headers)
            line["response_body_base64"] = base64.b64encode(answer.content[:opaque]).decode()
        if injected:
            line["injected"] = True
        self._file.write(json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


def without_secrets(headers: list[tuple[str, str]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        if name in ("x-amz-security-token", "cookie", "set-cookie"):
            continue
        if name == "authorization":
            scope, found, _ = value.partition("Signature=")
            # Without a signature it is basic authentication, which is a password.
            value = f"{scope}Signature=-" if found else "-"
        kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept


def without_secret_parameters(target: str) -> str:
    return re.sub(r"(?i)(X-Amz-(?:Signature|Security-Token)=)[^&]*", r"\1-", target)


# The proxy.


class Running:
    """A proxy that listens. `plan` may be set at any time; counting begins anew with it."""

    def __init__(self, upstream: str, via: Optional[str], plan: Optional[Plan], record, lead_domains: bool) -> None:
        parts = urllib.parse.urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port)
        self.lead_domains = lead_domains
        self.injected: list[str] = []
        """What was put in, in order, one line each."""
        self.troubles: list[str] = []
        """What went wrong that nobody ordered: a server that did not answer, a message that is no HTTP."""
        folder = record or os.environ.get("EKK_RECORD")
        self.recorder = Recorder(folder, via) if folder and via else None
        self._counts = _Counts()
        self._plan = plan
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.running = self
        self.authority = f"127.0.0.1:{self._server.server_address[1]}"
        self.address = f"http://{self.authority}"

    @property
    def plan(self) -> Optional[Plan]:
        return self._plan

    @plan.setter
    def plan(self, plan: Optional[Plan]) -> None:
        self._plan = plan
        self._counts = _Counts()

    def told(self) -> str:
        """The plan and what came of it, for the output of a test that failed."""
        return "\n".join([str(self._plan), *self.injected, *self.troubles])

    def handle(self, client: socket.socket, request: Message) -> bool:
        """Passes one request on; tells whether the connection stays."""
        service = service_of(request)
        operation = operation_of(service, request)
        number, effect = self._counts.next(self._plan, service, operation)
        if effect is not None:
            said = effect.value if isinstance(effect, enum.Enum) else str(effect)
            self.injected.append(f"{service} {operation} no. {number}: {said}")
        if effect is Cut.BEFORE:
            self.record(request, None, True)
            reset(client)
            return False
        if isinstance(effect, (ServerError, Throttle)):
            raw = own_error(service, request.start[0], effect)
            self.record(request, parsed(raw), True)
            client.sendall(raw)
            return request.keeps_open
        answer = self.forward(request)
        if effect is Cut.AFTER:
            self.record(request, None, True)
            reset(client)
            return False
        if effect is Cut.MIDDLE:
            self.record(request, None, True)
            # Half the body, or half the head where there is none: whatever came must not be taken for the whole.
            whole = len(answer.head) + len(answer.body)
            client.sendall((answer.head + answer.body)[: whole - max(1, len(answer.body or answer.head) // 2)])
            return False
        if isinstance(effect, Slow):
            time.sleep(effect.seconds)
        self.record(request, answer, False)
        client.sendall(self.led(answer))
        return request.keeps_open and answer.keeps_open and is_delimited(request, answer)

    def forward(self, request: Message) -> Message:
        """A connection for each request: one that the server has closed meanwhile would be a fault that nobody ordered."""
        connection = socket.create_connection(self.upstream, timeout=SERVER_SECONDS)
        with connection as server, server.makefile("rb") as stream:
            server.sendall(request.head + request.body)
            while True:
                answer = read_head(stream)
                if answer is None:
                    raise BadMessage("the server ended without an answer")
                # "100 Continue" is for who waits with the body, and that is this proxy's own business.
                if answer.status >= 200:
                    break
            if request.start[0] != "HEAD" and answer.status not in (204, 304):
                read_body(stream, answer, until_end=True)
            return answer

    def led(self, answer: Message) -> bytes:
        """The answer with the server's address replaced by the proxy's, where that is asked for."""
        host, port = self.upstream
        theirs, ours = f"{host}:{port}".encode(), self.authority.encode()
        if not self.lead_domains or theirs not in answer.content:
            return answer.head + answer.body
        content = answer.content.replace(theirs, ours)
        # Its length is another one now, and it is no longer in chunks.
        of_length = ("content-length", "transfer-encoding")
        headers = [(name, value) for name, value in answer.headers if name.lower() not in of_length]
        lines = [" ".join(answer.start), *(f"{name}: {value}" for name, value in headers), f"content-length: {len(content)}"]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content

    def record(self, request: Message, answer: Optional[Message], injected: bool) -> None:
        if self.recorder:
            self.recorder.write(request, answer, injected)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def _stop(self) -> None:
        self._server.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        # Waits for the handlers, so that nothing is written after the end.
        self._server.server_close()
        if self.recorder:
            self.recorder.close()


def parsed(raw: bytes) -> Message:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Message(first.split(" ", 2), [(name, value.strip()) for name, _, value in pairs], head, body, body)


def is_delimited(request: Message, answer: Message) -> bool:
    """Whether the client can tell where the answer ends without the end of the connection."""
    has_no_body = request.start[0] == "HEAD" or answer.status in (204, 304)
    return has_no_body or bool(answer.header("content-length") or answer.header("transfer-encoding"))


def reset(client: socket.socket) -> None:
    """Ends a connection as a router that forgot it does: with a reset, and not with an orderly end."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 128
    running: Running

    def shutdown_request(self, request) -> None:
        # No orderly end: that would come before a reset.
        self.close_request(request)


class _Handler(socketserver.StreamRequestHandler):
    """One connection of a client."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        running: Running = self.server.running
        running._connections.add(self.connection)
        try:
            while (request := read_head(self.rfile)) is not None:
                if "100-continue" in request.header("expect").lower():
                    self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                read_body(self.rfile, request, until_end=False)
                if not running.handle(self.connection, request):
                    return
        except BadMessage as error:
            running.troubles.append(str(error))
        except (ConnectionError, TimeoutError, socket.timeout) as error:
            # Of the client: it may go when it likes. Of the server: the client sees a connection that ends.
            running.troubles.append(f"{type(error).__name__}: {error}")
        finally:
            running._connections.discard(self.connection)


@contextlib.contextmanager
def start(
    upstream: str,
    via: Optional[str] = None,
    plan: Optional[Plan] = None,
    record: Union[str, os.PathLike, None] = None,
    lead_domains: bool = False,
) -> Iterator[Running]:
    """Runs a proxy in front of `upstream` (`http://host:port`) while the context is open. `via` says in the record what is
    behind it; without it nothing is recorded. `record` is the folder for the exchanges, EKK_RECORD's without it."""
    running = Running(upstream, via, plan, record, lead_domains)
    serving = threading.Thread(target=running._serve, name=f"proxy in front of {via or upstream}")
    serving.start()
    try:
        yield running
    finally:
        running._stop()
        serving.join()


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the proxy until it is interrupted.")
    parser.add_argument("upstream", metavar="URL", help="the server behind it")
    parser.add_argument("--via", required=True, help="what is behind it, for the record")
    parser.add_argument("--seed", type=int, help="put in a mixture of all faults by this seed")
    parser.add_argument("--lead-domains", action="store_true", help="let domains' endpoints name the proxy")
    asked = parser.parse_args()
    plan = None if asked.seed is None else mixture(asked.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with start(asked.upstream, asked.via, plan, lead_domains=asked.lead_domains) as running:
        print(f"{running.address} leads to {asked.upstream}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        print(running.told(), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
