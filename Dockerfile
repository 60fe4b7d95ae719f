# The image of wsrig: one static binary on nothing. It plays every part that needs no
# other program: chat node, load generator, reports.
#
#   docker build -t wsrig:dev .   builds the binary too, and needs only Docker, with BuildKit
#                                 (the default since Docker 23; before, DOCKER_BUILDKIT=1)
#   make image                    packs bin/wsrig, with any Docker and without a registry

ARG GO_IMAGE=golang:1.26-alpine

FROM scratch AS base
# No name, as there is no /etc/passwd: the user that is nobody elsewhere.
USER 65534:65534
EXPOSE 8080
# Ready, and not only alive: a node that has lost Redis should get no new clients.
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s --retries=2 \
    CMD ["/wsrig", "healthcheck", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/wsrig"]
CMD ["chatnode", "--bus", "none", "--listen", ":8080"]

# This stage stands before the build, so that a builder that goes from top to bottom,
# as that of Docker 20, packs without building.
FROM base AS packed
COPY bin/wsrig /wsrig

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.stamped=${VERSION}" -o /wsrig ./cmd/wsrig

FROM base
COPY --from=build /wsrig /wsrig
