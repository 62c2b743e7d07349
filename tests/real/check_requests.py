"""Checks recorded exchanges with AWS's services against AWS's own service models.

    python tests/real/check_requests.py FOLDER [FOLDER…] --source src [--json FILE]

The lines that are read are described in emulator/src/recorder.rs. What is checked:

* every request of ekk: its operation exists; members are known, there where required, of the right type, and within
  their enums, patterns, lengths and ranges, wherever they are sent (path, query, headers, body);
* every answer of the emulator that a test did not order: the same by the operation's output; an error's code and
  status by what the operation declares, or UNDECLARED below with its reason; and that it is an error where the request,
  whoever sent it, breaks the model;
* every operation that the code under --source calls was seen, and no call is of a form that cannot be read here.

How many of the requests went to which server (the emulator, LocalStack, moto, a stand-in of a test) is told, too.

A request is ekk's when its user agent names the application `ekk`, as src/aws.rs sets it for every client. What a test
sends with a client of its own, or by hand, does not carry that name and is not checked as ekk's. Requests to a domain's
own address (service `es`, a path outside /2021-01-01/) belong to no model of AWS: they are counted and left.
Enums that lag behind AWS stand in emulator/src/models/exceptions.json with their reasons.
"""

import argparse
import base64
import binascii
import collections
import datetime
import email.utils
import json
import pathlib
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

import aws_models
from botocore import xform_name

APPLICATION = re.compile(r"(^|\s)app/ekk(\s|$)")
CONTROL_PLANE = "/2021-01-01/"

# Headers that belong to the protocol or to every operation of S3 with a body.
COMMON_HEADERS = re.compile(
    r"x-amz-(date|content-sha256|security-token|user-agent|target|trailer|decoded-content-length"
    r"|sdk-checksum-algorithm|checksum-[a-z0-9]+|meta-.*|request-id|id-2)|x-amzn-(requestid|errortype)"
)
# References to the control characters that XML 1.0 has not.
NOT_OF_XML = re.compile(rb"&#(x0*(1[0-9a-f]|[0-8bcef])|0*([0-8]|1[124-9]|2[0-9]|3[01]));", re.IGNORECASE)
# The SDKs name the operation once more, where S3 ignores it.
COMMON_QUERY = {"x-id"}
FORM_PARAMETERS = {"Action", "Version"}

# AWS's common errors, and those of the front that every service stands behind (API references, common errors;
# Amazon S3 API reference, error responses).
COMMON_ERRORS = set(
    """
    AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException IncompleteSignature
    IncompleteSignatureException InternalError InternalFailure InternalServerError InvalidAction InvalidClientTokenId
    InvalidSignatureException MissingAuthenticationToken MissingAuthenticationTokenException RequestExpired
    SerializationException ServiceUnavailable SignatureDoesNotMatch Throttling ThrottlingException
    UnknownOperationException UnrecognizedClientException ValidationError ValidationException
    """.split()
)
S3_ERRORS = set(
    """
    AuthorizationHeaderMalformed BadDigest BucketNotEmpty ConditionalRequestConflict EntityTooLarge
    EntityTooSmall IllegalLocationConstraintException IncompleteBody InvalidAccessKeyId InvalidArgument
    InvalidBucketAclWithBlockPublicAccessError InvalidBucketName InvalidBucketState InvalidDigest
    InvalidLocationConstraint InvalidPart
    InvalidPartOrder InvalidRange InvalidRequest InvalidTag KeyTooLongError MalformedPolicy MalformedTrailerError
    MalformedXML MethodNotAllowed MissingContentLength MissingSecurityHeader NoSuchBucket NoSuchBucketPolicy NoSuchKey
    NoSuchLifecycleConfiguration NoSuchPublicAccessBlockConfiguration NoSuchTagSet NoSuchUpload NoSuchVersion
    NotImplemented OperationAborted OwnershipControlsNotFoundError PermanentRedirect PreconditionFailed
    RequestTimeTooSkewed ServerSideEncryptionConfigurationNotFoundError SlowDown XAmzContentSHA256Mismatch
    """.split()
)


# What the models do not declare and AWS answers nevertheless, with the reason, by service, operation (`*`: any) and code.
UNDECLARED = {
    ("iam", "*", "MalformedInput"): "the Query protocol's own answer to a value of the wrong type, before any operation",
    ("iam", "CreateRole", "NoSuchEntity"): "a permissions boundary that is missing: the policy is looked up as such",
    ("s3", "PutBucketTagging", "BadRequest"): "more than 50 tags (S3 user guide, tags of buckets); S3's models declare next to no errors",
}

# What is nested too deeply to be read is as bad as what is no JSON at all.
UNREADABLE = (ValueError, ElementTree.ParseError, RecursionError)


class Unreadable(Exception):
    """An exchange that no rule of its protocol fits."""


class Fault(collections.namedtuple("Fault", "kind where what")):
    """One violation: its class, the member, and what is wrong."""


