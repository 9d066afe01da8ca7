#!/usr/bin/env bash
# The test GitHub behind Prism, an independent judge of GitHub's OpenAPI description.
#
#     tests/github/prism.sh [COMMAND [ARGUMENT]...]
#
# Starts the test GitHub with a small repository `octo/shop` and its pull request 1, puts Prism in
# front, and runs the command with GITHUB_API_URL (Prism), GITHUB_SERVER_URL and GITHUB_GRAPHQL_URL
# (the server itself; git and GraphQL are no part of the description), GITHUB_TOKEN and HEAD_SHA.
# Without a command it walks through the routes, and then lets the program review the pull request, which
# opens something. Ends with 1 if the command failed or if Prism, or
# the server's own check, found a request or an answer that GitHub does not know.
# TEST_GITHUB is the server's program, where it is not the example that Cargo builds.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly version=5.16.0
readonly description=target/github-openapi.json
readonly fixture=$PWD/fixtures/shop
readonly program=target/release/netpol-review
readonly prism="target/prism-$version"
server=${TEST_GITHUB:-target/release/examples/test-github}

tests/github/openapi.py
if [ ! -x "$prism/node_modules/.bin/prism" ]; then
    mkdir -p "$prism"
    # The dependencies' install scripts only report usage.
    npm install --silent --no-save --no-audit --no-fund --ignore-scripts \
        --prefix "$prism" "@stoplight/prism-cli@$version" >/dev/null
fi
if [ -z "${TEST_GITHUB:-}" ]; then
    cargo build --release --locked --quiet --example test-github
fi

work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

# Waits for a line of a log and gives the last word of it.
listening() {
    for _ in $(seq 150); do
        if grep -qi 'listening on' "$1"; then
            grep -i 'listening on' "$1" | grep -o 'http://[0-9.:]*' | head -n 1
            return
        fi
        sleep 0.2
    done
    echo "no answer; see:" >&2
    cat "$1" >&2
    return 1
}

repository() {
    git init -q -b main "$work/shop"
    cd "$work/shop"
    git config user.name Somebody
    git config user.email somebody@example.com
    seq 40 >a.txt
    cp -r "$fixture/before" k8s
    git add -A
    git commit -q -m begin
    git checkout -q -b feature
    sed -i 's/^10$/ten/' a.txt
    rm -r k8s
    cp -r "$fixture/after" k8s
    git add -A
    git commit -q -m change
    git clone -q --bare . "$work/shop.git"
}
(repository)
HEAD_SHA=$(git -C "$work/shop.git" rev-parse feature)
echo '{"repository": "octo/shop", "number": 1, "head": "feature", "base": "main"}' >"$work/pull.json"

# An App whose events go where nobody listens, and a JSON Web Token of it.
APP_JWT=$(node - "$work/app.json" <<'END'
const crypto = require("node:crypto");
const options = { modulusLength: 2048, publicKeyEncoding: { type: "spki", format: "pem" } };
const { publicKey, privateKey } = crypto.generateKeyPairSync("rsa", options);
const permissions = { contents: "read", checks: "write", members: "read", pull_requests: "write" };
const installation = { id: 7, account: "octo", repositories: ["octo/shop"], permissions };
const app = { id: 1, slug: "reviewer", public_keys: [publicKey], webhook_secret: "secret",
              webhook_url: "http://127.0.0.1:9/", installations: [installation] };
require("node:fs").writeFileSync(process.argv[2], JSON.stringify(app));
const now = Math.floor(Date.now() / 1000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = { iss: 1, iat: now - 60, exp: now + 540 };
const message = `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}`;
const signature = crypto.sign("sha256", Buffer.from(message), privateKey).toString("base64url");
console.log(`${message}.${signature}`);
END
)

"$server" --repo "octo/shop=$work/shop.git" --pull "$work/pull.json" --app "$work/app.json" \
    --token person=personal=maintainer >"$work/server.log" 2>&1 &
pids+=($!)
direct=$(listening "$work/server.log")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$prism/node_modules/.bin/prism" proxy --errors --port "$port" "$description" "$direct" \
    >"$work/prism.log" 2>&1 &
pids+=($!)
GITHUB_API_URL=$(listening "$work/prism.log")
export GITHUB_API_URL HEAD_SHA APP_JWT GITHUB_SERVER_URL=$direct GITHUB_GRAPHQL_URL=$direct/graphql
export GITHUB_TOKEN=test-token

status=0
if [ $# -gt 0 ]; then
    "$@" || status=1
else
    tests/github/walk.sh || status=1
    # Two reviews: the first makes everything, the second finds it again.
    for run in 1 2; do
        code=0
        GITHUB_RUN_ID=$run "$program" pr --repo octo/shop --number 1 >"$work/review.log" 2>&1 || code=$?
        if [ "$code" -ne 10 ] || grep '^warning' "$work/review.log"; then
            cat "$work/review.log" >&2
            status=1
        fi
    done
fi

# Errors that the description leaves out are warnings about the status, and no violations.
violations=$(grep -E 'Request terminated with error|Violation: ' "$work/prism.log" |
    grep -v 'Unable to match the returned status code' || true)
own=$(curl -fsS "$direct/_state" |
    python3 -c 'import json, sys; print("\n".join(json.load(sys.stdin)["violations"]))')
forwarded=$(grep -c 'Received forward response' "$work/prism.log" || true)
if [ -n "$violations$own" ]; then
    printf 'not as GitHub has it:\n%s\n%s\n' "$violations" "$own" >&2
    status=1
fi
# Where nothing came through, nothing was judged.
if [ "$forwarded" -eq 0 ]; then
    echo "no request went through Prism" >&2
    status=1
fi
if [ "$status" -ne 0 ]; then
    echo "failed" >&2
    exit 1
fi
echo "Prism let $forwarded exchanges through without a violation"
