# The last stage holds the program, the libraries it is linked to, and an empty data folder: no shell, no package
# manager, nothing that runs as root. Run it with a read-only root, without capabilities and without new privileges:
#
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -v rosterd:/data -p 8080:8080 \
#     -e ROSTERD_SERVER__PUBLIC_URL=https://scim.example.com -e ROSTERD_SERVER__TRUSTED_PROXIES=172.17.0.1 rosterd
#
# Beyond loopback the program wants to know its public URL, and a proxy that ends TLS (or a certificate): without them
# it ends with a line that says so. The command line works inside, by the socket in /data:
#
#   docker exec CONTAINER /rosterd token list

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin rosterd
# What the loader would look for, at the paths where it would look.
RUN set -eu; \
    install -D target/release/rosterd /image/rosterd; \
    ldd /image/rosterd | grep -o '/[^ ]*' | sort -u | while read -r library; do \
      install -D "$(readlink -f "$library")" "/image$library"; \
    done; \
    install -d -m 0700 /data

FROM scratch
LABEL org.opencontainers.image.title="rosterd" \
      org.opencontainers.image.description="Identity provisioning for firms that sell people's time" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV ROSTERD_DATA__DIR=/data \
    ROSTERD_SERVER__LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/rosterd"]
CMD ["serve"]
