# The toolchain that build-program falls back to: rustc as installed, its sources, LLVM and sbpf-linker, all of them from
# package registries. Sourced by build-program after common.sh. README.md says why the odd flags are there.

linker_version=0.2.6
llvm_major=23
rust_version=1.95.0
toolchain=$cache/sbf-linker$linker_version-llvm$llvm_major-rust$rust_version

official_hint="or install Solana's own tools with a 'cargo build-sbf' that knows '--arch v3'"

toolchain_ready() {
    [ -d "$toolchain/linker" ] && [ -d "$toolchain/llvm" ] && [ -d "$toolchain/rust" ]
}

# Everything that can be known to be missing before the first download.
toolchain_prerequisites() {
    need cargo "install Rust $rust_version with rustup"
    need rustc "install Rust $rust_version with rustup"
    local found
    found=$(cd "$repo" && rustc --version | cut -d' ' -f2) || die "rustc does not run in $repo"
    # The standard library's sources, the patch below and the calling convention of 128-bit values belong to one release.
    [ "$found" = "$rust_version" ] ||
        die "rustc is $found, this build is pinned to $rust_version: rustup toolchain install $rust_version, $official_hint"
    toolchain_ready && return
    [ "$(uname -s)" = Linux ] || die "the registry toolchain needs Linux: $official_hint"
    need apt-get "LLVM $llvm_major comes from Debian's archive; use a Debian machine $official_hint"
    need dpkg "it unpacks Debian packages; use a Debian machine $official_hint"
}

# apt with a configuration of its own over the machine's mirror, so that newer suites can be read without changing
# anything in the machine's package set, and without being root.
private_apt() { apt-get "${apt_options[@]}" "$@"; }

open_archive() {
    [ -z "${apt_options+set}" ] || return 0
    local mirror=${DEBIAN_MIRROR:-} keyring=/usr/share/keyrings/debian-archive-keyring.gpg home=$toolchain/apt suite
    if [ -z "$mirror" ]; then
        mirror=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep debian | grep -v security | head -n 1) || true
    fi
    [ -n "$mirror" ] ||
        die "no Debian mirror among the machine's apt sources: set DEBIAN_MIRROR to the address of one, $official_hint"
    [ -e "$keyring" ] || die "$keyring is missing: install the package debian-archive-keyring, $official_hint"
    mkdir -p "$home/lists/partial" "$home/cache/archives/partial"
    for suite in sid trixie-backports experimental; do
        echo "deb [signed-by=$keyring] $mirror $suite main"
    done >"$home/sources.list"
    apt_options=(-qq
        -o "Dir::Etc::sourcelist=$home/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferences=-
        -o Dir::Etc::preferencesparts=- -o "Dir::State::Lists=$home/lists" -o "Dir::Cache=$home/cache"
        -o APT::Sandbox::User=root -o Acquire::Retries=3)
    # apt calls a mirror that does not answer a warning: what counts is whether an index came.
    private_apt update 1>&2 && compgen -G "$home/lists/*_dists_sid_*" >/dev/null ||
        die "no index of Debian sid from the mirror: set DEBIAN_MIRROR to another one, $official_hint"
}

# unpack FOLDER PACKAGE...: download packages and lay them out in FOLDER, without installing them.
unpack() {
    local into=$1 debs deb
    shift
    open_archive
    debs=$into.debs
    rm -rf "$debs"
    mkdir -p "$debs"
    (cd "$debs" && private_apt download "$@" 1>&2) ||
        die "the Debian mirror does not have: $*. Set DEBIAN_MIRROR to a full mirror, $official_hint"
    for deb in "$debs"/*.deb; do dpkg -x "$deb" "$into"; done
    rm -rf "$debs"
}

make_linker() {
    say "building sbpf-linker $linker_version (about two minutes, once)"
    cargo_install "$1" --version "$linker_version" sbpf-linker
}

make_llvm() {
    say "fetching LLVM $llvm_major with the C library it was built against"
    local parts=("libllvm$llvm_major" libc6 libgcc-s1 libstdc++6 libedit2 libffi8 libxml2-16 libz3-4 libzstd1 zlib1g
        libbsd0 libmd0 libtinfo6 liblzma5)
    unpack "$1/sysroot" "${parts[@]/%//sid}"
    local found
    found=$(cd "$1" && ls sysroot/usr/lib/*/libLLVM.so.$llvm_major.1 | head -n 1)
    [ -n "$found" ] || die "libllvm$llvm_major holds no libLLVM.so.$llvm_major.1"
    # sbpf-linker looks for LLVM along LD_LIBRARY_PATH: give it a folder that holds nothing else.
    mkdir "$1/search"
    ln -s "../$found" "$1/search/"
    cat >"$1/link" <<'WRAP'
