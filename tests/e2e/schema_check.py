"""A small checker of JSON values against the schemas in share/schema, with what they use of JSON Schema and nothing more.

Strict: an object whose properties are listed may hold no other, though the schema allows it to readers. So a new key that
nobody described is found.
"""

import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}
KNOWN = {"$schema", "title", "description", "$defs", "$ref", "oneOf", "anyOf", "const", "enum", "type", "properties", "required",
         "additionalProperties", "items", "minItems", "maxItems", "minimum", "pattern"}


def is_type(value, name):
    if name in ("integer", "number"):
        return not isinstance(value, bool) and isinstance(value, int if name == "integer" else (int, float))
    return isinstance(value, TYPES[name])


def faults(value, schema, root, where="$"):
    """Sentences about what is wrong; [] if nothing is."""
    assert set(schema) <= KNOWN, f"{where}: the checker does not know {set(schema) - KNOWN}"
    if "$ref" in schema:
        return faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    for word, fits in (("oneOf", lambda n: n == 1), ("anyOf", lambda n: n >= 1)):
        if word in schema:
            tried = [faults(value, choice, root, where) for choice in schema[word]]
            return [] if fits(tried.count([])) else [f"{where}: {tried.count([])} choices fit"] + min(tried, key=len)
    if "const" in schema and value != schema["const"]:
        return [f"{where}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is not one of {schema['enum']}"]
    if "type" in schema and not is_type(value, schema["type"]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found = []
    if isinstance(value, dict):
        found += object_faults(value, schema, root, where)
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{where}: {len(value)} items")
        for at, item in enumerate(value):
            found += faults(item, schema.get("items", {}), root, f"{where}[{at}]")
    elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{where}: {value!r} does not fit {schema['pattern']}")
    elif is_type(value, "number") and value < schema.get("minimum", value):
        found.append(f"{where}: {value} is below {schema['minimum']}")
    return found


def object_faults(value, schema, root, where):
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{where}: {key} is missing" for key in schema.get("required", ()) if key not in value]
    for key, item in value.items():
        if key in known:
            found += faults(item, known[key], root, f"{where}.{key}")
        elif isinstance(others, dict):
            found += faults(item, others, root, f"{where}.{key}")
        elif known:
            found.append(f"{where}: {key} is not in the schema")
    return found