class Exchange:
    """One recorded line, decoded."""

    def __init__(self, line):
        self.via = line["via"]
        self.method = line["method"]
        path, _, query = line["target"].partition("?")
        self.path = path
        self.query = [
            tuple(urllib.parse.unquote_plus(part) for part in pair.partition("=")[::2])
            for pair in query.split("&")
            if pair
        ]
        self.headers = {name.lower(): value for name, value in line["headers"].items()}
        self.body = base64.b64decode(line.get("body_base64") or "")
        self.status = line.get("status")
        self.response_headers = {
            name.lower(): value for name, value in (line.get("response_headers") or {}).items()
        }
        self.response_body = base64.b64decode(line.get("response_body_base64") or "")
        self.injected = line.get("injected", False)

    @property
    def is_of_ekk(self):
        agents = (self.headers.get(name, "") for name in ("x-amz-user-agent", "user-agent"))
        return any(APPLICATION.search(agent) for agent in agents)

    @property
    def signing_name(self):
        scope = re.search(r"Credential=[^,\s]*/[0-9]{8}/[^/]*/([^/]*)/aws4_request", self.headers.get("authorization", ""))
        return scope and scope[1]

    @property
    def is_of_a_domain(self):
        signed_for = self.signing_name
        if signed_for:
            return signed_for == "es" and not self.path.startswith(CONTROL_PLANE)
        return self.path.startswith("/domain/")

    @property
    def service(self):
        name = aws_models.SERVICES.get(self.signing_name)
        if name is None:
            raise Unreadable(f"no service that ekk calls signs as {self.signing_name!r}")
        return name

    def media_body(self):
        """The body as it was meant: out of the chunks of `aws-chunked`."""
        if not self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            return self.body
        rest, body = self.body, b""
        while rest:
            line, _, rest = rest.partition(b"\r\n")
            length = int(line.split(b";")[0] or b"0", 16)
            if length == 0:
                break
            body, rest = body + rest[:length], rest[length + 2 :]
        return body


def operation_of(exchange):
    """The model of the operation that an exchange is for, and what its path says."""
    service = aws_models.model(exchange.service)
    protocol = service.metadata["protocol"]
    if protocol == "json":
        prefix, _, name = exchange.headers.get("x-amz-target", "").partition(".")
        if prefix != service.metadata["targetPrefix"] or name not in service.operation_names:
            raise Unreadable(f"{exchange.headers.get('x-amz-target')!r} is no operation of {service.service_name}")
        return service.operation_model(name), {}
    if protocol == "query":
        form = dict(urllib.parse.parse_qsl(exchange.body.decode(), keep_blank_values=True))
        name = form.get("Action")
        if name not in service.operation_names or form.get("Version") != service.metadata["apiVersion"]:
            raise Unreadable(f"{name!r} is no operation of {service.service_name}")
        return service.operation_model(name), {}
    return routed(service, exchange)


def routed(service, exchange):
    """Of the operations whose method and address fit, the one that asks for most."""
    path = exchange.path
    if service.service_name == "s3":
        host = exchange.headers.get("host", "").split(":")[0]
        bucket = re.fullmatch(r"(.+)\.(localhost|s3[.-].*amazonaws\.com(\.cn)?)", host)
        if bucket:
            path = f"/{bucket[1]}{path}"
        if path.count("/") == 2 and path.endswith("/"):
            path = path[:-1]
    query = dict(exchange.query)
    best = None
    for name in service.operation_names:
        operation = service.operation_model(name)
        if operation.http["method"] != exchange.method:
            continue
        template, _, literal = operation.http["requestUri"].partition("?")
        labels = labels_of(template, path)
        literal = [pair.partition("=") for pair in literal.split("&") if pair]
        if labels is None or any(
            key not in query or (has_value and query[key] != value) for key, has_value, value in literal
        ):
            continue
        needed = [member for _, member in required_outside(operation)]
        there = sum(is_sent(member, exchange, query) for member in needed)
        is_current = not operation.deprecated
        rank = (there == len(needed), len(literal) + there, is_current, -template.count("{"), -len(needed))
        if best is None or rank > best[0]:
            best = (rank, operation, labels)
    if best is None:
        raise Unreadable(f"no operation of {service.service_name} has {exchange.method} {exchange.path}")
    return best[1], best[2]


def labels_of(template, path):
    """What stands in the path for each label of the template; none where the path is another."""
    pattern = ""
    names = []
    for part in re.split(r"(\{[^}]+\})", template):
        if part.startswith("{"):
            names.append(part[1:-1].rstrip("+"))
            pattern += "(.+)" if part.endswith("+}") else "([^/]+)"
        else:
            pattern += re.escape(part)
    # Some templates end with a slash that the SDKs do not send.
    match = re.fullmatch(pattern.removesuffix("/") + "/?", path)
    return match and {name: urllib.parse.unquote(value) for name, value in zip(names, match.groups())}


