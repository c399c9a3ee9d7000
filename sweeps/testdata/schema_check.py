"""Judges documents by a JSON Schema: reads {"schema": …, "documents": [{"name", "value"}]} and prints {name: what is wrong}."""

import json
import sys

import jsonschema

given = json.load(sys.stdin)
jsonschema.Draft7Validator.check_schema(given["schema"])
validator = jsonschema.Draft7Validator(given["schema"])
verdicts = {}
for document in given["documents"]:
    error = jsonschema.exceptions.best_match(validator.iter_errors(document["value"]))
    verdicts[document["name"]] = "" if error is None else f"{error.json_path}: {error.message}"
json.dump(verdicts, sys.stdout)
