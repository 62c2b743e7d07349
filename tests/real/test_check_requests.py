"""The checker finds what is planted, and nothing in what keeps to the models."""

import base64
import json
import pathlib
import subprocess
import sys

import pytest

import aws_models
import check_requests
import generate_models

AGENT = "aws-sdk-rust/1.3.9 os/linux lang/rust/1.94.1 app/ekk"
TARGETS = {"firehose": "Firehose_20150804", "logs": "Logs_20140328", "tagging": "ResourceGroupsTaggingAPI_20170126"}


def line(signing_name, method="POST", target="/", headers=(), body="", agent=AGENT, **more):
    """A recorded exchange."""
    scope = f"AKIA/20260101/eu-west-1/{signing_name}/aws4_request"
    return {
        "via": "emulator",
        "method": method,
        "target": target,
        "headers": {
            "host": "127.0.0.1:4566",
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=-",
            "x-amz-user-agent": agent,
            **dict(headers),
        },
        "body_base64": base64.b64encode(body.encode()).decode(),
        "status": None,
        **more,
    }


def json_call(signing_name, operation, body, **more):
    target = f"{TARGETS[signing_name]}.{operation}"
    return line(signing_name, headers={"x-amz-target": target}, body=json.dumps(body), **more)


def form_call(form, **more):
    return line("iam", body=f"{form}&Version=2010-05-08", **more)


def answered(exchange, status, body="", headers=()):
    encoded = base64.b64encode(body.encode()).decode()
    return {**exchange, "status": status, "response_headers": dict(headers), "response_body_base64": encoded}


def taken(*lines):
    tally = check_requests.Tally()
    for one in lines:
        tally.take(one)
    return tally


def faults(one):
    """The faults of a request, as `class at member`."""
    return sorted(f"{fault.kind} at {fault.where}" for *_, fault in taken(one).request_faults)


def answer_faults(one):
    return sorted(f"{fault.kind} at {fault.where}" for *_, fault in taken(one).answer_faults)


CREATE_STREAM = {
    "DeliveryStreamName": "logs",
    "DeliveryStreamType": "DirectPut",
    "AmazonopensearchserviceDestinationConfiguration": {
        "RoleARN": "arn:aws:iam::123456789012:role/ekk/writer",
        "DomainARN": "arn:aws:es:eu-west-1:123456789012:domain/logs",
        "IndexName": "logs",
        "IndexRotationPeriod": "OneWeek",
        "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 5},
        "S3Configuration": {
            "RoleARN": "arn:aws:iam::123456789012:role/ekk/writer",
            "BucketARN": "arn:aws:s3:::logs",
        },
    },
    "Tags": [{"Key": "ekk:stack", "Value": "logs"}],
}


def stream(path, value):
    """CREATE_STREAM with one member replaced, or left out."""
    wanted = json.loads(json.dumps(CREATE_STREAM))
    *parents, last = path.split(".")
    inside = wanted
    for parent in parents:
        inside = inside[parent]
    if value is None:
        del inside[last]
    else:
        inside[last] = value
    return json_call("firehose", "CreateDeliveryStream", wanted)


TAGGING = '<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key>{}</Tag></TagSet></Tagging>'
CHECKSUM = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}


