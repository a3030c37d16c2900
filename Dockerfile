# zitadel-siem, one static binary in an empty image:
#
#   docker build -t zitadel-siem .
#   docker run --read-only -v state:/var/lib/zitadel-siem \
#     -v ./config.yaml:/etc/zitadel-siem/config.yaml:ro -v ./token:/etc/zitadel-siem/token:ro zitadel-siem
#
# `make release` makes the same image for amd64 and arm64 without a container engine.
# Pin the compiler for a build that others can repeat:
# --build-arg GO_IMAGE=golang@sha256:...
ARG GO_IMAGE=golang:1.26-bookworm

FROM ${GO_IMAGE} AS build
ARG VERSION
WORKDIR /src
COPY . .
RUN OUT=/out ./build.sh sidecar \
    && mkdir -p /root-of-image/usr/bin /root-of-image/usr/share/doc/zitadel-siem /root-of-image/etc/zitadel-siem \
    && cp /out/zitadel-siem /root-of-image/usr/bin/ \
    && cp LICENSE NOTICE /root-of-image/usr/share/doc/zitadel-siem/ \
    && mkdir -m 1777 /root-of-image/tmp \
    && mkdir -m 700 /state

FROM scratch
COPY --from=build /root-of-image/ /
# A new volume takes the owner of this directory.
COPY --from=build --chown=65532:65532 /state /var/lib/zitadel-siem
USER 65532:65532
WORKDIR /var/lib/zitadel-siem
ENTRYPOINT ["/usr/bin/zitadel-siem"]
CMD ["pull", "--config", "/etc/zitadel-siem/config.yaml"]
LABEL org.opencontainers.image.title="zitadel-siem" \
      org.opencontainers.image.source="https://github.com/zitadel-siem/zitadel-siem" \
      org.opencontainers.image.licenses="Apache-2.0"
