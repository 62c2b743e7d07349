"""The table of docs/fidelity.md: what was proved on which part, and what differs.

    python tests/real/fidelity.py --tests tests.xml --requests requests.json    # prints it with the figures of this run
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


# Part, version, what was proved, what differs, and the file of the tests that prove it.
ROWS = []


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
    for case in ElementTree.parse(tests).iter("testcase"):
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
    parser.add_argument("--tests", help="JUnit XML of a run")
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
    if made != page:
        sys.exit("docs/fidelity.md is out of date: python tests/real/fidelity.py --write")


if __name__ == "__main__":
    main()