@pytest.mark.parametrize(
    "good",
    [
        json_call("firehose", "CreateDeliveryStream", CREATE_STREAM),
        json_call("logs", "PutRetentionPolicy", {"logGroupName": "/aws/x", "retentionInDays": 14}),
        json_call("tagging", "GetResources", {"TagFilters": [{"Key": "ekk:stack", "Values": ["logs"]}]}),
        form_call("Action=CreateRole&RoleName=r&Path=%2Fekk%2F&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=k&Tags.member.1.Value="),
        line("sts", body="Action=GetCallerIdentity&Version=2011-06-15"),
        line("es", "GET", "/2021-01-01/opensearch/domain/logs"),
        line("es", "GET", "/2021-01-01/tags?arn=arn%3Aaws%3Aes%3Aeu-west-1%3A123456789012%3Adomain%2Flogs"),
        line("es", "POST", "/2021-01-01/opensearch/domain", body='{"DomainName":"logs","ClusterConfig":{"InstanceType":"or2.large.search"}}'),
        line("s3", "PUT", "/bucket/?tagging", CHECKSUM, TAGGING.format("<Value>b</Value>")),
        line("s3", "GET", "/bucket?versions&max-keys=1000&prefix=a%2Fb"),
        line("s3", "DELETE", "/bucket/a/b?uploadId=x&x-id=AbortMultipartUpload"),
        line("s3", "HEAD", "/bucket", {"x-amz-expected-bucket-owner": "123456789012"}),
    ],
    ids=lambda one: one["target"],
)
def test_what_keeps_to_the_models_is_let_be(good):
    tally = taken(good)
    assert (sum(tally.requests.values()), tally.request_faults) == (1, {})


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (json_call("firehose", "MakeDeliveryStream", {}), ["operation at "]),
        (form_call("Action=MakeRole"), ["operation at "]),
        (line("es", "PATCH", "/2021-01-01/opensearch/domain"), ["operation at "]),
        (line("sqs"), ["operation at "]),
        (stream("DeliveryStreamName", None), ["required at DeliveryStreamName"]),
        (stream("AmazonopensearchserviceDestinationConfiguration.S3Configuration.BucketARN", None), ["required at AmazonopensearchserviceDestinationConfiguration.S3Configuration.BucketARN"]),
        (stream("Colour", "red"), ["unknown at Colour"]),
        (stream("AmazonopensearchserviceDestinationConfiguration.BufferingHints.SizeInMBs", "5"), ["type at AmazonopensearchserviceDestinationConfiguration.BufferingHints.SizeInMBs"]),
        (stream("AmazonopensearchserviceDestinationConfiguration.BufferingHints.SizeInMBs", True), ["type at AmazonopensearchserviceDestinationConfiguration.BufferingHints.SizeInMBs"]),
        (stream("AmazonopensearchserviceDestinationConfiguration.BufferingHints.SizeInMBs", 101), ["range at AmazonopensearchserviceDestinationConfiguration.BufferingHints.SizeInMBs"]),
        (stream("AmazonopensearchserviceDestinationConfiguration.IndexRotationPeriod", "Weekly"), ["enum at AmazonopensearchserviceDestinationConfiguration.IndexRotationPeriod"]),
        (stream("AmazonopensearchserviceDestinationConfiguration.RoleARN", "writer"), ["pattern at AmazonopensearchserviceDestinationConfiguration.RoleARN"]),
        (stream("DeliveryStreamName", "x" * 65), ["length at DeliveryStreamName"]),
        (stream("Tags", [{"Key": "aws:x"}]), ["pattern at Tags[0].Key"]),
        (json_call("firehose", "PutRecord", {"DeliveryStreamName": "s", "Record": {"Data": "?"}}), ["type at Record.Data"]),
        (json_call("logs", "TagResource", {"resourceArn": "arn:x", "tags": {"k": "\x00"}}), ["pattern at tags.k"]),
        (form_call("Action=GetRole"), ["required at RoleName"]),
        (form_call("Action=GetRole&RoleName=r&Colour=red"), ["unknown at Colour"]),
        (form_call("Action=ListRoles&MaxItems=many"), ["type at MaxItems"]),
        (form_call("Action=TagRole&RoleName=r&Tags.member.1.Key=k"), ["required at Tags[0].Value"]),
        (line("es", "GET", "/2021-01-01/opensearch/domain/Logs"), ["pattern at DomainName"]),
        (line("es", "GET", "/2021-01-01/opensearch/domain/lo"), ["length at DomainName"]),
        (line("es", "GET", "/2021-01-01/opensearch/domain/logs?pretty"), ["unknown at pretty"]),
        (line("es", "GET", "/2021-01-01/tags"), ["required at ARN"]),
        (line("es", "POST", "/2021-01-01/opensearch/domain", body='{"DomainName":"logs","ClusterConfig":{"InstanceType":"large"}}'), ["pattern at ClusterConfig.InstanceType"]),
        (line("s3", "PUT", "/bucket?tagging", CHECKSUM, TAGGING.format("")), ["required at Tagging.TagSet[0].Value"]),
        (line("s3", "PUT", "/bucket?tagging", CHECKSUM, TAGGING.format("<Value/><Colour/>")), ["unknown at Tagging.TagSet[0].Colour"]),
        (line("s3", "PUT", "/bucket?tagging", {}, TAGGING.format("<Value/>")), ["required at checksum"]),
        (line("s3", "PUT", "/bucket?tagging", CHECKSUM, "<Tags/>"), ["type at Tagging"]),
        (line("s3", "GET", "/bucket?versions&max-keys=many"), ["type at MaxKeys"]),
        (line("s3", "PUT", "/bucket", {"x-amz-object-ownership": "Everybody"}), ["enum at ObjectOwnership"]),
        (line("s3", "PUT", "/bucket", {"x-amz-colour": "red"}), ["unknown at x-amz-colour"]),
        (line("s3", "GET", "/bucket?versions&colour=red"), ["unknown at colour"]),
    ],
)
def test_a_planted_violation_is_found(bad, expected):
    assert faults(bad) == expected


