# The image: one static binary, the certificates it needs to trust Harness, and a folder for the
# store. There is no shell in it; `harness-exporter health` asks whether it is well.

FROM docker.io/library/rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# Another profile builds faster and runs slower.
ARG PROFILE=release
# What harness_exporter_build_info is to say of the source.
ARG REVISION=unknown
# The target is named so that the flags hold for the program alone, not for what builds it.
RUN RUSTFLAGS="-C target-feature=+crt-static" HARNESS_EXPORTER_REVISION="$REVISION" \
    cargo install --locked --no-track --path . --root /image --profile "$PROFILE" \
    --target "$(rustc --print host-tuple)"
# For the store, and for what the demonstration keeps.
RUN mkdir /image/data /image/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /image/data /data
COPY --from=build --chown=65532:65532 /image/tmp /tmp
COPY --from=build /image/bin/harness-exporter /
# For `demo`; `serve` wants one with your account in it.
COPY config.yaml /
USER 65532:65532
# The config's storage is relative: /data/harness-exporter.db.
WORKDIR /
VOLUME /data
EXPOSE 10427
HEALTHCHECK CMD ["/harness-exporter", "health"]
ENTRYPOINT ["/harness-exporter"]
CMD ["serve"]
