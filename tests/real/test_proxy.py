"""The proxy of this tier against small servers: what passes stays as it was, what is recorded holds no secret, and what a
plan puts in is what a client sees."""

import base64
import contextlib
import http.client
import json
import socket
import threading
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest

import proxy

SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=5ec3e7"


class Server:
    """Takes whole requests and answers each with the same bytes; keeps what came."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
                request = proxy.read_head(stream)
                if request is None:
                    continue
                proxy.read_body(stream, request, until_end=False)
                self.requests.append(request.head + request.body)
                connection.sendall(self.answer)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Own: a  b\r\nContent-Length: 5\r\n\r\nwhole"


@pytest.fixture
def server():
    with Server(ANSWER) as server:
        yield server


def raw(address: str, request: bytes) -> bytes:
    """Sends bytes as they are; returns all that comes back."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(request)
        # A reset may have come already; what is read next says so.
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        received = b""
        while data := client.recv(65536):
            received += data
        return received


def plain(service: str = "logs", method: str = "POST", target: str = "/", body: bytes = b"{}") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: logs.test\r\nAuthorization: {SIGNED.format(service)}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def one(effect, **which):
    return proxy.Plan(1, (proxy.Rule(effect, nth=(1,), **which),))


def test_a_request_and_its_answer_pass_as_they_came(server):
    request = plain(body=b"\x00\xff body")
    with proxy.start(server.address, "moto") as running:
        assert raw(running.address, request) == ANSWER
    assert server.requests == [request]


def test_chunks_of_http_and_of_aws_pass_as_they_came():
    signed = b"5;chunk-signature=0a\r\nhello\r\n0;chunk-signature=0b\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n"
    aws = f"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Encoding: aws-chunked\r\nContent-Length: {len(signed)}\r\n\r\n".encode() + signed
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n"
    with Server(answer) as server, proxy.start(server.address, "moto") as running:
        assert raw(running.address, chunked) == answer
        assert raw(running.address, aws) == answer
        assert server.requests == [chunked, aws]


def test_one_connection_carries_many_requests(server):
    with proxy.start(server.address, "moto") as running:
        client = http.client.HTTPConnection(running.authority, timeout=10)
        for number in range(3):
            client.request("GET", f"/{number}")
            assert client.getresponse().read() == b"whole"
            # http.client closes it where the other side does not keep it.
            assert client.sock is not None
        client.close()
    assert [request.split(b" ")[1] for request in server.requests] == [b"/0", b"/1", b"/2"]


def test_an_answer_that_ends_with_its_connection_passes_whole():
    endless = b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of it"
    with Server(endless) as server, proxy.start(server.address, "moto") as running:
        assert raw(running.address, plain()) == endless


def test_an_answer_to_head_has_no_body_whatever_its_length_says():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    with Server(answer) as server, proxy.start(server.address, "moto") as running:
        client = http.client.HTTPConnection(running.authority, timeout=10)
        for _ in range(2):
            client.request("HEAD", "/b")
            assert client.getresponse().read() == b""
        client.close()


def test_who_waits_to_be_told_to_continue_is_told(server):
    with proxy.start(server.address, "moto") as running:
        host, port = running.authority.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"PUT /b/k HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"data")
            assert client.recv(1000) == ANSWER


def test_a_server_that_is_gone_is_told_and_is_no_answer(server):
    with Server(ANSWER) as gone:
        address = gone.address
    with proxy.start(address, "moto") as running:
        with contextlib.suppress(ConnectionError):
            assert raw(running.address, plain()) == b""
        assert running.injected == []
        assert len(running.troubles) == 1 and "refused" in running.troubles[0]


