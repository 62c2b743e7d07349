"""A small Firehose on a real socket, in a process of its own, that does what a test tells it to.

`POST /_control` takes settings as JSON, `GET /_calls` returns what came in, `GET /_totals` the counts of the million.
Everything else is PutRecordBatch, or AssumeRole of STS. Quick enough that it is not what a benchmark measures.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import random
import re
import sys
from typing import Any

# As long as AWS's own.
_ID = b'{"RecordId":"' + b"x" * 224 + b'"}'
_REFUSED = b'{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}'
_COUNTED = re.compile(rb'"thread": ?(\d+),"number": ?(\d+)')


class World:
    """What the server does, and what it has seen."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.random = random.Random(7)
        self.calls: list[dict[str, Any]] = []
        self.connections: set[Server] = set()
        self.listener: Any = None
        self.port = 0
        self.count = 0
        # For the million: what was taken, by thread; what was seen first out of order; what overtook.
        self.taken: dict[int, bytearray] = {}
        self.newest: dict[int, int] = {}
        self.open: set[tuple[int, int]] = set()
        self.totals = {
            "taken": 0,
            "twice": 0,
            "disordered": 0,
            "overtaken": 0,
            "refused": 0,
            "throttled": 0,
            "calls": 0,
        }

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(lambda: Server(self), "127.0.0.1", self.port, reuse_address=True)
        self.port = self.listener.sockets[0].getsockname()[1]

    def go_away(self, seconds: float) -> None:
        self.listener.close()
        for connection in list(self.connections):
            connection.transport.abort()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: loop.create_task(self.listen()))

    def put(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Returns the answer to PutRecordBatch."""
        self.count += 1
        settings = self.settings
        script = settings.get("script") or []
        step: dict[str, Any] = script.pop(0) if script else settings
        request = json.loads(body)
        records = [binascii.a2b_base64(record["Data"]) for record in request["Records"]]
        refused: list[int] = list(step.get("refuse", []))
        status, answer = 200, b""
        every = step.get("throttle_every", 0)
        if "error" in step:
            status = step.get("status", 400)
            answer = json.dumps({"__type": step["error"], "message": step.get("message", "told to")}).encode()
        elif every and self.count % every == 0:
            self.totals["throttled"] += 1
            status, answer = 503, b'{"__type":"ServiceUnavailableException","message":"Slow down."}'
        elif "most_bytes" in step and sum(map(len, records)) > step["most_bytes"]:
            status, answer = 400, b'{"__type":"InvalidArgumentException","message":"Records size exceeds 4 MB limit"}'
        elif "poison" in step and any(step["poison"].encode() in record for record in records):
            status, answer = 400, b'{"__type":"InvalidArgumentException","message":"a record is not liked"}'
        else:
            share = step.get("refuse_share", 0)
            if share:
                refused = [index for index in range(len(records)) if self.random.random() < share]
            if "refuse_text" in step:
                refused = [index for index, record in enumerate(records) if step["refuse_text"].encode() in record]
            lines = [_ID] * len(records)
            for index in refused:
                lines[index] = _REFUSED
            answer = b'{"FailedPutCount":%d,"Encrypted":false,"RequestResponses":[%s]}' % (
                len(refused),
                b",".join(lines),
            )
            if "answer" in step:
                refused, answer = list(range(len(records))), step["answer"].encode()
        if settings.get("totals"):
            self.count_up(records, set(refused) if status == 200 else set(range(len(records))))
        elif not settings.get("forget"):
            call = {
                "stream": request["DeliveryStreamName"],
                "records": [record.decode() for record in records],
                "refused": refused,
                "status": status,
                "key": re.sub(r".*Credential=([^/]*)/.*", r"\1", headers.get("authorization", "")),
                "agent": headers.get("user-agent", ""),
                "at": asyncio.get_running_loop().time(),
            }
            self.calls.append(call)
        return status, answer

    def count_up(self, records: list[bytes], refused: set[int]) -> None:
        totals = self.totals
        totals["calls"] += 1
        totals["refused"] += len(refused)
        names = [(int(a), int(b)) for a, b in _COUNTED.findall(b"".join(records))]
        if len(names) != len(records):
            raise ValueError("a record has no number")
        is_new = [number > self.newest.get(thread, -1) for thread, number in names]
        # Before a new record comes, all that came earlier are taken or come again, in front of it.
        if True in is_new and self.open.difference(names[: is_new.index(True)]):
            totals["overtaken"] += 1
        for index, (thread, number) in enumerate(names):
            newest = self.newest.get(thread, -1)
            if number > newest:
                # Of one thread all come, in the order in which they were logged.
                totals["disordered"] += number != newest + 1
                self.newest[thread] = number
                self.open.add((thread, number))
            if index not in refused:
                taken = self.taken.setdefault(thread, bytearray())
                if len(taken) <= number:
                    taken.extend(bytes(number + 1 - len(taken) + 100_000))
                totals["twice"] += taken[number]
                totals["taken"] += not taken[number]
                taken[number] = 1
                self.open.discard((thread, number))


class Server(asyncio.Protocol):
    """One connection: HTTP/1.1 with a length, one request at a time."""

    transport: Any

    def __init__(self, world: World) -> None:
        self.world = world
        self.buffer = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.world.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.world.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            length = int(headers.get("content-length", "0"))
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            del self.buffer[: end + 4 + length]
            self.answer(head[0], headers, body)

    def answer(self, line: str, headers: dict[str, str], body: bytes) -> None:
        world = self.world
        if line.startswith("POST /_control"):
            world.settings = json.loads(body)
            if "away" in world.settings:
                asyncio.get_running_loop().call_soon(world.go_away, world.settings.pop("away"))
            self.send(200, b"{}")
        elif line.startswith("GET /_calls"):
            self.send(200, json.dumps(world.calls).encode())
        elif line.startswith("GET /_totals"):
            self.send(200, json.dumps(world.totals).encode())
        elif b"Action=AssumeRole" in body:
            self.send(200, _ASSUMED.encode(), "text/xml")
        else:
            step = (world.settings.get("script") or [world.settings])[0]
            if step.get("hang"):
                return
            if step.get("reset"):
                if world.settings.get("script"):
                    world.settings["script"].pop(0)
                self.transport.abort()
                return
            status, answer = world.put(body, headers)
            delay = step.get("delay", 0)
            if delay:
                asyncio.get_running_loop().call_later(delay, self.send, status, answer)
            else:
                self.send(status, answer)

    def send(self, status: int, body: bytes, kind: str = "application/x-amz-json-1.1") -> None:
        if not self.transport.is_closing():
            head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            self.transport.write(head.encode() + body)


_ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/r/b</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"""


async def main() -> None:
    world = World()
    await world.listen()
    sys.stdout.write(f"{world.port}\n")
    sys.stdout.flush()
    # Ends with the one who started it.
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    asyncio.run(main())
