# Shared by the scripts in this folder: messages, one lock a cache entry, stages that survive an interruption.
# Sourced, never run. Standard output belongs to results; everything said on the way goes to standard error.

cache=${BALLAST_CACHE:-$HOME/.cache/ballast}
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# need COMMAND HINT: stop unless COMMAND is on the PATH.
need() { command -v "$1" >/dev/null 2>&1 || die "'$1' is missing: $2"; }

# with_lock FILE FUNCTION [ARGS]: run FUNCTION in a subshell that alone holds FILE.
with_lock() {
    local file=$1
    shift
    need flock "install the Debian package util-linux"
    mkdir -p "$(dirname "$file")"
    (
        if ! flock -n 9; then
            say "waiting for another run that holds $file"
            flock 9
        fi
        # Commands started under the lock must not inherit it, or a stray child would hold it on.
        "$@" 9>&-
    ) 9>"$file"
}

# stage FOLDER FUNCTION: have FUNCTION fill FOLDER once. It fills a sibling that is renamed only when all went well,
# so a folder that exists is a complete one, whatever happened to the run that made it.
stage() {
    local final=$1 part=$1.part
    [ ! -d "$final" ] || return 0
    rm -rf "$part"
    mkdir -p "$part"
    "$2" "$part"
    mv "$part" "$final"
}

# cargo_install FOLDER ARGS: `cargo install` untouched by this workspace's or the caller's build settings. The target
# folder stays in the cache until it is done, so an interrupted build goes on where it stopped.
cargo_install() {
    local root=$1
    shift
    need cargo "install Rust with rustup (see rust-toolchain.toml for the version)"
    local work=$cache/build-$(basename "${root%.part}")
    (
        cd "$cache"
        unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS RUSTC_BOOTSTRAP
        CARGO_TARGET_DIR=$work cargo install --locked --no-track --root "$root" "$@" 1>&2
    ) || die "cargo could not install: $*"
    rm -rf "$work"
}