def test_a_request_of_a_test_s_own_is_not_ekk_s():
    foreign = line("iam", body="Action=MakeRole&Version=2010-05-08", agent="aws-sdk-rust/1.3.9 app/other")
    tally = taken(foreign, line("iam", body="Action=ListRoles&Version=2010-05-08", agent=""))
    assert (tally.requests, tally.request_faults, tally.skipped) == ({}, {}, {"not of ekk": 2})


def test_requests_to_a_domain_are_counted_and_left():
    inside = line("es", "PUT", "/domain/eu-west-1/logs/_index_template/logs", body="{}")
    tally = taken(inside, {**inside, "headers": {"authorization": "-"}})
    assert (tally.requests, tally.skipped) == ({}, {"to a domain's own address": 2})


ROLE = (
    "<Role><Path>/</Path><RoleName>r</RoleName><RoleId>AROAEXAMPLEEXAMPLE00</RoleId>"
    "<Arn>arn:aws:iam::123456789012:role/r</Arn><CreateDate>{}</CreateDate></Role>"
)


def role_answer(inside):
    return answered(
        form_call("Action=GetRole&RoleName=r"),
        200,
        f'<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult>{inside}</GetRoleResult>'
        "<ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></GetRoleResponse>",
    )


DESCRIBE = json_call("firehose", "DescribeDeliveryStream", {"DeliveryStreamName": "s"})
LIST = json_call("firehose", "ListDeliveryStreams", {})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answered(LIST, 200, '{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}'), []),
        (answered(LIST, 200, '{"DeliveryStreamNames":[]}'), ["required at HasMoreDeliveryStreams"]),
        (answered(LIST, 200, '{"DeliveryStreamNames":"s","HasMoreDeliveryStreams":false}'), ["type at DeliveryStreamNames"]),
        (answered(LIST, 200, '{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false,"More":1}'), ["unknown at More"]),
        (role_answer(ROLE.format("2026-01-01T00:00:00Z")), []),
        (role_answer(ROLE.format("yesterday")), ["type at Role.CreateDate"]),
        (role_answer(""), ["required at Role"]),
        (role_answer(ROLE.format("2026-01-01T00:00:00Z").replace("</Role>", "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType></PermissionsBoundary></Role>")), ["enum at Role.PermissionsBoundary.PermissionsBoundaryType"]),
        (answered(line("s3", "GET", "/b?location"), 200, '<LocationConstraint xmlns="x">eu-west-1</LocationConstraint>'), []),
        (answered(line("s3", "GET", "/b?location"), 200, '<LocationConstraint xmlns="x">mars</LocationConstraint>'), ["enum at LocationConstraint"]),
        (answered(line("s3", "HEAD", "/b"), 200, "", {"X-Amz-Bucket-Region": "eu-west-1"}), []),
        (answered(line("s3", "GET", "/b?versions"), 200, '<ListVersionsResult xmlns="x"><Prefix>a&#x1;&#31;</Prefix></ListVersionsResult>'), []),
        (answered(line("s3", "HEAD", "/b"), 200, "", {"X-Amz-Colour": "red"}), ["unknown at x-amz-colour"]),
        (answered(DESCRIBE, 400, '{"__type":"ResourceNotFoundException"}'), []),
        (answered(DESCRIBE, 400, "{}"), ["required at code"]),
        (answered(line("es", "GET", "/2021-01-01/opensearch/domain/logs"), 409, "{}", {"x-amzn-errortype": "ResourceNotFoundException"}), []),
        (answered(line("es", "GET", "/2021-01-01/opensearch/domain/logs"), 404, "{}", {"x-amzn-errortype": "ResourceNotFoundException"}), ["error at ResourceNotFoundException"]),
    ],
)
def test_an_answer_is_held_against_the_output(answer, expected):
    assert answer_faults(answer) == expected


def test_a_bad_request_that_the_emulator_took_is_found():
    foreign = line("iam", body="Action=UntagRole&RoleName=r&Version=2010-05-08", agent="")
    taken_by_it = answered(
        foreign, 200, "<UntagRoleResponse><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></UntagRoleResponse>"
    )
    assert answer_faults(taken_by_it) == ["accepted at TagKeys"]


def test_an_error_that_the_model_does_not_declare_is_reported():
    tally = taken(answered(DESCRIBE, 400, '{"__type":"TooManyTagsException"}'))
    assert tally.undeclared == {("firehose", "DescribeDeliveryStream", "TooManyTagsException"): 1}