#!/bin/sh
# LLVM wants a newer C library than the machine may have: start the linker with the one unpacked beside it.
here=$(cd "$(dirname "$0")" && pwd)
lib=$(echo "$here"/sysroot/usr/lib/*-linux-gnu)
loader=$(echo "$lib"/ld-linux-*.so.*)
LD_LIBRARY_PATH=$here/search exec "$loader" --library-path "$lib:$here/search" "$here/../linker/bin/sbpf-linker" "$@"
WRAP
    chmod +x "$1/link"
}

make_rust() {
    local installed version
    installed=$(cd "$repo" && rustc --print sysroot)/lib/rustlib/src/rust/library
    if [ -d "$installed" ]; then
        cp -r "$installed" "$1/library"
    else
        say "fetching the sources of the standard library of rustc $rust_version"
        open_archive
        version=$(apt-cache "${apt_options[@]}" madison rust-src |
            awk -F'|' -v want=" $rust_version+" 'index($2, want) { gsub(/ /, "", $2); print $2; exit }')
        [ -n "$version" ] ||
            die "Debian has no rust-src $rust_version any more: rustup component add rust-src, $official_hint"
        unpack "$1/deb" "rust-src=$version"
        mv "$1/deb/usr/src/rustc-$rust_version/library" "$1/library"
        rm -rf "$1/deb"
    fi
    fix_hash_keys "$1/library/std/src/hash/random.rs"
}

# std keeps a HashMap's random keys in a per-thread static; a program has no writable memory for one. Nothing on chain
# is random anyway, so the keys become constants.
fix_hash_keys() {
    awk '
        /^        thread_local!\(static KEYS/ { skipping = 1; print "        RandomState { k0: 0, k1: 0 }" }
        /^use crate::sys::random::hashmap_random_keys;/ { next }
        !skipping { print }
        skipping && /^        }\)$/ { skipping = 0; cut++ }
        END { exit !(cut == 1 && !skipping) }
    ' "$1" >"$1.new" || die "RandomState::new in the standard library is not the one this build knows how to change"
    mv "$1.new" "$1"
}

make_toolchain() {
    stage "$toolchain/linker" make_linker
    stage "$toolchain/llvm" make_llvm
    stage "$toolchain/rust" make_rust
    rm -rf "$toolchain/apt"
}

setup_toolchain() {
    toolchain_prerequisites
    toolchain_ready || with_lock "$toolchain/lock" make_toolchain
}

# registry_cargo_build ARGS: cargo build for SBPF. Call in the folder of the workspace.
registry_cargo_build() {
    local flags=(
        # What the Solana crates look for; csky only lends std an alignment for an architecture it does not list.
        --cfg 'target_os="solana"' --cfg 'target_arch="csky"' -Aexplicit_builtin_cfgs_in_flags
        # Asks crates/wide for the 128-bit routines, which the official tools bring themselves.
        --cfg ballast_registry_toolchain
        -Zunstable-options -Cpanic=immediate-abort -Cpasses=lower-atomic -Cjump-tables=no
        "-Clinker=$toolchain/llvm/link" -Clink-arg=--arch=v3 -Clink-arg=--llvm-args=--bpf-stack-size=4096
    )
    local encoded
    encoded=$(printf '%s\037' "${flags[@]}")
    env -u RUSTFLAGS -u CARGO_BUILD_TARGET \
        CARGO_ENCODED_RUSTFLAGS="${encoded%?}" \
        RUSTC_BOOTSTRAP=1 RUSTC_BOOTSTRAP_SYNTHETIC_TARGET=1 \
        __CARGO_TESTS_ONLY_SRC_ROOT="$toolchain/rust/library" \
        cargo build --release --target "$repo/scripts/sbpf-solana.json" \
        -Zjson-target-spec -Zbuild-std=std,panic_abort -Zbuild-std-features= "$@"
}
