#!/usr/bin/env bash
# One request to every route of the test GitHub, and to those that refuse with errors that GitHub's
# description knows. Run by tests/github/prism.sh.
set -euo pipefail

readonly repository="/repos/octo/shop"
token=$GITHUB_TOKEN

# METHOD PATH STATUS [JSON]: prints the answer, fails on another status.
ask() {
    local answer status arguments=()
    if [ $# -gt 3 ]; then
        arguments=(--header "content-type: application/json" --data "$4")
    fi
    answer=$(curl -sS --request "$1" --header "authorization: Bearer $token" \
        --write-out '\n%{http_code}' "${arguments[@]}" "$GITHUB_API_URL$2")
    status=${answer##*$'\n'}
    if [ "$status" != "$3" ]; then
        printf '%s %s: %s instead of %s\n%s\n' "$1" "$2" "$status" "$3" "${answer%$'\n'*}" >&2
        return 1
    fi
    printf '%s' "${answer%$'\n'*}"
}

# The same, and prints the answer's id only.
id() {
    ask "$@" | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'
}

{
    ask GET /rate_limit 200
    ask GET /user 403
    token=person ask GET /user 200
    ask GET "$repository" 200
    ask GET "$repository/pulls?state=open&per_page=100" 200
    ask GET "$repository/pulls/1" 200
    ask GET "$repository/pulls/2" 404
    ask GET "$repository/compare/main...$HEAD_SHA" 200
    ask GET "$repository/compare/main...nowhere" 404

    comments="$repository/issues/1/comments"
    comment=$(id POST "$comments" 201 '{"body": "one"}')
    ask POST "$comments" 201 '{"body": "two"}'
    long=$(printf '%065537d' 0)
    ask POST "$comments" 422 "{\"body\": \"$long\"}"
    ask GET "$comments?per_page=1&page=2" 200
    ask GET "$repository/issues/comments/$comment" 200
    ask PATCH "$repository/issues/comments/$comment" 200 '{"body": "three"}'
    ask DELETE "$repository/issues/comments/$comment" 204
    ask GET "$repository/issues/comments/$comment" 404

    review() {
        printf '{"commit_id": "%s", "event": "COMMENT", "body": "seen", "comments":
            [{"path": "a.txt", "line": %d, "side": "RIGHT", "body": "here"}]}' "$HEAD_SHA" "$1"
    }
    ask POST "$repository/pulls/1/reviews" 200 "$(review 10)"
    ask POST "$repository/pulls/1/reviews" 422 "$(review 20)"
    ask GET "$repository/pulls/1/reviews" 200
    on() {
        printf '{"commit_id": "%s", "path": "a.txt", "body": "there", %s}' "$HEAD_SHA" "$1"
    }
    inline="$repository/pulls/1/comments"
    first=$(id POST "$inline" 201 "$(on '"line": 11, "side": "RIGHT", "start_line": 9')")
    ask POST "$inline" 201 "$(on '"subject_type": "file"')"
    ask POST "$inline" 422 "$(on '"line": 20, "side": "LEFT"')"
    ask POST "$inline/$first/replies" 201 '{"body": "yes"}'
    ask GET "$inline?per_page=100" 200
    ask GET "$repository/pulls/comments/$first" 200
    ask PATCH "$repository/pulls/comments/$first" 200 '{"body": "no"}'
    ask DELETE "$repository/pulls/comments/$first" 204

    annotation='{"path": "a.txt", "start_line": 10, "end_line": 10, "annotation_level": "warning",
        "message": "here"}'
    output="{\"title\": \"t\", \"summary\": \"s\", \"annotations\": [$annotation]}"
    run=$(id POST "$repository/check-runs" 201 \
        "{\"name\": \"reach\", \"head_sha\": \"$HEAD_SHA\", \"status\": \"in_progress\"}")
    ask PATCH "$repository/check-runs/$run" 200 \
        "{\"status\": \"completed\", \"conclusion\": \"neutral\", \"output\": $output}"
    ask GET "$repository/check-runs/$run" 200
    ask GET "$repository/check-runs/$run/annotations" 200
    ask GET "$repository/commits/$HEAD_SHA/check-runs?check_name=reach&filter=latest" 200
    ask POST "$repository/statuses/$HEAD_SHA" 201 '{"state": "success", "context": "reach"}'

    other=$(id POST "$comments" 201 '{"body": "four"}')
    ask POST "$repository/issues/comments/$other/reactions" 201 '{"content": "eyes"}'
    ask POST "$repository/issues/comments/$other/reactions" 200 '{"content": "eyes"}'
    ask GET "$repository/pulls/1/files" 200
    ask GET "$repository/commits/$HEAD_SHA/pulls" 200
    ask GET "$repository/collaborators/somebody/permission" 200

    # An App, whose installation is told of another pull request and does not hear it.
    curl -fsS --data '{"repository": "octo/shop", "number": 3, "head": "feature", "base": "main"}' \
        "$GITHUB_SERVER_URL/_pulls"
    sleep 1
    token=$APP_JWT
    ask GET /app 200
    ask GET /app/installations 200
    ask GET /app/installations/7 200
    ask GET /app/installations/8 404
    ask GET '/app/hook/deliveries?per_page=1' 200
    delivery=$(ask GET '/app/hook/deliveries?status=failure' 200 |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')
    ask GET "/app/hook/deliveries/$delivery" 200
    ask POST "/app/hook/deliveries/$delivery/attempts" 202
    tokens=/app/installations/7/access_tokens
    ask POST "$tokens" 422 '{"repositories": ["nothing"]}'
    ask POST "$tokens" 201
    token=$(ask POST "$tokens" 201 '{"repositories": ["shop"], "permissions": {"members": "read"}}' |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
    ask GET /installation/repositories 200
    ask GET /orgs/octo/teams/network/memberships/somebody 404
    ask GET /app 401
    ask GET "$repository/pulls/1" 403
} >/dev/null