def required_outside(operation):
    shape = operation.input_shape
    for name in shape.required_members if shape else []:
        member = shape.members[name]
        if member.serialization.get("location") in ("querystring", "header"):
            yield name, member


def is_sent(member, exchange, query):
    name = member.serialization["name"]
    if member.serialization["location"] == "querystring":
        return name in query
    return name.lower() in exchange.headers


class Reader:
    """Reads values from the wire by their shapes, and checks them; what is wrong is collected.

    Lengths, ranges and patterns bind a caller only: an answer may hold what no caller may send, such as no tags at all.
    """

    def __init__(self, service, binds_caller):
        self.service = service
        self.binds_caller = binds_caller
        self.faults = []

    def fault(self, kind, where, what):
        self.faults.append(Fault(kind, where, what))

    # From the wire to plain values.

    def from_json(self, shape, value, where):
        kind = shape.type_name
        if kind == "structure":
            if getattr(shape, "is_document_type", False):
                return value
            if not isinstance(value, dict):
                return self.of_wrong_type(shape, value, where)
            names = {
                member.serialization.get("name", name): (name, member)
                for name, member in shape.members.items()
                if not member.serialization.get("location")
            }
            read = {}
            for key, inner in value.items():
                if key not in names:
                    self.fault("unknown", join(where, key), f"{shape.name} has no member {key}")
                elif inner is not None:
                    name, member = names[key]
                    read[name] = self.from_json(member, inner, join(where, name))
            return read
        if kind == "list":
            if not isinstance(value, list):
                return self.of_wrong_type(shape, value, where)
            return [self.from_json(shape.member, inner, f"{where}[{at}]") for at, inner in enumerate(value)]
        if kind == "map":
            if not isinstance(value, dict):
                return self.of_wrong_type(shape, value, where)
            return {key: self.from_json(shape.value, inner, join(where, key)) for key, inner in value.items()}
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = {
            "string": isinstance(value, str),
            "character": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "integer": is_number and isinstance(value, int),
            "long": is_number and isinstance(value, int),
            "float": is_number,
            "double": is_number,
            # Seconds since 1970 in both JSON protocols.
            "timestamp": is_number,
            "blob": isinstance(value, str),
        }[kind]
        if not fits:
            return self.of_wrong_type(shape, value, where)
        if kind == "blob":
            try:
                return base64.b64decode(value, validate=True)
            except binascii.Error:
                return self.of_wrong_type(shape, value, where)
        return value

    def from_text(self, shape, text, where):
        """A value from a header, the query, the path, a form or an element's text."""
        kind = shape.type_name
        try:
            if kind in ("integer", "long"):
                if not re.fullmatch(r"-?[0-9]+", text):
                    raise ValueError
                return int(text)
            if kind in ("float", "double"):
                return float(text)
            if kind == "boolean":
                return {"true": True, "false": False}[text]
            if kind == "timestamp":
                return read_time(shape.serialization.get("timestampFormat"), text)
            if kind == "blob":
                return base64.b64decode(text, validate=True)
            if kind == "list":
                return [self.from_text(shape.member, part.strip(), where) for part in text.split(",")]
        except (ValueError, KeyError, TypeError, binascii.Error):
            return self.of_wrong_type(shape, text, where)
        if kind != "string":
            return self.of_wrong_type(shape, text, where)
        return text

    def from_form(self, shape, pairs, prefix, where, used):
        kind = shape.type_name
        inside = f"{prefix}." if prefix else ""
        if kind == "structure":
            read = {}
            for name, member in shape.members.items():
                key = inside + member.serialization.get("name", name)
                if any(known == key or known.startswith(f"{key}.") for known in pairs):
                    read[name] = self.from_form(member, pairs, key, join(where, name), used)
            return read
        if kind in ("list", "map"):
            flattened = shape.serialization.get("flattened")
            own = shape.member.serialization.get("name", "member") if kind == "list" else "entry"
            start = inside if flattened else f"{inside}{own}."
            read = []
            number = 1
            # An empty list is sent as its bare name.
            if pairs.get(prefix) == "":
                used.add(prefix)
            while any(known == f"{start}{number}" or known.startswith(f"{start}{number}.") for known in pairs):
                key = f"{start}{number}"
                if kind == "list":
                    read.append(self.from_form(shape.member, pairs, key, f"{where}[{number - 1}]", used))
                else:
                    name = self.from_form(shape.key, pairs, f"{key}.key", where, used)
                    read.append((name, self.from_form(shape.value, pairs, f"{key}.value", join(where, name), used)))
                number += 1
            return read if kind == "list" else dict(read)
        if prefix not in pairs:
            self.fault("type", where, f"{prefix} is no plain value")
            return None
        used.add(prefix)
        return self.from_text(shape, pairs[prefix], where)

    def from_xml(self, shape, element, where):
        kind = shape.type_name
        if kind == "structure":
            read = {}
            names = {}
            for name, member in shape.members.items():
                if member.serialization.get("location"):
                    continue
                wire = member.serialization.get("name", name)
                if member.serialization.get("xmlAttribute"):
                    value = element.get("{http://www.w3.org/2001/XMLSchema-instance}type") or element.get(wire)
                    if value is not None:
                        read[name] = self.from_text(member, value, join(where, name))
                    continue
                if member.type_name == "list" and member.serialization.get("flattened"):
                    wire = member.serialization.get("name") or member.member.serialization.get("name", name)
                names[wire] = (name, member)
            for child in element:
                tag = local(child)
                if tag not in names:
                    self.fault("unknown", join(where, tag), f"{shape.name} has no member {tag}")
                    continue
                name, member = names[tag]
                if member.type_name == "list" and member.serialization.get("flattened"):
                    items = read.setdefault(name, [])
                    items.append(self.from_xml(member.member, child, f"{join(where, name)}[{len(items)}]"))
                elif name in read:
                    self.fault("type", join(where, name), f"{tag} stands there twice")
                else:
                    read[name] = self.from_xml(member, child, join(where, name))
            return read
        if kind == "list":
            own = shape.member.serialization.get("name", "member")
            read = []
            for child in element:
                if local(child) != own:
                    self.fault("unknown", join(where, local(child)), f"{shape.name} holds {own} only")
                    continue
                read.append(self.from_xml(shape.member, child, f"{where}[{len(read)}]"))
            return read
        if kind == "map":
            key_name = shape.key.serialization.get("name", "key")
            value_name = shape.value.serialization.get("name", "value")
            read = {}
            for entry in element:
                parts = {local(part): part for part in entry}
                key = parts[key_name].text or ""
                read[key] = self.from_xml(shape.value, parts[value_name], join(where, key))
            return read
        if len(element):
            return self.of_wrong_type(shape, local(element[0]), where)
        return self.from_text(shape, element.text or "", where)

    def of_wrong_type(self, shape, value, where):
        self.fault("type", where, f"{shorten(value)} is no {shape.type_name}")
        return None

    # Plain values against their shapes.

    def check(self, shape, value, where):
        if value is None:
            return
        kind = shape.type_name
        if kind == "structure":
            if getattr(shape, "is_document_type", False):
                return
            for name in shape.required_members:
                if value.get(name) is None and not self.was_wrong(join(where, name)):
                    self.fault("required", join(where, name), f"{shape.name} needs {name}")
            if getattr(shape, "is_tagged_union", False) and len(value) != 1:
                self.fault("required", where, f"{shape.name} is one of {', '.join(shape.members)}")
            for name, inner in value.items():
                self.check(shape.members[name], inner, join(where, name))
        elif kind == "list":
            self.check_bounds(shape, len(value), "items", where)
            for at, inner in enumerate(value):
                self.check(shape.member, inner, f"{where}[{at}]")
        elif kind == "map":
            self.check_bounds(shape, len(value), "entries", where)
            for key, inner in value.items():
                self.check(shape.key, key, join(where, key))
                self.check(shape.value, inner, join(where, key))
        elif kind == "string":
            self.check_text(shape, value, where)
        elif kind == "blob":
            self.check_bounds(shape, len(value), "bytes", where)
        elif kind in ("integer", "long", "float", "double"):
            self.check_bounds(shape, value, None, where)

    def check_text(self, shape, value, where):
        self.check_bounds(shape, len(value), "characters", where)
        stand_in = aws_models.lagging(self.service, shape.name)
        if stand_in:
            if not aws_models.python_pattern(stand_in).fullmatch(value):
                self.fault("pattern", where, f"{shorten(value)} does not match {stand_in}")
        elif shape.enum and value not in shape.enum:
            self.fault("enum", where, f"{shorten(value)} is none of {shape.name}: {', '.join(shape.enum[:30])}")
        pattern = shape.metadata.get("pattern") if self.binds_caller else None
        if pattern and not aws_models.python_pattern(pattern).fullmatch(value):
            self.fault("pattern", where, f"{shorten(value)} does not match {pattern}")

    def check_bounds(self, shape, size, unit, where):
        if not self.binds_caller:
            return
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        kind, shown = ("length", f"{size} {unit}") if unit else ("range", f"{size}")
        if least is not None and size < least:
            self.fault(kind, where, f"{shown}, and {shape.name} has at least {least}")
        if most is not None and size > most:
            self.fault(kind, where, f"{shown}, and {shape.name} has at most {most}")

    def was_wrong(self, where):
        return any(fault.where == where or fault.where.startswith(f"{where}.") for fault in self.faults)


