# shellcheck shell=bash
# What .ci/test and .ci/full share: steps with a heading and a duration, and a summary at the end.

done_steps=()
failed_steps=()
skipped_steps=()

heading() { printf '\n== %s\n' "$*"; }

# step NAME COMMAND...: runs a command under a heading. A failure is remembered and the next step runs all the same,
# so that one run tells everything.
step() {
  local name=$1 began=$SECONDS
  shift
  heading "$name: $*"
  if "$@"; then
    done_steps+=("$name ($((SECONDS - began)) s)")
  else
    failed_steps+=("$name ($((SECONDS - began)) s)")
    printf '!! failed: %s\n' "$name" >&2
  fi
}

# skip NAME WHY: remembers that a step did not run. Loudly: what was not looked at is not known to be right.
skip() {
  skipped_steps+=("$1: $2")
  printf '\n== %s\n!! SKIPPED: %s\n' "$1" "$2" >&2
}

has() { command -v "$1" >/dev/null 2>&1; }

# Prints what ran and what did not; runs at the end, also after an error.
# (The odd expansions are for bash before 4.4, which takes an empty list for an unset name.)
summary() {
  local status=$? name
  heading "Summary, after $SECONDS s"
  for name in ${done_steps[@]+"${done_steps[@]}"}; do printf 'passed   %s\n' "$name"; done
  for name in ${skipped_steps[@]+"${skipped_steps[@]}"}; do printf 'SKIPPED  %s\n' "$name"; done
  for name in ${failed_steps[@]+"${failed_steps[@]}"}; do printf 'FAILED   %s\n' "$name"; done
  if ((status == 0 && ${#failed_steps[@]} > 0)); then status=1; fi
  if ((status != 0)); then printf 'Not everything is right.\n'; else printf 'All that ran is right.\n'; fi
  exit "$status"
}
trap summary EXIT

# need_cargo_tool NAME: installs a cargo subcommand if it is missing.
need_cargo_tool() {
  if has "$1"; then return; fi
  step "install $1" cargo install --locked "$1"
}

# need_package COMMAND PACKAGE WHAT_FOR: installs a system package if its command is missing and we may.
need_package() {
  local command=$1 package=$2 what_for=$3
  if has "$command"; then return; fi
  if has apt-get && (($(id -u) == 0)); then
    # The lists of a fresh container are empty.
    step "install $package ($what_for)" sh -c "apt-get update -q && apt-get install -qy --no-install-recommends $package"
  fi
  if ! has "$command"; then
    skip "$what_for" "needs the command $command: install the package $package (as root: apt-get install $package)"
  fi
}

# need_rust: explains what is missing before anything else fails in a less readable way.
need_rust() {
  if ! has cargo; then
    printf 'cargo is missing: install Rust %s or newer with rustup.\n' "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" >&2
    exit 1
  fi
  local component
  for component in clippy rustfmt; do
    if cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then continue; fi
    if has rustup; then
      step "install $component" rustup component add "$component"
    else
      printf '%s is missing: install the Rust component %s.\n' "$component" "$component" >&2
      exit 1
    fi
  done
}
