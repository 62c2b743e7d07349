"""Writes emulator/src/models/table.json: what AWS's models say of the requests that the emulator answers.

    python tests/real/generate_models.py          writes it
    python tests/real/generate_models.py --check  fails where it is not what botocore's models make

The emulator reads it in emulator/src/models.rs, where the form is described.
"""

import json
import pathlib
import re
import sys

import aws_models

TABLE = aws_models.ROOT / "emulator/src/models/table.json"
# Where the emulator has each service; an operation that it answers stands there by its name.
MODULES = {
    "firehose": "firehose",
    "iam": "iam",
    "logs": "logs",
    "opensearch": "opensearch",
    "s3": "s3",
    "sts": "sts",
    "resourcegroupstaggingapi": "tagging",
}


class Shapes:
    """The shapes that a service's requests are made of, by name."""

    def __init__(self, service):
        self.service = service
        self.table = {}

    def add(self, shape, name=None):
        """Takes a shape in with all that it is made of, and returns its name."""
        name = name or shape.name
        if name not in self.table:
            self.table[name] = None
            self.table[name] = self.described(shape)
        return name

    def described(self, shape):
        kind = shape.type_name
        if kind == "structure":
            members = {
                name: member for name, member in shape.members.items() if not member.serialization.get("location")
            }
            described = {"type": "structure", "members": {}}
            for name, member in members.items():
                wire = member.serialization.get("name", name)
                is_flat = member.type_name == "list" and member.serialization.get("flattened", False)
                if is_flat and "name" not in member.serialization:
                    wire = member.member.serialization.get("name", name)
                entry = {"shape": self.add(member)}
                if is_flat:
                    entry["flattened"] = True
                if name in shape.required_members:
                    entry["required"] = True
                if member.serialization.get("xmlAttribute"):
                    wire = wire.partition(":")[2]
                    entry["attribute"] = True
                described["members"][wire] = entry
            return described
        described = {"type": kind}
        for bound in ("min", "max"):
            if bound in shape.metadata:
                described[bound] = shape.metadata[bound]
        if kind == "list":
            described["item"] = self.add(shape.member)
            if "name" in shape.member.serialization:
                described["item_name"] = shape.member.serialization["name"]
        elif kind == "map":
            described["key"] = self.add(shape.key)
            described["value"] = self.add(shape.value)
        elif kind == "string":
            stand_in = aws_models.lagging(self.service, shape.name)
            pattern = shape.metadata.get("pattern")
            if stand_in:
                described["pattern"] = {"shown": stand_in, "fits": aws_models.rust_pattern(stand_in)}
            elif shape.enum:
                described["one_of"] = list(shape.enum)
            elif pattern and aws_models.rust_pattern(pattern):
                described["pattern"] = pattern_entry(pattern)
            if shape.metadata.get("sensitive"):
                described["sensitive"] = True
        return {"type": described.pop("type"), **described}


def pattern_entry(pattern):
    translated = aws_models.rust_pattern(pattern)
    if isinstance(translated, list):
        return {"shown": pattern, "begins_not": translated[0], "fits": translated[1]}
    return {"shown": pattern, "fits": translated}


def operation_entry(operation, shapes):
    shape = operation.input_shape
    entry = {}
    if shape is None:
        return entry
    uri, _, query = operation.http["requestUri"].partition("?")
    outside = []
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if not location:
            continue
        place = {"uri": "label", "querystring": "query", "header": "header", "headers": "headers"}[location]
        wire = member.serialization.get("name", name)
        described = {"place": place, "name": wire.lower() if place.startswith("header") else wire}
        described["shape"] = shapes.add(member)
        if name in shape.required_members:
            described["required"] = True
        outside.append(described)
    if outside:
        entry["outside"] = outside
    if "{" in uri:
        entry["uri"] = uri
    if query:
        entry["query"] = [pair.partition("=")[0] for pair in query.split("&")]
    payload = shape.serialization.get("payload")
    if payload:
        member = shape.members[payload]
        if member.type_name == "structure":
            entry["document"] = member.serialization.get("name", payload)
            entry["body"] = shapes.add(member)
        else:
            # Bytes or text that no model describes.
            entry["opaque"] = True
        if payload in shape.required_members:
            entry["required"] = True
    elif any(not member.serialization.get("location") for member in shape.members.values()):
        entry["body"] = shapes.add(shape)
    return entry


def answered_operations(service):
    """The operations of a service that the emulator's code names."""
    folder = aws_models.ROOT / "emulator/src"
    module = MODULES[service]
    files = [folder / f"{module}.rs", *sorted((folder / module).rglob("*.rs"))]
    text = "".join(path.read_text() for path in files if path.exists())
    named = set(re.findall(r'"([A-Z][A-Za-z0-9]+)"', text))
    return [name for name in aws_models.model(service).operation_names if name in named]


def table():
    services = {}
    patterns = set()
    for service in sorted(MODULES):
        model = aws_models.model(service)
        shapes = Shapes(service)
        operations = {
            name: operation_entry(model.operation_model(name), shapes) for name in answered_operations(service)
        }
        services[service] = {
            "protocol": model.metadata["protocol"],
            "operations": operations,
            "shapes": dict(sorted(shapes.table.items())),
        }
        patterns.update(
            pattern
            for shape in model.shape_names
            for pattern in [model.shape_for(shape).metadata.get("pattern")]
            if shape in shapes.table and pattern
        )
    check_that_exceptions_are_needed(services, patterns)
    used = set(re.findall(r"\\p\{(\w+)\}", json.dumps(services).replace("\\\\", "\\")))
    return {
        "categories": {name: aws_models.category(name) for name in sorted(used)},
        "services": services,
    }


def check_that_exceptions_are_needed(services, patterns):
    exceptions = aws_models.exceptions()
    for service, enums in exceptions["lagging_enums"].items():
        for name in enums:
            if name not in services[service]["shapes"] or not aws_models.model(service).shape_for(name).enum:
                raise ValueError(f"{aws_models.EXCEPTIONS.name}: {name} is no enum that a request holds")
    for kind in ("unchecked_patterns", "rewritten_patterns"):
        for pattern in exceptions[kind].keys() - patterns:
            raise ValueError(f"{aws_models.EXCEPTIONS.name}: no request holds {pattern}")


def text():
    """The table, one operation or shape a line."""
    made = table()
    lines = ["{", '"categories": {']
    lines.append(",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in made["categories"].items()))
    lines.append('},\n"services": {')
    services = []
    for service, parts in made["services"].items():
        entries = [f'{json.dumps(service)}: {{\n"protocol": {json.dumps(parts["protocol"])}']
        for section in ("operations", "shapes"):
            inner = ",\n".join(
                f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in parts[section].items()
            )
            entries.append(f'"{section}": {{\n{inner}\n}}')
        services.append(",\n".join(entries) + "\n}")
    lines.append(",\n".join(services))
    lines.append("}\n}")
    return "\n".join(lines) + "\n"


def main():
    made = text()
    if "--check" in sys.argv[1:]:
        if not TABLE.exists() or TABLE.read_text() != made:
            print(f"{TABLE.relative_to(aws_models.ROOT)} is out of date: python tests/real/generate_models.py")
            return 1
        return 0
    TABLE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