def join(where, name):
    return f"{where}.{name}" if where else str(name)


def local(element):
    return element.tag.rpartition("}")[2]


def shorten(value):
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def read_time(form, text):
    if form == "unixTimestamp":
        return datetime.datetime.fromtimestamp(float(text), datetime.timezone.utc)
    if form == "rfc822" or (form is None and text[:3].isalpha()):
        return email.utils.parsedate_to_datetime(text)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d))?", text):
        raise ValueError(text)
    return text


def check_request(exchange):
    """The operation of a request, what it says, and what is wrong with it."""
    operation, labels = operation_of(exchange)
    service = operation.service_model
    reader = Reader(service.service_name, binds_caller=True)
    shape = operation.input_shape
    protocol = service.metadata["protocol"]
    if protocol == "json":
        values = read_json_body(reader, shape, exchange.body)
    elif protocol == "query":
        values = read_form(reader, shape, exchange)
    else:
        values = read_rest(reader, operation, exchange, labels)
    if shape is not None:
        reader.check(shape, values, "")
    return operation, reader.faults


def read_json_body(reader, shape, body):
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        reader.fault("type", "", f"the body is no JSON: {error}")
        return None
    if shape is None:
        if value:
            reader.fault("unknown", "", "the operation takes no input")
        return None
    return reader.from_json(shape, value, "")


