"""The real security plugin of OpenSearch 2.19.1: the calls that fine-grained access control needs, and what `ekk` says
to a caller whom the plugin does not let through.

The control plane is the embedded AWS. Its domain's endpoint is exchanged for a front that puts a user of the plugin in
the place of the SigV4 signature, since only AWS maps IAM identities to such users.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import re
import threading
import types

import pytest

import conftest
import embedded
import engine
import front

FIREHOSE = "arn:aws:iam::000000000000:role/ekk/logs-firehose"
# As the Firehose and OpenSearch Service guides give the role that Firehose is mapped to.
ROLE = {
    "cluster_permissions": ["cluster_composite_ops", "cluster_monitor"],
    "index_permissions": [{"index_patterns": ["logs*"], "allowed_actions": ["create_index", "manage", "crud"]}],
    "tenant_permissions": [],
}
PASSWORD = "kW7-vint-Rope!"
MAP = (
    "map the caller to a role inside the domain (Dashboards, Security, Roles) that allows it: with fine-grained access "
    "control IAM alone is not enough"
)
LOGIN = (
    "a login page (Cognito, SAML or a user database) stands in front: the caller's IAM identity must be let in"
)


@pytest.fixture(scope="module")
def secured(for_the_run):
    """A real OpenSearch with the plugin, as its administrator."""
    return for_the_run(engine.start("OpenSearch_2.19.1", security=True))


def api(kind: str, name: str) -> str:
    return f"/_plugins/_security/api/{kind}/{name}"


def put(secured, kind: str, name: str, body: dict):
    status, answer = secured.call("PUT", api(kind, name), body)
    assert status in (200, 201), (status, answer)
    return status, answer


def as_user(name: str, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class TestCalls:
    """What fine-grained access control needs, with a user and a password."""

    def test_the_caller_is_told_who_it_is(self, secured):
        status, who = secured.get("/_plugins/_security/authinfo")
        assert status == 200
        assert (who["user_name"], who["backend_roles"], who["roles"]) == ("admin", ["admin"], ["own_index", "all_access"])

    def test_a_role_is_made_and_read_back(self, secured):
        assert secured.get(api("roles", "made"))[0] == 404
        assert put(secured, "roles", "made", ROLE) == (201, {"status": "CREATED", "message": "'made' created."})
        status, roles = secured.get(api("roles", "made"))
        assert status == 200
        added = {"dls": None, "fls": None, "masked_fields": None}
        read = dict(roles["made"])
        index_permissions = [
            {key: value for key, value in one.items() if key not in added} for one in read.pop("index_permissions")
        ]
        assert read == {
            "reserved": False,
            "hidden": False,
            "static": False,
            "cluster_permissions": ROLE["cluster_permissions"],
            "tenant_permissions": [],
        }
        assert index_permissions == ROLE["index_permissions"]
        assert put(secured, "roles", "made", ROLE) == (200, {"status": "OK", "message": "'made' updated."})

    def test_a_role_is_mapped_to_an_arn_and_read_back(self, secured):
        put(secured, "roles", "mapped", ROLE)
        mapping = {"backend_roles": [FIREHOSE], "hosts": [], "users": []}
        assert put(secured, "rolesmapping", "mapped", mapping)[0] == 201
        status, read = secured.get(api("rolesmapping", "mapped"))
        assert (status, read) == (
            200, {"mapped": {**mapping, "and_backend_roles": [], "hidden": False, "reserved": False}},
        )
        # A second PUT replaces: who shares a mapping must read and merge first.
        put(secured, "rolesmapping", "mapped", {"backend_roles": ["other"]})
        assert secured.get(api("rolesmapping", "mapped"))[1]["mapped"]["backend_roles"] == ["other"]

    def test_who_is_mapped_delivers_into_its_index_and_nowhere_else(self, secured):
        put(secured, "roles", "delivers", ROLE)
        put(secured, "rolesmapping", "delivers", {"backend_roles": [FIREHOSE]})
        put(secured, "internalusers", "firehose", {"password": PASSWORD, "backend_roles": [FIREHOSE]})
        authorization = as_user("firehose")
        _, who = secured.call("GET", "/_plugins/_security/authinfo", authorization=authorization)
        assert (who["backend_roles"], "delivers" in who["roles"]) == ([FIREHOSE], True)

        def bulk(index):
            lines = [{"index": {"_index": index}}, {"message": "one"}]
            body = "".join(f"{json.dumps(line)}\n" for line in lines)
            return secured.call("POST", "/_bulk", body, authorization=authorization, content_type="application/x-ndjson")

        status, answer = bulk("logs-2026-w48")
        assert (status, answer["items"][0]["index"]["status"]) == (200, 201), answer
        status, answer = bulk("other")
        item = answer["items"][0]["index"]
        assert (status, item["status"], item["error"]) == (200, 403, {
            "type": "security_exception",
            "reason": "no permissions for [indices:admin/create] "
            f"and User [name=firehose, backend_roles=[{FIREHOSE}], requestedTenant=null]",
        })


class Front(front.Handler):
    """Passes requests on to the engine as `authorization`, and Dashboards' to the embedded AWS."""

    authorization: "list[str]"

    def pass_on(self) -> None:
        body = self.body()
        headers = [
            (name, value) for name, value in self.headers.items()
            if name.lower() not in front.OF_ONE_CONNECTION | {"authorization"}
        ]
        if self.path.startswith("/_dashboards"):
            answer = front.signed(self.dashboards, self.command, self.path, headers, body, region=conftest.REGION)
        else:
            assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 "), "ekk signs what it sends"
            headers += [("Authorization", authorization) for authorization in self.authorization]
            answer = front.send(f"{self.engine}{self.path}", self.command, headers, body)
        answered(self, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = pass_on


class ControlPlane(front.Handler):
    """The embedded AWS, whose domain has another endpoint."""

    public: str

    def pass_on(self) -> None:
        headers = [
            (name, value) for name, value in self.headers.items() if name.lower() not in front.OF_ONE_CONNECTION
        ]
        answer = front.send(f"{self.engine}{self.path}", self.command, headers, self.body())
        with contextlib.suppress(ValueError):
            document = json.loads(answer.body)
            status = document.get("DomainStatus", {})
            if status.get("Endpoint"):
                status["Endpoint"] = self.public
                answer = front.Answer(answer.status, answer.headers, json.dumps(document).encode())
        answered(self, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = pass_on


def answered(handler: http.server.BaseHTTPRequestHandler, answer: front.Answer) -> None:
    handler.send_response_only(answer.status)
    for name, value in answer.headers:
        if name.lower() not in front.OF_ONE_CONNECTION:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(answer.body)


@contextlib.contextmanager
def serving(handler: type, **own):
    """Runs a server of that handler, and yields its `host:port`."""
    kind = type("Handler", (handler,), own)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def stack(secured, binary, tmp_path_factory):
    """`ekk` in a folder with a stack whose domain is made, and the header by which the engine knows it."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "logs.yaml").write_text("stack: logs\nregion: eu-west-1\n")
    with contextlib.ExitStack() as running:
        aws = running.enter_context(embedded.start(binary, tmp_path_factory.mktemp("embedded")))
        ekk = conftest.Ekk(binary, aws, folder)
        ekk("up", "--yes", "logs.yaml").with_code(0)
        domain = conftest.client("opensearch", aws).describe_domain(DomainName="logs")["DomainStatus"]
        authorization: list[str] = []
        public = running.enter_context(serving(
            Front, engine=f"http://{secured.address}", dashboards=f"http://{domain['Endpoint']}", authorization=authorization
        ))
        plane = running.enter_context(serving(ControlPlane, engine=aws, dashboards="", public=public))
        ekk.environment["AWS_ENDPOINT_URL_OPENSEARCH"] = f"http://{plane}"
        yield types.SimpleNamespace(ekk=ekk, authorization=authorization)


def missing(permission: str, user: str) -> str:
    """The plugin's own words."""
    return (
        f"403 security_exception: no permissions for [{permission}] "
        f"and User [name={user}, backend_roles=[], requestedTenant=null]"
    )


def assert_said(ran: conftest.Ran, error: str, hint: str) -> None:
    """Compares what was said as it happened, and the whole end of the report."""
    assert ran.err == f"  index template: failed: index template logs: {error}\n"
    end = ran.out[ran.out.index("\nx ") + 1 :]
    assert re.sub(r"in \d+\.\d s", "in S s", end) == (
        f"x index template logs: {error}\n"
        f"  {hint}\n"
        "Up logs: 1 failed in S s.\n"
        "The same command takes up from there.\n"
    )


class TestErrors:
    """What `ekk up` says to whom the plugin does not let through, compared as a whole."""

    def test_who_may_do_nothing_is_told_what_is_missing_and_where_to_get_it(self, stack, secured):
        put(secured, "internalusers", "nobody", {"password": PASSWORD})
        stack.authorization[:] = [as_user("nobody")]
        ran = stack.ekk("up", "--yes", "logs.yaml").with_code(1)
        assert_said(ran, f"GET /_index_template/logs: {missing('indices:admin/index_template/get', 'nobody')}", MAP)

    def test_who_may_only_read_is_told_so_by_the_write(self, stack, secured):
        put(secured, "internalusers", "reader", {"password": PASSWORD})
        put(secured, "roles", "reads", {"cluster_permissions": ["indices:admin/index_template/get"]})
        put(secured, "rolesmapping", "reads", {"users": ["reader"]})
        stack.authorization[:] = [as_user("reader")]
        ran = stack.ekk("up", "--yes", "logs.yaml").with_code(1)
        assert_said(ran, f"PUT /_index_template/logs: {missing('indices:admin/index_template/put', 'reader')}", MAP)

    @pytest.mark.parametrize("authorization", [[], [as_user("nobody", "wrong")]], ids=["nobody", "wrong-password"])
    def test_who_is_not_known_is_told_to_be_let_in(self, stack, authorization):
        stack.authorization[:] = authorization
        ran = stack.ekk("up", "--yes", "logs.yaml").with_code(1)
        assert_said(ran, "GET /_index_template/logs: not authenticated: 401 Unauthorized", LOGIN)

    def test_who_may_do_it_all_converges(self, stack, secured):
        stack.authorization[:] = [as_user(engine.USER, engine.PASSWORD)]
        stack.ekk("up", "--yes", "logs.yaml").with_code(0)
        assert stack.ekk.plan("logs.yaml", code=0)["changes"] == []
        status, template = secured.get("/_index_template/logs")
        assert (status, template["index_templates"][0]["name"]) == (200, "logs")
