#!/usr/bin/env python3
"""Cuts GitHub's OpenAPI description down to the routes that the test GitHub answers.

    tests/github/openapi.py [target/github-openapi.json]

Takes the description from the npm package @octokit/openapi (MIT), which `npm pack` fetches into
target/ and checks against the registry's digest, and that of the events that are sent to Apps from
@octokit/openapi-webhooks; those are put below `x-webhooks`, by event and action, with components of
their own. Does nothing where the result is there already.
Schemas stay as they are, so that one file serves the tests (tests/github/server/openapi.rs) and
Prism (tests/github/prism.sh).
"""

import json
import pathlib
import subprocess
import sys
import tarfile

VERSION = "23.0.2"
EVENTS_VERSION = "12.1.0"
REPOSITORY = "/repos/{owner}/{repo}"
ROUTES = {
    "/app": ["get"],
    "/app/hook/deliveries": ["get"],
    "/app/hook/deliveries/{delivery_id}": ["get"],
    "/app/hook/deliveries/{delivery_id}/attempts": ["post"],
    "/app/installations": ["get"],
    "/app/installations/{installation_id}": ["get"],
    "/app/installations/{installation_id}/access_tokens": ["post"],
    "/installation/repositories": ["get"],
    "/orgs/{org}/teams/{team_slug}/memberships/{username}": ["get"],
    "/rate_limit": ["get"],
    "/user": ["get"],
    REPOSITORY: ["get"],
    REPOSITORY + "/pulls": ["get"],
    REPOSITORY + "/pulls/{pull_number}": ["get"],
    REPOSITORY + "/pulls/{pull_number}/comments": ["get", "post"],
    REPOSITORY + "/pulls/{pull_number}/comments/{comment_id}/replies": ["post"],
    REPOSITORY + "/pulls/{pull_number}/files": ["get"],
    REPOSITORY + "/pulls/{pull_number}/reviews": ["get", "post"],
    REPOSITORY + "/pulls/comments/{comment_id}": ["get", "patch", "delete"],
    REPOSITORY + "/compare/{basehead}": ["get"],
    REPOSITORY + "/git/ref/{ref}": ["get"],
    REPOSITORY + "/collaborators/{username}/permission": ["get"],
    REPOSITORY + "/commits/{commit_sha}/pulls": ["get"],
    REPOSITORY + "/commits/{ref}/check-runs": ["get"],
    REPOSITORY + "/check-runs": ["post"],
    REPOSITORY + "/check-runs/{check_run_id}": ["get", "patch"],
    REPOSITORY + "/check-runs/{check_run_id}/annotations": ["get"],
    REPOSITORY + "/statuses/{sha}": ["post"],
    REPOSITORY + "/issues/{issue_number}/comments": ["get", "post"],
    REPOSITORY + "/issues/comments/{comment_id}": ["get", "patch", "delete"],
    REPOSITORY + "/issues/comments/{comment_id}/reactions": ["post"],
}
# Events with their actions; those without an action have the empty one.
EVENTS = {
    "check_run": ["rerequested"],
    "check_suite": ["rerequested"],
    "installation": ["created", "deleted", "suspend", "unsuspend"],
    "installation_repositories": ["added", "removed"],
    "issue_comment": ["created", "edited"],
    "merge_group": ["checks_requested"],
    "ping": [""],
    "pull_request": ["opened", "synchronize", "reopened", "ready_for_review", "edited", "closed"],
    "pull_request_review": ["submitted"],
    "push": [""],
}
# Prose and examples are most of the bytes, and nothing reads them. They are left alone below
# `properties`, where these words are names of fields.
PROSE = {"description", "example", "examples", "externalDocs", "summary", "tags"}


def described(work, package, version):
    """The whole description of a package, fetched unless an earlier run left it."""
    archive = work / f"octokit-{package}-{version}.tgz"
    if not archive.exists():
        command = ["npm", "pack", "--silent", f"@octokit/{package}@{version}"]
        subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(archive) as tar:
        return json.load(tar.extractfile("package/generated/api.github.com.json"))


def bare(value, names=False):
    """The value without prose. `names` says that the keys are names of fields."""
    if isinstance(value, list):
        return [bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, inner in value.items():
        # An answer has to have a description.
        prose = key in PROSE and not (key == "description" and "content" in value)
        if names or not (prose or key.startswith("x-")):
            kept[key] = bare(inner, names=key == "properties" and not names)
    return kept


def references(value):
    """All `$ref`s below a value."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)


def components(whole, value):
    """All components that a value refers to, and those that these refer to."""
    kept = {}
    waiting = list(references(value))
    while waiting:
        kind, name = waiting.pop().removeprefix("#/components/").split("/")
        group = kept.setdefault(kind, {})
        if name not in group:
            group[name] = bare(whole["components"][kind][name])
            if kind == "responses":
                group[name].setdefault("description", "")
            waiting.extend(references(group[name]))
    return kept


def cut(whole):
    """The description of ROUTES and of what they refer to."""
    small = {"openapi": whole["openapi"], "info": {"title": "GitHub, cut down", "version": VERSION}}
    small["paths"] = {}
    for path, methods in ROUTES.items():
        small["paths"][path] = {method: bare(whole["paths"][path][method]) for method in methods}
        for operation in small["paths"][path].values():
            for answer in operation["responses"].values():
                if "$ref" not in answer:
                    answer.setdefault("description", "")
    # The package writes the list's items out, and there an account is a user and an enterprise at once.
    listed = small["paths"]["/app/installations"]["get"]["responses"]["200"]
    listed["content"]["application/json"]["schema"]["items"] = {
        "$ref": "#/components/schemas/installation"
    }
    small["components"] = components(whole, small["paths"])
    return small


def moved(value):
    """The value with references to the components of events, which are not those of the routes."""
    if isinstance(value, list):
        return [moved(item) for item in value]
    if isinstance(value, dict):
        return {key: moved(inner) for key, inner in value.items()}
    if isinstance(value, str) and value.startswith("#/components/"):
        return "#/x-webhooks" + value.removeprefix("#")
    return value


def cut_events(whole):
    """The schemas of EVENTS and of what they refer to."""
    events = {}
    for event, actions in EVENTS.items():
        for action in actions:
            name = "-".join(filter(None, [event, action])).replace("_", "-")
            body = whole["webhooks"][name]["post"]["requestBody"]
            schema = body["content"]["application/json"]["schema"]
            events.setdefault(event, {})[action] = bare(schema)
    return moved({"events": events, "components": components(whole, events)})


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "target/github-openapi.json"
    # A change of this file or of VERSION makes a new description.
    if out.exists() and out.stat().st_mtime > pathlib.Path(__file__).stat().st_mtime:
        return
    work = root / "target/openapi"
    work.mkdir(parents=True, exist_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    small = cut(described(work, "openapi", VERSION))
    small["x-webhooks"] = cut_events(described(work, "openapi-webhooks", EVENTS_VERSION))
    text = json.dumps(small, sort_keys=True)
    part = out.with_suffix(".part")
    part.write_text(text)
    part.replace(out)
    print(f"{out}: {len(text) // 1024} KiB")


main()