def read_form(reader, shape, exchange):
    pairs = dict(urllib.parse.parse_qsl(exchange.body.decode(), keep_blank_values=True))
    used = set()
    values = reader.from_form(shape, pairs, "", "", used) if shape else None
    for name in pairs.keys() - used - FORM_PARAMETERS:
        reader.fault("unknown", name, f"the operation has no parameter {name}")
    return values


def read_rest(reader, operation, exchange, labels):
    shape = operation.input_shape
    values = {}
    members = shape.members if shape else {}
    query = collections.defaultdict(list)
    for name, value in exchange.query:
        query[name].append(value)
    known_query = {pair.partition("=")[0] for pair in operation.http["requestUri"].partition("?")[2].split("&")}
    known_headers = set()
    for name, member in members.items():
        location, wire = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "uri":
            if wire in labels:
                values[name] = reader.from_text(member, labels[wire], name)
        elif location == "querystring":
            known_query.add(wire)
            if wire in query and member.type_name == "list":
                values[name] = [reader.from_text(member.member, text, name) for text in query[wire]]
            elif wire in query:
                values[name] = reader.from_text(member, query[wire][0], name)
        elif location == "header":
            known_headers.add(wire.lower())
            if wire.lower() in exchange.headers:
                values[name] = reader.from_text(member, exchange.headers[wire.lower()], name)
        elif location == "headers":
            found = {key[len(wire) :]: text for key, text in exchange.headers.items() if key.startswith(wire.lower())}
            if found:
                values[name] = found
    for name in query.keys() - known_query - COMMON_QUERY:
        if name.startswith("X-Amz-"):
            # A signature in the query.
            continue
        reader.fault("unknown", name, f"{operation.name} has no query parameter {name}")
    for name in exchange.headers:
        if name.startswith("x-amz") and name not in known_headers and not COMMON_HEADERS.fullmatch(name):
            reader.fault("unknown", name, f"{operation.name} has no header {name}")
    body = exchange.media_body()
    values.update(read_rest_body(reader, operation.service_model, shape, body))
    if operation.http_checksum.get("requestChecksumRequired") and not has_checksum(exchange):
        reader.fault("required", "checksum", f"{operation.name} needs Content-MD5 or x-amz-checksum-*")
    return values


def has_checksum(exchange):
    named = [*exchange.headers, exchange.headers.get("x-amz-trailer", "")]
    return any(name == "content-md5" or name.startswith("x-amz-checksum-") for name in named)


def read_rest_body(reader, service, shape, body):
    """The members that a body of a REST protocol holds."""
    is_xml = service.metadata["protocol"] == "rest-xml"
    payload = shape.serialization.get("payload") if shape else None
    if payload:
        member = shape.members[payload]
        if member.type_name == "blob":
            return {payload: body} if body else {}
        if member.type_name == "string":
            return {payload: body.decode()} if body else {}
        if not body:
            return {}
        if not is_xml:
            return {payload: reader.from_json(member, json.loads(body), payload)}
        root = ElementTree.fromstring(body)
        expected = member.serialization.get("name", payload)
        if local(root) != expected:
            reader.fault("type", payload, f"the document is {local(root)} and not {expected}")
            return {}
        namespace = member.serialization.get("xmlNamespace", {}).get("uri")
        if namespace and root.tag != f"{{{namespace}}}{expected}":
            reader.fault("type", payload, f"the document is not in the namespace {namespace}")
        return {payload: reader.from_xml(member, root, payload)}
    if not body or body == b"{}":
        return {}
    if shape is None or all(member.serialization.get("location") for member in shape.members.values()):
        reader.fault("unknown", "", "the operation takes no body")
        return {}
    if is_xml:
        root = ElementTree.fromstring(body)
        if list(shape.members) == ["LocationConstraint"]:
            # Not wrapped, for reasons of history (Amazon S3 API reference, GetBucketLocation).
            return {"LocationConstraint": root.text} if root.text else {}
        return reader.from_xml(shape, root, "")
    return reader.from_json(shape, json.loads(body), "") or {}