def lines(folder) -> list[dict]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def test_each_exchange_is_one_line_without_secrets(server, tmp_path):
    request = (
        "PUT /b?tagging&X-Amz-Signature=5ec3e7&X-Amz-Security-Token=t HTTP/1.1\r\n"
        f"Host: s3.test\r\nAuthorization: {SIGNED.format('s3')}\r\nX-Amz-Security-Token: secret\r\nContent-Length: 4\r\n\r\nbody"
    ).encode()
    with proxy.start(server.address, "localstack", record=tmp_path) as running:
        raw(running.address, request)
    assert lines(tmp_path) == [{
        "via": "localstack",
        "method": "PUT",
        "target": "/b?tagging&X-Amz-Signature=-&X-Amz-Security-Token=-",
        "headers": {
            "host": "s3.test",
            "authorization": SIGNED.format("s3").replace("5ec3e7", "-"),
            "content-length": "4",
        },
        "body_base64": base64.b64encode(b"body").decode(),
        "status": 200,
        "response_headers": {"content-type": "text/plain", "x-own": "a  b", "content-length": "5"},
        "response_body_base64": base64.b64encode(b"whole").decode(),
    }]
    assert "5ec3e7" not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_a_password_is_not_recorded(server, tmp_path):
    with proxy.start(server.address, "localstack", record=tmp_path) as running:
        raw(running.address, b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n\r\n")
    assert lines(tmp_path)[0]["headers"]["authorization"] == "-"


def test_the_folder_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("EKK_RECORD", str(tmp_path / "new"))
    with proxy.start(server.address, "moto") as running:
        raw(running.address, plain())
    assert [line["via"] for line in lines(tmp_path / "new")] == ["moto"]


def test_what_the_proxy_itself_answered_is_marked(server, tmp_path):
    plan = proxy.Plan(1, (proxy.Rule(proxy.ServerError(503), nth=(1,)), proxy.Rule(proxy.Cut.AFTER, nth=(2,))))
    with proxy.start(server.address, "moto", plan, tmp_path) as running:
        for _ in range(3):
            with contextlib.suppress(ConnectionError):
                raw(running.address, plain())
    assert [(line["status"], line.get("injected")) for line in lines(tmp_path)] == [(503, True), (None, True), (200, None)]


def test_a_cut_before_the_server_reaches_nobody(server):
    with proxy.start(server.address, "moto", one(proxy.Cut.BEFORE)) as running:
        with pytest.raises(ConnectionResetError):
            raw(running.address, plain())
        assert server.requests == []
        assert raw(running.address, plain()) == ANSWER


def test_a_cut_after_the_server_comes_when_all_is_done(server):
    with proxy.start(server.address, "moto", one(proxy.Cut.AFTER)) as running:
        with pytest.raises(ConnectionResetError):
            raw(running.address, plain())
        assert len(server.requests) == 1


def test_an_answer_that_is_cut_in_the_middle_cannot_be_taken_for_a_whole_one(server):
    with proxy.start(server.address, "moto", one(proxy.Cut.MIDDLE)) as running:
        client = http.client.HTTPConnection(running.authority, timeout=10)
        client.request("GET", "/")
        with pytest.raises(http.client.IncompleteRead):
            client.getresponse().read()
        client.close()
        assert len(server.requests) == 1


def test_without_a_body_the_head_is_cut():
    with Server(b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n") as server:
        with proxy.start(server.address, "moto", one(proxy.Cut.MIDDLE)) as running:
            assert raw(running.address, plain()) == b"HTTP/1.1 204 No C"


def test_a_slow_answer_comes_late_and_whole(server):
    with proxy.start(server.address, "moto", one(proxy.Slow(0.3))) as running:
        since = time.monotonic()
        assert raw(running.address, plain()) == ANSWER
        assert time.monotonic() - since >= 0.3
    with pytest.raises(ValueError):
        proxy.Slow(30)


THROTTLING = {
    "iam": "Throttling",
    "sts": "Throttling",
    "s3": "SlowDown",
    "logs": "ThrottlingException",
    "firehose": "ThrottlingException",
    "opensearch": "ThrottlingException",
    "resourcegroupstaggingapi": "ThrottledException",
}


def call(client: str, address: str):
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
    once = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    made = boto3.client(client, endpoint_url=address, config=once, **keys)
    return {
        "iam": lambda: made.get_role(RoleName="r"),
        "sts": lambda: made.get_caller_identity(),
        "s3": lambda: made.get_bucket_tagging(Bucket="bucket"),
        "logs": lambda: made.describe_log_groups(),
        "firehose": lambda: made.list_delivery_streams(),
        "opensearch": lambda: made.describe_domain(DomainName="domain"),
        "resourcegroupstaggingapi": lambda: made.get_resources(),
    }[client]()


@pytest.mark.parametrize("client", THROTTLING)
@pytest.mark.parametrize("status", ["throttled", 500, 502, 503])
def test_an_sdk_reads_the_error_as_the_service_s_own(server, client, status):
    effect = proxy.Throttle.ONCE if status == "throttled" else proxy.ServerError(status)
    expected = {
        "throttled": THROTTLING[client],
        500: "InternalError" if client == "s3" else "InternalFailure",
        502: "502",
        503: "ServiceUnavailable",
    }[status]
    with proxy.start(server.address, "moto", one(effect)) as running:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            call(client, running.address)
    assert server.requests == []
    answer = caught.value.response
    seen = answer["ResponseMetadata"]["HTTPStatusCode"]
    if status != "throttled":
        assert seen == status
    # What is no document of the service has no code of its own.
    assert answer["Error"]["Code"] == expected or status == 502


def test_the_operation_is_told_from_the_request(server):
    seen = []
    plan = proxy.Plan(1, (proxy.Rule(proxy.ServerError(503), probability=1.0),), in_a_row=99)
    with proxy.start(server.address, "moto", plan) as running:
        for client in THROTTLING:
            with contextlib.suppress(botocore.exceptions.ClientError):
                call(client, running.address)
        raw(running.address, plain("es", "PUT", "/domain/eu-west-1/logs/_index_template/logs"))
        seen = [line.split(" no. ")[0] for line in running.injected]
    assert seen == [
        "iam GetRole",
        "sts GetCallerIdentity",
        "s3 GET bucket tagging",
        "logs DescribeLogGroups",
        "firehose ListDeliveryStreams",
        "es GET /2021-01-01/opensearch/domain/domain",
        "tagging GetResources",
        "domain PUT /domain/eu-west-1/logs/_index_template/logs",
    ]


def test_a_rule_hits_only_what_it_names(server):
    plan = proxy.Plan(1, (proxy.Rule(proxy.ServerError(500), service="s3", operation="PUT", nth=(2,)),))
    with proxy.start(server.address, "moto", plan) as running:
        statuses = [
            raw(running.address, plain(service, method, "/b")).split(b" ")[1]
            for service, method in [("logs", "PUT"), ("s3", "PUT"), ("s3", "GET"), ("s3", "GET"), ("s3", "PUT"), ("s3", "PUT")]
        ]
    assert statuses == [b"200", b"200", b"200", b"200", b"500", b"200"]


def test_the_same_seed_does_the_same_in_whatever_order():
    calls = [("iam", "CreateRole", number) for number in range(1, 200)] + [("s3", "PUT bucket", n) for n in range(1, 200)]
    forth = {call: proxy.mixture(7).effect(*call) for call in calls}
    back = {call: proxy.mixture(7).effect(*call) for call in reversed(calls)}
    assert forth == back
    assert forth != {call: proxy.mixture(8).effect(*call) for call in calls}
    # Every kind of fault comes, and about as often as was said.
    assert len({str(effect) for effect in forth.values()}) == 9
    assert 30 < sum(effect is not None for effect in forth.values()) < 100


def test_no_more_than_so_many_in_a_row_are_hit(server):
    plan = proxy.Plan(1, (proxy.Rule(proxy.ServerError(500), probability=1.0),))
    with proxy.start(server.address, "moto", plan) as running:
        statuses = [raw(running.address, plain()).split(b" ")[1] for _ in range(7)]
    assert statuses == [b"500", b"500", b"200", b"500", b"500", b"200", b"500"]


def test_a_rule_without_an_occasion_is_refused():
    with pytest.raises(ValueError):
        proxy.Rule(proxy.Cut.AFTER)
    with pytest.raises(ValueError):
        proxy.Rule(proxy.Cut.AFTER, nth=(1,), probability=0.5)


def test_a_failed_test_is_told_the_seed_and_what_was_put_in(server):
    with proxy.start(server.address, "moto", one(proxy.ServerError(503), service="logs")) as running:
        raw(running.address, plain())
        told = running.told()
    assert "seed 1" in told
    assert "logs POST / no. 1: answered 503" in told


def test_domains_are_led_through_the_proxy_where_that_is_asked_for():
    with Server(b"") as server:
        body = f'{{"Endpoint": "{server.address.removeprefix("http://")}/domain/d"}}'
        server.answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        with proxy.start(server.address, "moto", lead_domains=True) as running:
            head, _, content = raw(running.address, plain()).partition(b"\r\n\r\n")
            assert content.decode() == f'{{"Endpoint": "{running.authority}/domain/d"}}'
            assert f"content-length: {len(content)}".encode() in head