def test_only_an_undeclared_error_that_is_listed_passes(recorded, tmp_path):
    folder, source = recorded

    def ended(*errors):
        answers = [
            answered(
                form_call("Action=ListRoles"),
                400,
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code></Error></ErrorResponse>",
            )
            for code in errors
        ]
        (folder / "emulator-1-0.jsonl").write_text("".join(json.dumps(one) + "\n" for one in answers))
        told = run(folder, source, "--json", str(tmp_path / "counts.json"))
        counts = json.loads((tmp_path / "counts.json").read_text())
        return told, counts["undeclared_errors"], counts["known_undeclared_errors"]

    told, unlisted, listed = ended("MalformedInput")
    assert (told.returncode, unlisted, listed) == (0, 0, 1)
    told, unlisted, listed = ended("MalformedInput", "Strange")
    assert (told.returncode, unlisted, listed) == (1, 1, 1)
    assert "answer of the emulator: iam ListRoles: Strange, which neither the model declares nor" in told.stdout


def test_every_undeclared_error_has_its_reason():
    assert all(len(reason) > 20 for reason in check_requests.UNDECLARED.values())


DEEP = 100_000


@pytest.mark.parametrize(
    ("deep", "expected"),
    [
        (line("firehose", headers={"x-amz-target": "Firehose_20150804.ListDeliveryStreams"}, body="[" * DEEP), ["type at "]),
        (line("es", "POST", "/2021-01-01/opensearch/domain", body='{"DomainName":' + "[" * DEEP), ["type at "]),
        (line("s3", "PUT", "/bucket?tagging", CHECKSUM, "<Tagging>" * DEEP), ["type at "]),
    ],
    ids=["json", "rest-json", "rest-xml"],
)
def test_what_is_nested_too_deeply_is_one_fault(deep, expected):
    assert faults(deep) == expected


def test_an_answer_that_is_nested_too_deeply_is_one_fault():
    assert answer_faults(answered(LIST, 200, '{"DeliveryStreamNames":' + "[" * DEEP)) == ["type at "]
    assert answer_faults(answered(DESCRIBE, 400, "[" * DEEP)) == ["required at code"]
    assert answer_faults(answered(DESCRIBE, 400, "[]")) == ["required at code"]


def test_what_a_test_ordered_and_what_others_answer_is_not_checked():
    wrong = answered(LIST, 200, "{}")
    tally = taken({**wrong, "injected": True}, {**wrong, "via": "moto"})
    assert (tally.answers, sum(tally.requests.values())) == ({}, 2)