def check_answer(exchange, operation):
    """What is wrong with an answer; for an error, its code, too."""
    service = operation.service_model
    reader = Reader(service.service_name, binds_caller=False)
    if exchange.status >= 300:
        return check_error(reader, exchange, operation)
    shape = operation.output_shape
    body = exchange.response_body
    protocol = service.metadata["protocol"]
    values = {}
    try:
        if protocol == "json":
            value = json.loads(body) if body else {}
            if shape is None and value:
                reader.fault("unknown", "", f"{operation.name} answers nothing")
            elif shape is not None:
                values = reader.from_json(shape, value, "")
        elif protocol == "query":
            values = read_query_answer(reader, operation, body)
        elif exchange.method != "HEAD":
            # In an answer of S3, a key that XML cannot hold is written as references all the same; who wants to read it asks
            # for encoding-type=url.
            values = read_rest_body(reader, service, shape, NOT_OF_XML.sub(b"\xef\xbf\xbd", body))
    except UNREADABLE as error:
        reader.fault("type", "", f"the body cannot be read: {error}")
        return reader.faults, None
    if protocol.startswith("rest"):
        values.update(read_answer_headers(reader, operation, exchange))
    if shape is not None:
        reader.check(shape, values, "")
    return reader.faults, None


def read_query_answer(reader, operation, body):
    root = ElementTree.fromstring(body)
    if local(root) != f"{operation.name}Response":
        reader.fault("type", "", f"the document is {local(root)}")
        return {}
    parts = {local(child): child for child in root}
    if "ResponseMetadata" not in parts:
        reader.fault("required", "ResponseMetadata", "an answer has ResponseMetadata")
    wrapper = operation.output_shape and operation.output_shape.serialization.get("resultWrapper")
    for name in parts.keys() - {"ResponseMetadata", wrapper}:
        reader.fault("unknown", name, f"{operation.name} does not answer {name}")
    if wrapper is None:
        return {}
    if wrapper not in parts:
        reader.fault("required", wrapper, f"{operation.name} answers {wrapper}")
        return {}
    return reader.from_xml(operation.output_shape, parts[wrapper], "")


def read_answer_headers(reader, operation, exchange):
    values = {}
    known = set()
    shape = operation.output_shape
    for name, member in (shape.members if shape else {}).items():
        wire = member.serialization.get("name", name).lower()
        if member.serialization.get("location") == "header":
            known.add(wire)
            if wire in exchange.response_headers:
                values[name] = reader.from_text(member, exchange.response_headers[wire], name)
        elif member.serialization.get("location") == "statusCode":
            values[name] = exchange.status
    for name in exchange.response_headers:
        if name.startswith("x-amz") and name not in known and not COMMON_HEADERS.fullmatch(name):
            reader.fault("unknown", name, f"{operation.name} does not answer the header {name}")
    return values


def check_error(reader, exchange, operation):
    code = error_code(exchange, operation.service_model.metadata["protocol"])
    if exchange.method == "HEAD" or exchange.status == 304:
        return reader.faults, None
    if not code:
        reader.fault("required", "code", f"an error of status {exchange.status} without a code")
        return reader.faults, None
    for shape in operation.error_shapes:
        error = shape.metadata.get("error", {})
        if code in (shape.name, error.get("code")):
            status = error.get("httpStatusCode")
            if status and status != exchange.status:
                reader.fault("error", code, f"the status is {exchange.status} and not {status}")
            return reader.faults, None
    is_common = code in COMMON_ERRORS or (operation.service_model.service_name == "s3" and code in S3_ERRORS)
    return reader.faults, None if is_common else code


def error_code(exchange, protocol):
    if "x-amzn-errortype" in exchange.response_headers:
        return exchange.response_headers["x-amzn-errortype"].split(":")[0]
    try:
        if protocol in ("json", "rest-json"):
            body = json.loads(exchange.response_body)
            return str(body.get("__type") or body.get("code") or "").rpartition("#")[2]
        root = ElementTree.fromstring(exchange.response_body)
    except (*UNREADABLE, AttributeError):
        # AttributeError: it is JSON, and no object.
        return None
    return next((element.text for element in root.iter() if local(element) == "Code"), None)


# What the code can call.

# Methods of the SDK's clients that are no operations.
CLIENT_METHODS = {"clone", "config", "from_conf", "new"}
# The fields of ekk's `Aws` (src/aws.rs) that are clients.
CLIENTS = {
    "firehose": "firehose",
    "iam": "iam",
    "logs": "logs",
    "opensearch": "opensearch",
    "s3": "s3",
    "sts": "sts",
    "tagging": "resourcegroupstaggingapi",
}


