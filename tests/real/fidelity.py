"""The table of docs/fidelity.md: what was proved on which part, and what differs.

    python tests/real/fidelity.py --tests tests.xml… --requests requests.json    # prints it with the figures of this run
    python tests/real/fidelity.py --write                                       # puts it into docs/fidelity.md

The first form fails where the page is not what this file makes.
"""

import argparse
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "fidelity.md"
BEGIN = "<!-- table: made by tests/real/fidelity.py, do not edit -->\n"
END = "<!-- /table -->"


def pin(name):
    """The version of a package in the files of pins."""
    for file in ("requirements.txt", "localstack.txt"):
        found = re.search(rf"^{re.escape(name)}(?:\[[a-z,]+\])?==(\S+)", (HERE / file).read_text(), re.MULTILINE)
        if found:
            return found[1]
    raise SystemExit(f"{name} is pinned nowhere")


# Part, version, what was proved, what differs, and the tests that prove it.
ROWS = [
    (
        "AWS's service models",
        f"botocore {pin('botocore')}",
        "every request that ekk sends in all tests here, to the emulator, LocalStack and moto: operation, members, types, "
        "enums, patterns, lengths and ranges, address and headers; every operation that `src/` can call was seen. The "
        "emulator refuses what the models refuse, and its answers have their shapes",
        "one enum lags behind AWS and two patterns do not translate (`emulator/src/models/exceptions.json`). Lengths, ranges "
        "and patterns bind requests only: AWS itself answers an empty list of tags",
        "requests",
    ),
    (
        "LocalStack over a real OpenSearch",
        f"localstack-core {pin('localstack-core')}, OpenSearch 2.19.1",
        "`up`, an empty second plan, a changed buffer, retention, tag, template and TLS policy; a record as the article's "
        "handler sends it and one with Python's default `asctime` are found by time on the engine and stand in the backup; "
        "`down` leaves the bucket alone",
        "domain encryption is told as off whatever was asked: the stack asks for none. A stream's update forgets "
        "`S3BackupMode`, and backups stop: the next plan says `replace`, which `--allow replace:stream` does. A dry run makes "
        "the change: told with what it changed, `--no-dry-run` is the way out. No Dashboards (the emulator's stand in front), "
        "no rotation, no stream encryption",
        "test_localstack",
    ),
    (
        "Faults before LocalStack and before the emulator",
        "the tests' own proxy",
        "cut connections (before, after and within an answer), 500, 502, 503, throttling and slow answers, before LocalStack "
        "on the first request of every operation, before both mixed by seeds: `up`, a change and `down` each do their work "
        "in one run, nothing is made twice and nothing is left",
        "LocalStack forgets the backup mode at the change, so that the stream is made anew in a second run",
        "test_faults",
    ),
    (
        "The walk for AWS, on the emulator",
        "-",
        "the walk below does what it says; nothing about AWS",
        "-",
        "test_aws",
    ),
    (
        "Real engines",
        "Elasticsearch 7.10.2, OpenSearch 1.3.13, 2.19.1, 3.5.0",
        "the template is taken and read back equal; every date form of Python's logging is indexed and sorts by time; fields "
        "that clash cost no record but where text meets object; a record that cannot be parsed is refused alone; one node "
        "stays green; search and bulk as ekk and Firehose send them. Some 400 answers an engine are compared with the "
        "emulator's: status, and the fields that somebody reads",
        "a first value that is a mixed list (`[1, \"two\"]`) costs its record on every engine, and up to OpenSearch 3.1 so "
        "does a number that meets an object. What the emulator answers otherwise stands in `tests/engines/`, each with its "
        "reason; reasons are compared by their first words",
        "test_engines",
    ),
    (
        "The security plugin",
        "opensearch-security 2.19.1.0",
        "role, mapping and who-am-I with a user and password; a user that is mapped by the role's ARN writes into its index "
        "and nowhere else; without permission (403) and without a login (401) ekk's whole error is what it promises; as "
        "admin `up` converges",
        "users and passwords stand in for IAM",
        "test_security",
    ),
    (
        "moto",
        f"moto {pin('moto')}",
        "IAM, S3 and Logs: every setting of role, bucket and log group is made, read back equal, changed, and deleted; "
        "tags, lifecycle rules, statements and policies of others stay; lost answers are survived",
        "it ignores the tags of CreateBucket: PutBucketTagging follows, and a kill in between leaves a bucket that "
        "`--adopt=bucket` takes. It keeps the tags of a deleted bucket, and reads bucket policies without their conditions",
        "test_moto",
    ),
]


def table(of_this_run=None):
    """The rows in Markdown; with a column more where a run's figures are known."""
    head = ["part", "version", "proved", "differs"] + (["this run"] if of_this_run else [])
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for part, version, proved, differs, tests in ROWS:
        cells = [part, version, proved, differs] + ([of_this_run(tests)] if of_this_run else [])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figures(tests, requests):
    """A function from a file of tests to what became of them in this run."""
    cases = {}
    for case in (case for file in tests for case in ElementTree.parse(file).iter("testcase")):
        skipped = case.find("skipped")
        if skipped is not None:
            outcome = "skipped", skipped.get("message", "")
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed", ""
        else:
            outcome = "passed", ""
        # `tests.real.test_moto.TestBuckets` is of test_moto.
        module = next(part for part in case.get("classname").split(".") if part.startswith("test_"))
        cases.setdefault(module, []).append(outcome)

    def told(module):
        if module == "requests":
            return f"{requests['requests']} requests of {requests['operations']} operations, {requests['violations']} violations"
        found = cases.get(module, [])
        counts = [f"{len([1 for kind, _ in found if kind == word])} {word}" for word in ("passed", "failed", "skipped")]
        why = sorted({why for kind, why in found if kind == "skipped" and why.startswith("NOT PROVED")})
        return "; ".join([", ".join(count for count in counts if not count.startswith("0 ")) or "not run", *why])

    return told


def main():
    parser = argparse.ArgumentParser(description="the table of docs/fidelity.md")
    parser.add_argument("--write", action="store_true", help="put it into the page")
    parser.add_argument("--tests", nargs="+", help="JUnit XML of the runs")
    parser.add_argument("--requests", help="JSON of check_requests.py")
    arguments = parser.parse_args()
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    made = head + BEGIN + "\n" + table() + "\n" + END + rest.split(END, 1)[1]
    if arguments.write:
        PAGE.write_text(made)
        return
    if arguments.tests:
        requests = json.loads(pathlib.Path(arguments.requests).read_text())
        print(table(figures(arguments.tests, requests)))
        only_aws = page.split("## What only AWS itself can show\n", 1)[1].split("\n## ", 1)[0]
        print("What only AWS itself can show, and nothing above does:\n" + only_aws)
    if made != page:
        sys.exit("docs/fidelity.md is out of date: python tests/real/fidelity.py --write")


if __name__ == "__main__":
    main()
