"""Gives a domain of LocalStack the Dashboards that it has not: a reverse proxy in front of the engine that serves
`/_dashboards/*` from ekk's own emulator and passes everything else on as it came.

What it answers below `/_dashboards` is our reading of Dashboards and proves nothing about the real server.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import json
import pathlib
import threading
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials

import embedded

REGION = "us-east-1"
ACCOUNT = "000000000000"
DOMAIN = "front"

# They speak of one connection only (RFC 9110, 7.6.1).
OF_ONE_CONNECTION = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host", "content-length",
}


@dataclasses.dataclass(frozen=True)
class Running:
    """A front that answers."""

    address: str
    """Such as `http://127.0.0.1:41234`."""


@contextlib.contextmanager
def start(engine: str, ekk: str, folder):
    """Runs the front of `engine` while the context is open. `ekk` is the binary, `folder` takes its emulator's files."""
    with domain(ekk, pathlib.Path(folder)) as dashboards:
        handler = type("Handler", (Handler,), {"engine": engine, "dashboards": dashboards})
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            serving = threading.Thread(target=server.serve_forever, name="front")
            serving.start()
            try:
                yield Running(f"http://127.0.0.1:{server.server_address[1]}")
            finally:
                server.shutdown()
                serving.join()


@contextlib.contextmanager
def domain(ekk: str, folder: pathlib.Path):
    """Runs an embedded AWS with one domain in it, and yields the address below which that domain's Dashboards are."""
    with embedded.start(ekk, folder) as address:
        keys = {"aws_access_key_id": "front", "aws_secret_access_key": "front"}
        domains = boto3.client("opensearch", region_name=REGION, endpoint_url=address, **keys)
        domains.create_domain(
            DomainName=DOMAIN,
            EngineVersion="OpenSearch_2.19",
            ClusterConfig={"InstanceType": "t3.small.search", "InstanceCount": 1},
            EBSOptions={"EBSEnabled": True, "VolumeType": "gp3", "VolumeSize": 10},
            AccessPolicies=json.dumps({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Action": "es:ESHttp*",
                    "Resource": f"arn:aws:es:{REGION}:{ACCOUNT}:domain/{DOMAIN}/*",
                }],
            }),
        )
        described = lambda: domains.describe_domain(DomainName=DOMAIN)["DomainStatus"].get("Endpoint")
        below = f"http://{embedded.polled('the front: its domain has no endpoint', described)}"
        embedded.polled("the front: its Dashboards do not come up", lambda: is_up(below))
        yield below


def is_up(below: str) -> bool:
    return signed(below, "GET", "/_dashboards/api/saved_objects/_find?type=index-pattern", [], b"").status == 200


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def send(url: str, method: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        target = url.split(parts.netloc, 1)[1]
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body or method in ("POST", "PUT"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def signed(
    below: str, method: str, path: str, headers: list[tuple[str, str]], body: bytes, region: str = REGION
) -> Answer:
    """Asks the emulator, whose domain wants a signature of its own and of its region."""
    unsigned = [
        (name, value) for name, value in headers
        if name.lower() not in {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
    ]
    request = botocore.awsrequest.AWSRequest(method, f"{below}{path}", dict(unsigned), body)
    credentials = botocore.credentials.Credentials("front", "front")
    botocore.auth.SigV4Auth(credentials, "es", region).add_auth(request)
    return send(f"{below}{path}", method, list(request.headers.items()), body)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; `engine` and `dashboards` are addresses without a slash at their end."""

    engine: str
    dashboards: str
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def pass_on(self) -> None:
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in OF_ONE_CONNECTION]
        body = self.body()
        try:
            if self.path.split("?")[0].startswith("/_dashboards"):
                answer = signed(self.dashboards, self.command, self.path, headers, body)
            else:
                answer = send(f"{self.engine}{self.path}", self.command, headers, body)
        except OSError as error:
            answer = Answer(502, [("Content-Type", "text/plain")], f"what is behind the front: {error}".encode())
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in OF_ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = pass_on

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def log_message(self, *_) -> None:
        """Says nothing."""