def calls_in(source):
    """The operations that Rust code calls, as (service, name), and what calls one in a way that cannot be read here.

    A call is `client.operation()`, or `Client::operation` of a client whose crate is told. Where the code names an
    operation's module for its types, `aws_sdk_*::operation::NAME`, it is called, too: so a call in another form is found.
    """
    by_name = collections.defaultdict(set)
    for service in aws_models.SERVICES.values():
        for name in aws_models.model(service).operation_names:
            by_name[xform_name(name)].add((service, name))
    calls, unknown = set(), set()
    for path in sorted(pathlib.Path(source).rglob("*.rs")):
        code = without_comments_and_tests(path.read_text())
        imported = {
            service for service in aws_models.SERVICES.values() if f"aws_sdk_{crate_of(service)}" in code
        }
        # The receiver may be a field, a plain variable, or a call; arguments and line breaks may stand between.
        for match in re.finditer(r"(?:\b(\w+)\s*)?\.\s*([a-z][a-z0-9_]*)\s*\(", code):
            receiver, method = match.groups()
            candidates = by_name.get(method, set())
            if receiver in CLIENTS and re.search(r"\.\s*$", code[: match.start()]):
                # A field of `Aws`: whatever is called on it is an operation.
                if method in CLIENT_METHODS:
                    continue
                fitting = {call for call in candidates if call[0] == CLIENTS[receiver]}
                if not fitting:
                    unknown.add(f"{path}: {receiver}.{method}")
                calls |= fitting
                continue
            if not candidates or not re.match(r"\s*\)", code[match.end() :]):
                # The SDK's operations take no arguments; what does is something else of that name.
                continue
            if receiver in CLIENTS:
                fitting = {call for call in candidates if call[0] == CLIENTS[receiver]}
            else:
                fitting = {call for call in candidates if call[0] in imported} or candidates
            if len(fitting) > 1:
                unknown.add(f"{path}: {method} is an operation of several services")
            calls |= fitting
        crates = crates_in(code)
        for prefix, owner, method in re.findall(r"(?:\b(\w+)\s*::\s*)?\b([A-Z]\w*)\s*::\s*([a-z][a-z0-9_]*)\b(?!\s*::)", code):
            service = crates.get(prefix) or (None if prefix else crates.get(owner))
            if service and owner == "Client" and method not in CLIENT_METHODS:
                fitting = {call for call in by_name.get(method, set()) if call[0] == service}
                if not fitting:
                    unknown.add(f"{path}: {service} Client::{method}")
                calls |= fitting
            elif method in by_name and imported and not (service and owner == "Client"):
                unknown.add(f"{path}: {owner}::{method} may call an operation, and whose is not told")
        for crate, names in operation_modules(code):
            service = crates.get(crate)
            for name in names if service else ():
                fitting = {call for call in by_name.get(name, set()) if call[0] == service}
                if not fitting:
                    unknown.add(f"{path}: {crate}::operation::{name}")
                calls |= fitting
    return calls, unknown


def crates_in(code):
    """The services by the names that code has for their crates, and for their clients where those were imported."""
    found = {}
    for service in aws_models.SERVICES.values():
        crate = f"aws_sdk_{crate_of(service)}"
        found[crate] = service
        for name in re.findall(rf"\buse\s+{crate}\s+as\s+(\w+)\s*;", code):
            found[name] = service
        if re.search(rf"\buse\s+{crate}\s*::\s*(Client\b|\{{[^;]*\bClient\b)", code):
            # Of two clients of one name the code would not compile.
            found["Client"] = service
        for name in re.findall(rf"\b{crate}\s*::\s*Client\s+as\s+(\w+)", code) + re.findall(
            rf"\btype\s+(\w+)\s*=\s*{crate}\s*::\s*Client\s*;", code
        ):
            found[name] = service
    return found


def operation_modules(code):
    """Each `CRATE::operation::NAME` and `CRATE::operation::{NAME…, …}` of code, as the crate and the names."""
    for match in re.finditer(r"\b(\w+)\s*::\s*operation\s*::\s*(\w+|\{)", code):
        crate, first = match.groups()
        if first != "{":
            yield crate, [first]
            continue
        depth, names, at = 1, [], match.end()
        while depth and at < len(code):
            word = re.compile(r"\w+").match(code, at)
            if word and depth == 1 and re.search(r"[{,]\s*$", code[match.end() - 1 : at]):
                names.append(word[0])
            depth += {"{": 1, "}": -1}.get(code[at], 0)
            at = word.end() if word else at + 1
        yield crate, [name for name in names if name != "self"]


def crate_of(service):
    return {"logs": "cloudwatchlogs", "resourcegroupstaggingapi": "resourcegroupstagging"}.get(service, service)


def without_comments_and_tests(code):
    code = re.sub(r"(?m)^\s*//.*$", "", code)
    return re.split(r"(?m)^#\[cfg\(test\)\]", code)[0]


# The run.


