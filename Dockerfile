# The image of the Action and of `netpol-review` for everybody else.
#
# The base images and where the renderers come from are arguments, for registries of one's own and for builds
# without any:
#
#   docker build -t netpol-review .                                       compiles in BUILD_IMAGE
#   docker build -t netpol-review --build-arg BINARY=prebuilt .           copies dist/netpol-review
#   docker build -t netpol-review --build-arg TOOLS=provided .            copies dist/kubectl and dist/helm
#   docker build -t netpol-review --build-arg BUILD_IMAGE=... --build-arg BASE_IMAGE=... .

ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim
# Where the program comes from: the stage `build` or the stage `prebuilt`.
ARG BINARY=build
# Where kubectl and helm come from: the stage `download` or the stage `provided`.
ARG TOOLS=download

FROM ${BUILD_IMAGE} AS build
# The target is spelled out so that the flag stays away from build scripts and macros.
ARG TARGET=x86_64-unknown-linux-gnu
ENV RUSTFLAGS="-C target-feature=+crt-static"
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches/generate.rs benches/
COPY src src
RUN cargo build --release --locked --bin netpol-review --target "${TARGET}" \
    && install -D "target/${TARGET}/release/netpol-review" /dist/netpol-review

FROM scratch AS prebuilt
COPY dist/netpol-review /dist/netpol-review

# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS download
# The checksums are those of the programs themselves. Another version, or another architecture, is four arguments.
ARG KUBECTL_URL=https://dl.k8s.io/release/v1.37.1/bin/linux/amd64/kubectl
ARG KUBECTL_SHA256=65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8
ARG HELM_URL=https://get.helm.sh/helm-v4.3.1-linux-amd64.tar.gz
ARG HELM_SHA256=b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd
WORKDIR /tools
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
RUN curl --fail --silent --show-error --location --proto '=https' --output kubectl "${KUBECTL_URL}" \
    && curl --fail --silent --show-error --location --proto '=https' --output /tmp/helm.tar.gz "${HELM_URL}" \
    && tar -xzf /tmp/helm.tar.gz --strip-components=1 --no-same-owner --wildcards '*/helm' \
    && printf '%s  %s\n' "${KUBECTL_SHA256}" kubectl "${HELM_SHA256}" helm >/tmp/sums \
    && sha256sum --check --strict /tmp/sums \
    && chmod 0755 kubectl helm

FROM scratch AS provided
COPY dist/kubectl dist/helm /tools/

# hadolint ignore=DL3006
FROM ${TOOLS} AS tools

# Some builders know stages in FROM only, not in COPY --from with an argument.
# hadolint ignore=DL3006
FROM ${BINARY} AS binary

# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS final
# The program reads repositories through git, and talks to GitHub over TLS. Versions are those of the
# base image's release, which is what its security updates are for.
# hadolint ignore=DL3008
RUN command -v git >/dev/null && test -e /etc/ssl/certs/ca-certificates.crt \
    || { apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/*; }
# The workspace that a runner mounts belongs to somebody else, which git refuses by default. Only
# objects are read of it, never its hooks, filters or checkout.
RUN git config --system --add safe.directory '*'
# What builds kustomizations and renders charts; the tests run with the very same programs.
COPY --from=tools /tools/ /usr/local/bin/
COPY --from=binary /dist/netpol-review /usr/local/bin/netpol-review

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="netpol-review" \
      org.opencontainers.image.description="Tells a team what a pull request opens: exact reachability diff of Kubernetes NetworkPolicies" \
      org.opencontainers.image.source="https://github.com/netpol-review/netpol-review" \
      org.opencontainers.image.documentation="https://github.com/netpol-review/netpol-review/blob/main/docs/action.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# No USER: a runner mounts files that root alone may write. Whoever runs the image as a server sets
# the user there; the program needs no rights of its own.
ENTRYPOINT ["/usr/local/bin/netpol-review"]