def run(folder, source, *more):
    here = pathlib.Path(check_requests.__file__)
    command = [sys.executable, str(here), str(folder), "--source", str(source), *more]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def recorded(tmp_path):
    """A folder with one good exchange, and code that makes this call."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "emulator-1-0.jsonl").write_text(json.dumps(form_call("Action=ListRoles")) + "\n")
    source = tmp_path / "src"
    source.mkdir()
    (source / "role.rs").write_text("use aws_sdk_iam;\nasync fn f() { session.aws\n    .iam\n    .list_roles().send().await }\n")
    return folder, source


def test_a_good_run_says_so_and_counts(recorded, tmp_path):
    ended = run(*recorded, "--json", str(tmp_path / "counts.json"))
    assert (ended.returncode, ended.stdout) == (
        0,
        "requests by server: 1 to emulator\n"
        "1 requests of 1 operations checked, 0 violations; 0 answers checked, 0 violations; "
        "0 of 1 called operations never seen\n",
    )
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert (counts["requests"], counts["operations"], counts["never_seen"]) == (1, 1, [])
    assert counts["by_server"] == {"emulator": 1}


def test_the_requests_are_told_by_server(recorded, tmp_path):
    folder, source = recorded
    for server, count in (("localstack", 2), ("moto", 1)):
        lines = [json.dumps(form_call("Action=ListRoles", via=server)) + "\n"] * count
        (folder / f"{server}-1-0.jsonl").write_text("".join(lines))
    ended = run(folder, source, "--json", str(tmp_path / "counts.json"))
    assert ended.stdout.startswith("requests by server: 1 to emulator, 2 to localstack, 1 to moto\n4 requests of 1 operations")
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["by_server"] == {"emulator": 1, "localstack": 2, "moto": 1}


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("fn g() { aws.s3.create_bucket().send() }", "never seen: s3 CreateBucket\n"),
        ("fn g(client: &Client) { client\n    .put_public_access_block()\n    .send() }", "never seen: s3 PutPublicAccessBlock\n"),
        ("fn g() { aws.iam.fly_to_the_moon().send() }", "iam.fly_to_the_moon\n"),
        ("fn g() { session.aws.logs.list_tags_for_resource().send() }", "never seen: logs ListTagsForResource\n"),
        ("fn g() { aws.s3 . create_bucket ( ) . send() }", "never seen: s3 CreateBucket\n"),
        ("fn g(c: &aws_sdk_s3::Client) { aws_sdk_s3::Client::head_object(c).send() }", "never seen: s3 HeadObject\n"),
        ("use aws_sdk_s3 as s3;\nfn g() { let f = s3::Client::get_bucket_cors; }", "never seen: s3 GetBucketCors\n"),
        ("use aws_sdk_s3::Client;\nfn g() { f.map(Client::get_bucket_cors) }", "never seen: s3 GetBucketCors\n"),
        ("use aws_sdk_s3::{Client, types::Tag};\nfn g() { Client::get_bucket_cors(&c) }", "never seen: s3 GetBucketCors\n"),
        ("fn g() { aws_sdk_s3::Client::fly_to_the_moon(c) }", "s3 Client::fly_to_the_moon\n"),
        ("use aws_sdk_s3::Client as S3;\nfn g() { S3::get_bucket_cors(&c) }", "S3::get_bucket_cors may call an operation"),
        ("use aws_sdk_s3::operation::get_bucket_cors::GetBucketCorsOutput;\n", "never seen: s3 GetBucketCors\n"),
        (
            "use aws_sdk_s3::operation::{\n    get_bucket_cors::{self, builders::GetBucketCorsInputBuilder},\n    head_object,\n};\n",
            "never seen: s3 GetBucketCors\nnever seen: s3 HeadObject\n",
        ),
        ("use aws_sdk_s3::operation::fly_to_the_moon::Flight;\n", "aws_sdk_s3::operation::fly_to_the_moon\n"),
    ],
)
def test_a_call_that_was_never_seen_is_found(recorded, planted, said):
    folder, source = recorded
    (source / "planted.rs").write_text(planted)
    ended = run(folder, source)
    assert ended.returncode == 1
    assert said in ended.stdout


def test_calls_in_comments_and_tests_do_not_count(recorded):
    folder, source = recorded
    (source / "more.rs").write_text("// aws.s3.create_bucket()\n#[cfg(test)]\nmod tests { fn f() { aws.s3.delete_bucket() } }\n")
    assert run(folder, source).returncode == 0


def test_a_violation_and_an_empty_folder_fail(recorded, tmp_path):
    folder, source = recorded
    with (folder / "emulator-1-0.jsonl").open("a") as file:
        file.write(json.dumps(form_call("Action=GetRole")) + "\n")
        file.write('{"via": "emulator", "torn')
    ended = run(folder, source)
    assert ended.returncode == 1
    assert "request: iam GetRole: required at RoleName: GetRoleRequest needs RoleName (1 times)\n" in ended.stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(empty, source).returncode == 1


def test_the_emulator_s_table_is_what_the_pinned_models_make():
    assert generate_models.TABLE.read_text() == generate_models.text()


def test_every_pattern_of_the_models_can_be_read():
    patterns = {
        shape["pattern"]
        for service in aws_models.SERVICES.values()
        for shape in aws_models.model(service)._service_description["shapes"].values()
        if "pattern" in shape
    }
    assert len(patterns) > 100
    for pattern in patterns:
        aws_models.python_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        (r"[\w+=,.@-]+", "a-b_c", "a b"),
        (r"[\w-_]*", "a-_", "+"),
        (r"^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$", "kü:/ 1", "aws:x"),
        (r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", "/ekk/", "/ekk"),
        (r".*", "one line", "two\nlines"),
        (r"\p{XDigit}{8}", "0aF00000", "0g000000"),
    ],
)
def test_a_pattern_of_java_means_the_same(pattern, fits, fails):
    compiled = aws_models.python_pattern(pattern)
    assert compiled.fullmatch(fits) and not compiled.fullmatch(fails)


def test_a_pattern_that_looks_around_must_be_listed():
    with pytest.raises(ValueError, match="list it"):
        aws_models.rust_pattern("a(?=b).*")


def test_every_exception_has_its_reason():
    exceptions = aws_models.exceptions()
    reasons = [
        *(enum["reason"] for enums in exceptions["lagging_enums"].values() for enum in enums.values()),
        *exceptions["unchecked_patterns"].values(),
        *(pattern["reason"] for pattern in exceptions["rewritten_patterns"].values()),
    ]
    assert all(len(reason) > 20 for reason in reasons) and len(reasons) >= 4