class Tally:
    """What was seen and what was wrong."""

    def __init__(self):
        self.requests = collections.Counter()
        self.answers = collections.Counter()
        self.skipped = collections.Counter()
        self.request_faults = collections.Counter()
        self.answer_faults = collections.Counter()
        self.undeclared = collections.Counter()
        self.servers = collections.Counter()
        self.torn = 0

    def take(self, line):
        exchange = Exchange(line)
        if exchange.is_of_a_domain:
            self.skipped["to a domain's own address"] += 1
            return
        is_of_ekk = exchange.is_of_ekk
        if not is_of_ekk:
            self.skipped["not of ekk"] += 1
        try:
            operation, faults = check_request(exchange)
        except Unreadable as error:
            if is_of_ekk:
                self.request_faults[(exchange.method, exchange.path, Fault("operation", "", str(error)))] += 1
            return
        except UNREADABLE as error:
            if is_of_ekk:
                self.request_faults[(exchange.method, exchange.path, Fault("type", "", f"unreadable: {error}"))] += 1
            return
        name = (operation.service_model.service_name, operation.name)
        if is_of_ekk:
            self.requests[name] += 1
            self.servers[exchange.via] += 1
            for fault in faults:
                self.request_faults[(*name, fault)] += 1
        if exchange.via == "emulator" and exchange.status is not None and not exchange.injected:
            self.answers[name] += 1
            if exchange.status < 300:
                # Whoever sent it: the emulator refuses what the models refuse.
                for fault in faults:
                    taken = Fault("accepted", fault.where, f"the emulator took it: {fault.what}")
                    self.answer_faults[(*name, taken)] += 1
            faults, undeclared = check_answer(exchange, operation)
            for fault in faults:
                self.answer_faults[(*name, fault)] += 1
            if undeclared:
                self.undeclared[(*name, undeclared)] += 1

    def take_folder(self, folder):
        """Reads every file; returns how many lines there were."""
        lines = 0
        for path in sorted(pathlib.Path(folder).rglob("*.jsonl")):
            with path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        # Of a process that was killed while it wrote.
                        self.torn += 1
                        continue
                    lines += 1
                    self.take(json.loads(line))
        return lines


def is_known(error):
    """Whether an undeclared error stands in the list."""
    service, operation, code = error
    return (service, operation, code) in UNDECLARED or (service, "*", code) in UNDECLARED


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="recorded exchanges (*.jsonl)")
    parser.add_argument("--source", help="the code whose calls must all have been seen")
    parser.add_argument("--json", metavar="FILE", help="where to write the counts")
    options = parser.parse_args(arguments)

    tally = Tally()
    for folder in options.folders:
        if not tally.take_folder(folder):
            print(f"no exchange was recorded in {folder}")
            return 1
    calls, unknown = calls_in(options.source) if options.source else (set(), set())
    if options.source and not calls:
        unknown.add(f"no call was found in {options.source}")
    never_seen = sorted(calls - set(tally.requests))

    for title, faults in (("request", tally.request_faults), ("answer of the emulator", tally.answer_faults)):
        for (service, operation, fault), count in sorted(faults.items()):
            print(f"{title}: {service} {operation}: {fault.kind} at {fault.where or 'the request'}: {fault.what} ({count} times)")
    undeclared = {error: count for error, count in tally.undeclared.items() if not is_known(error)}
    for (service, operation, code), count in sorted(undeclared.items()):
        print(
            f"answer of the emulator: {service} {operation}: {code}, which neither the model declares nor "
            f"UNDECLARED in {pathlib.Path(__file__).name} ({count} times)"
        )
    for service, operation in never_seen:
        print(f"never seen: {service} {operation}")
    for call in sorted(unknown):
        print(f"no operation: {call}")
    counts = {
        "requests": sum(tally.requests.values()),
        "operations": len(tally.requests),
        "violations": sum(tally.request_faults.values()),
        "answers": sum(tally.answers.values()),
        "answer_violations": sum(tally.answer_faults.values()),
        "undeclared_errors": sum(undeclared.values()),
        "known_undeclared_errors": sum(tally.undeclared.values()) - sum(undeclared.values()),
        "by_server": dict(sorted(tally.servers.items())),
        "skipped": dict(tally.skipped),
        "torn_lines": tally.torn,
        "called_operations": len(calls),
        "never_seen": [f"{service} {operation}" for service, operation in never_seen],
        "no_operation": sorted(unknown),
        "by_operation": {f"{service} {operation}": count for (service, operation), count in sorted(tally.requests.items())},
    }
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(counts, indent=2) + "\n")
    nothing_checked = not counts["requests"]
    failed = bool(
        nothing_checked or tally.request_faults or tally.answer_faults or undeclared or never_seen or unknown
    )
    servers = ", ".join(f"{count} to {server}" for server, count in counts["by_server"].items())
    print(f"requests by server: {servers or 'none'}")
    print(
        f"{counts['requests']} requests of {counts['operations']} operations checked, "
        f"{counts['violations']} violations; {counts['answers']} answers checked, "
        f"{counts['answer_violations']} violations; {len(never_seen)} of {len(calls)} called operations never seen"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
