#!/usr/bin/env bash
# Fills fuzz/corpus: from the fixtures each manifest for `reader`, and for `diff` each fixture with its two
# sides joined by a NUL byte.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p fuzz/corpus/reader fuzz/corpus/diff fuzz/corpus/webhook

find fixtures tests -type f \( -name '*.yaml' -o -name '*.yml' -o -name '*.json' \) -size -64k | while read -r file; do
    cp "$file" "fuzz/corpus/reader/${file//\//_}"
done
find fixtures -type d -name before | while read -r before; do
    after=$(dirname "$before")/after
    # All files of a side are one stream of documents: most policies need their workloads beside them.
    side() { find "$1" -type f -name '*.yaml' | sort | while read -r file; do cat "$file"; printf '\n---\n'; done; }
    name=$(dirname "$before")
    { side "$before"; printf '\0'; side "$after"; } >"fuzz/corpus/diff/${name//\//_}"
done
# The webhooks of tests/server/payloads.py, if they are there.
python3 - <<'PYTHON'
import json, pathlib
path = pathlib.Path("target/webhook-examples.json")
for event in json.loads(path.read_text()) if path.exists() else []:
    for number, example in enumerate(event["examples"]):
        example.setdefault("installation", {"id": 1})
        text = event["name"] + "\0" + json.dumps(example)
        pathlib.Path(f"fuzz/corpus/webhook/{event['name']}-{number}").write_text(text)
PYTHON
find fuzz/corpus -type f | wc -l
