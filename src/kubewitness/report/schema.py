"""The published JSON schemas: `python -m kubewitness.report.schema` writes them beside this file.

They are generated from the types of `report.document` and `model.posture`, so they cannot say something else than the
program does. A report always carries every key, also where the type has a default; the schemas therefore require them
all. Unknown keys are allowed, so that a reader written for 1.0 also reads 1.1.

Source: JSON Schema 2020-12; `msgspec.json.schema`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from kubewitness.model.posture import PostureReport
from kubewitness.report.check.document import SCHEMA_VERSION as CHECK_VERSION
from kubewitness.report.document import SCHEMA_VERSION, Document

PATH = Path(__file__).with_name("report.schema.json")
CHECK_PATH = Path(__file__).with_name("check.schema.json")


def generate() -> bytes:
    """The schema of an investigation's report, as indented JSON."""
    return _schema(Document, f"Kubewitness report {SCHEMA_VERSION}")


def generate_check() -> bytes:
    """The schema of a check's report, as indented JSON."""
    return _schema(PostureReport, f"Kubewitness check {CHECK_VERSION}")


def _schema(of: type[msgspec.Struct], title: str) -> bytes:
    generated: dict[str, Any] = msgspec.json.schema(of)
    for definition in generated["$defs"].values():
        properties: dict[str, dict[str, Any]] = definition.get("properties", {})
        if properties:
            definition["required"] = list(properties)
        for prop in properties.values():
            prop.pop("default", None)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **generated,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False).encode() + b"\n"


def main() -> None:
    """Write the file."""
    for path, content in ((PATH, generate()), (CHECK_PATH, generate_check())):
        path.write_bytes(content)
        sys.stdout.write(f"wrote {path.name}\n")


if __name__ == "__main__":
    main()
