#!/usr/bin/env bash
# Holds `diff --format sarif` to the published schema of SARIF 2.1.0: over every fixture, and over
# what cannot be read. Wants the release binary, as its argument or in target/. Needs PyPI and npm.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly program=${1:-target/release/netpol-review}
readonly work=target/ci/sarif
readonly check_jsonschema_version=0.39.0
readonly multitool_version=5.7.0
mkdir -p "$work"

# shellcheck source=.ci/tools.sh
. .ci/tools.sh
python_tool check-jsonschema "$check_jsonschema_version"
npm_package @microsoft/sarif-multitool-linux "$multitool_version"
readonly schema="$npm_dir/@microsoft/sarif-multitool-linux/sarif-2.1.0.json"

rm -rf "$work/out"
mkdir -p "$work/out"
results=0
for fixture in fixtures/*/; do
    name=$(basename "$fixture")
    "$program" diff "$fixture/before" "$fixture/after" --format sarif >"$work/out/$name.sarif"
    results=$((results + $(grep -c '"ruleId"' "$work/out/$name.sarif" || true)))
done

# A file that can't be read after the change, and a name that is no URI as it stands.
mkdir -p "$work/broken/before" "$work/broken/after"
cp fixtures/rule-added/before/* "$work/broken/before/"
cp fixtures/rule-added/before/* "$work/broken/after/"
printf 'kind: NetworkPolicy\n  nonsense: [\n' >"$work/broken/after/a b#[c]:%d.yaml"
"$program" diff "$work/broken/before" "$work/broken/after" --format sarif >"$work/out/broken.sarif"
grep -q '"ruleId": "not-evaluated"' "$work/out/broken.sarif"
grep -q '"uri": "a%20b%23%5Bc%5D%3A%25d.yaml"' "$work/out/broken.sarif"

# A report that holds everything, as the tests of the formats have it; its file begins with a head.
sed '1,/^---$/{1d;/^---$/!d}' tests/render/snapshots/render__formats__sarif_everything.snap |
    sed 1d >"$work/out/everything.sarif"

check-jsonschema --schemafile "$schema" "$work"/out/*.sarif
# The judge must be able to say no.
sed 's/"level": "[a-z]*"/"level": "fatal"/' "$work/out/broken.sarif" >"$work/invalid.sarif"
if check-jsonschema --schemafile "$schema" "$work/invalid.sarif" >/dev/null 2>&1; then
    echo "error: the schema takes a level that does not exist" >&2
    exit 1
fi
printf 'sarif: %d files with %d results are valid\n' "$(find "$work/out" -type f | wc -l)" "$results"
