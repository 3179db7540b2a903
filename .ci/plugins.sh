# shellcheck shell=bash
# The plugins: their sources, what is built of them, and what authors begin with. Sourced by .ci/test after the tests, whose program it asks.

readonly rosterd=$PWD/target/debug/rosterd

# Whether the program has a command.
rosterd_has() { "$rosterd" "$@" --help >/dev/null 2>&1; }

# A new plugin in Rust, outside the repository: its tests, against the crate that was written into its folder.
new_rust_plugin() (
  set -euo pipefail
  at=$(mktemp -d)
  trap 'rm -rf "$at"' EXIT
  "$rosterd" plugin new fresh --lang rust --to "$at/fresh"
  # The same versions as the workspace has, which are at hand already.
  cp plugins/Cargo.lock "$at/fresh/"
  cd "$at/fresh"
  CARGO_TARGET_DIR=$OLDPWD/plugins/target cargo test --offline
)

# The example in JavaScript and a new plugin: their vectors natively, and their components, into a folder of ours.
readonly javascript=$PWD/target/plugins-javascript
javascript_plugins() (
  set -euo pipefail
  rm -rf "$javascript"
  mkdir -p "$javascript"
  example=$PWD/plugins/examples/js-kind-by-user-type
  "$rosterd" plugin new fresh --lang js --to "$javascript/fresh"
  ln -s "$example/node_modules" "$javascript/fresh/node_modules"
  for folder in "$example" "$javascript/fresh"; do (cd "$folder" && npm test && npm run build); done
)

# The same vectors, asked by the daemon's own code.
javascript_asked() (
  set -euo pipefail
  example=plugins/examples/js-kind-by-user-type
  "$rosterd" plugin test "$example/js-kind-by-user-type.wasm" "$example/tests"
  "$rosterd" plugin test "$javascript/fresh/fresh.wasm" "$javascript/fresh/tests"
)

# Builds the shipped plugins anew: the same bytes by the same compiler, else the same answers.
rebuilt_plugins() (
  set -euo pipefail
  status=0
  plugins/build --check || status=$?
  # 5: another compiler than that of plugins/dist. Then the vectors tell.
  if ((status != 5)); then exit "$status"; fi
  at=$(mktemp -d)
  trap 'rm -rf "$at"' EXIT
  plugins/build --out "$at"
  for component in "$at"/*.wasm; do
    name=$(basename "$component" .wasm)
    "$rosterd" plugin test "$component" "plugins/$name/tests"
  done
)

step "plugins: format" cargo fmt --check --all --manifest-path plugins/Cargo.toml
step "plugins: lints" cargo clippy --locked --manifest-path plugins/Cargo.toml --workspace --all-targets -- -D warnings
step "plugins: documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --manifest-path plugins/Cargo.toml -p rosterd-plugin
step "plugins: tests" cargo test --locked --manifest-path plugins/Cargo.toml --workspace
step "plugins: a new one in Rust" new_rust_plugin

# Rust's own target comes by rustup; where that cannot fetch it, Debian has a compiler that knows it.
if ! plugins/build --toolchain && has apt-get && (($(id -u) == 0)); then
  step "install a compiler for WebAssembly" sh -c \
    "apt-get update -q && apt-get install -qy --no-install-recommends rustc-web rust-web-src libstd-rust-web-dev >/dev/null"
fi
if plugins/build --toolchain; then
  step "plugins: rebuilt" rebuilt_plugins
else
  skip "plugins: rebuilt" "no compiler for WebAssembly could be had (see above); whether plugins/dist is what the sources say was NOT looked at"
fi

if ! has npm || ! has node; then
  skip "plugins: JavaScript" "there is no Node with npm; plugins in JavaScript were NOT looked at"
elif said=$(cd plugins/examples/js-kind-by-user-type && npm ci --no-audit --no-fund --loglevel=error 2>&1); then
  step "plugins: JavaScript" javascript_plugins
  if rosterd_has plugin test; then
    step "plugins: JavaScript, asked by the daemon's code" javascript_asked
  else
    skip "plugins: JavaScript, asked by the daemon's code" "this rosterd has no plugin test: its components were built, and NOT asked"
  fi
else
  head -n 20 <<<"$said"
  if [[ $said == *EUSAGE* ]]; then
    # Not the network's fault: package.json and package-lock.json are of two minds, and nobody can install it.
    step "plugins: JavaScript, its lock file" false
  else
    skip "plugins: JavaScript" "npm could not install componentize-qjs (see above); plugins in JavaScript were NOT looked at"
  fi
fi
