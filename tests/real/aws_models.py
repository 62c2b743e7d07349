"""AWS's service models as botocore has them: services, operations, and patterns in the dialects of Python and Rust.

The models' patterns are Java's and hold for the whole value.
"""

import functools
import json
import pathlib
import re
import unicodedata

import botocore.session

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXCEPTIONS = ROOT / "emulator/src/models/exceptions.json"

# Signing name to botocore's name, for every service that ekk calls.
SERVICES = {
    "es": "opensearch",
    "firehose": "firehose",
    "iam": "iam",
    "logs": "logs",
    "s3": "s3",
    "sts": "sts",
    "tagging": "resourcegroupstaggingapi",
}

# Java's `.` matches all but these.
ANY = "[^\\n\\r\\u0085\\u2028\\u2029]"


@functools.cache
def model(service):
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def exceptions():
    return json.loads(EXCEPTIONS.read_text())


def lagging(service, shape_name):
    """The pattern that stands in for an enum that lags behind AWS, if this is one."""
    entry = exceptions()["lagging_enums"].get(service, {}).get(shape_name)
    return entry and entry["pattern"]


@functools.cache
def category(name):
    """The characters of a general category as the inside of a character class.

    By Unicode 3.2, which every Python has whatever its own version: what was assigned later is refused, though Java
    may know it.
    """
    if name == "XDigit":
        return "0-9A-Fa-f"
    ranges = []
    for code in range(0x110000):
        if unicodedata.ucd_3_2_0.category(chr(code)).startswith(name):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    if not ranges:
        raise ValueError(f"no characters are of category {name}")
    return "".join(escaped(first) if first == last else f"{escaped(first)}-{escaped(last)}" for first, last in ranges)


def escaped(code):
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def portable(pattern, expand):
    """A pattern of Java's as Python and Rust read it; the categories are expanded, or left as `\\p{L}`.

    Needless escapes and `.` differ between the dialects. What both read alike stays.
    """
    out = []
    at = 0
    in_class = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            following = pattern[at + 1]
            if following == "p":
                end = pattern.index("}", at)
                name = pattern[at + 3 : end]
                ranges = category(name)
                inside = ranges if expand or name == "XDigit" else f"\\p{{{name}}}"
                out.append(inside if in_class else f"[{inside}]")
                at = end + 1
                continue
            if following == "u":
                out.append(pattern[at : at + 6])
                at += 6
                continue
            if following in "dDwWsS":
                out.append("\\" + following)
                # Java takes a hyphen behind these as one; others see a range that has no beginning.
                if in_class and pattern[at + 2 : at + 3] == "-":
                    out.append("\\-")
                    at += 1
            elif following.isalnum():
                raise ValueError(f"\\{following} in {pattern}")
            elif following in "\\.+*?()|[]{}^$-&~":
                out.append("\\" + following)
            else:
                out.append(following)
            at += 2
            continue
        if char == "[":
            if in_class:
                raise ValueError(f"a class in a class in {pattern}")
            in_class += 1
            # A `]` that comes first would be meant literally by some.
            if pattern[at + 1 : at + 2] == "]":
                raise ValueError(f"a class that begins with ] in {pattern}")
        elif char == "]" and in_class:
            in_class -= 1
        elif char == "." and not in_class:
            char = ANY
        elif in_class and char in "&~" and pattern[at + 1 : at + 2] == char:
            raise ValueError(f"an operation on classes in {pattern}")
        out.append(char)
        at += 1
    return "".join(out)


@functools.cache
def python_pattern(pattern):
    return re.compile(portable(pattern, expand=True), re.ASCII)


def looks_around(pattern):
    return re.search(r"\(\?<?[=!]", pattern) is not None


def rust_pattern(pattern):
    """A pattern for an engine that does not look around: one string, or two for `must not begin with` and the rest.

    None where it cannot be said and stands in the list of exceptions.
    """
    if pattern in exceptions()["unchecked_patterns"]:
        return None
    rewritten = exceptions()["rewritten_patterns"].get(pattern)
    if rewritten:
        return rewritten["pattern"]
    not_first = re.fullmatch(r"\^\(\?!((?:\\.|[^()\\])*)\)(.*)", pattern)
    if not_first and not looks_around(not_first[2]):
        return [portable(not_first[1], expand=False), portable(not_first[2], expand=False)]
    if looks_around(pattern):
        raise ValueError(f"{pattern} looks around: list it in {EXCEPTIONS.name} with a reason")
    return portable(pattern, expand=False)
