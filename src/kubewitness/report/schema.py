"""The published JSON schema: `python -m kubewitness.report.schema` writes `report.schema.json` beside this file.

It is generated from the types of `report.document`, so it cannot say something else than the program does. The report
always carries every key, also where the type has a default; the schema therefore requires them all. Unknown keys are
allowed, so that a reader written for 1.0 also reads 1.1.

Source: JSON Schema 2020-12; `msgspec.json.schema`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from kubewitness.report.document import SCHEMA_VERSION, Document

PATH = Path(__file__).with_name("report.schema.json")


def generate() -> bytes:
    """The schema as indented JSON."""
    generated: dict[str, Any] = msgspec.json.schema(Document)
    for definition in generated["$defs"].values():
        properties: dict[str, dict[str, Any]] = definition.get("properties", {})
        if properties:
            definition["required"] = list(properties)
        for prop in properties.values():
            prop.pop("default", None)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Kubewitness report {SCHEMA_VERSION}",
        **generated,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False).encode() + b"\n"


def main() -> None:
    """Write the file."""
    PATH.write_bytes(generate())
    sys.stdout.write(f"wrote {PATH.name}\n")


if __name__ == "__main__":
    main()
