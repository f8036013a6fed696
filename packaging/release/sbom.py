"""The bill of materials in the form of CycloneDX 1.6: what the executable contains."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

NAMESPACE: Final = uuid.UUID("6f1d2c55-6a0e-5e0b-9d0a-0c9b8a5d7e41")
"""Of the serial numbers of our bills, which are made from what is in them."""


def bill_of_materials(about: Mapping[str, Any]) -> str:
    """Return the bill of one executable, by its manifest."""
    version = about["version"]
    root = f"pkg:generic/bakend@{version}"
    components = [component(part) for part in about["components"]]
    # One bill serves every target of a version: it names the interpreter, not the processor.
    content = {
        "metadata": {
            "timestamp": about["builtAt"],
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "bakend",
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "MIT"}}],
                "properties": [{"name": "bakend:commit", "value": about["commit"]}],
            },
        },
        "components": components,
        "dependencies": [
            {"ref": root, "dependsOn": sorted(part["bom-ref"] for part in components)}
        ],
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(content, sort_keys=True))
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **content,
    }
    return json.dumps(bill, indent=2, ensure_ascii=False) + "\n"


def component(part: Mapping[str, str]) -> dict[str, Any]:
    """Return one part as CycloneDX has it."""
    terms = part["licence"]
    is_one = " " not in terms
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{part['purl']}#{part['name']}",
        "name": part["name"],
        "purl": part["purl"],
        "licenses": [{"license": {"id": terms}} if is_one else {"expression": terms}],
    }
    if part["version"]:
        found["version"] = part["version"]
    return found
