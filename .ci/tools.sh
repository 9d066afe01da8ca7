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
