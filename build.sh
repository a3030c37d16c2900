#!/bin/sh
# The one way to build zitadel-siem. The Makefile and CI call this file and
# repeat nothing of it.
#
#   ./build.sh            the plugins and the binary, into build/
#   ./build.sh plugin     build/in_zitadel.so and build/out_zitadel.so, the
#                         Fluent Bit input and output plugins
#   ./build.sh sidecar    build/zitadel-siem, one static binary
#   ./build.sh demo       build/zitadel-siem-demo, which make run starts; not shipped
#   ./build.sh test-arm64 the plugins for arm64, loaded by a C host in qemu-user
#   ./build.sh release    everything of a release into build/release/VERSION/; see
#                         docs/releases.md
#   ./build.sh test-deps  what the tests need: Go, a C compiler, the modules
#   ./build.sh cluster-deps  what make cluster-test needs beside them: PostgreSQL
#                         and PgBouncer
#   ./build.sh exec CMD   run CMD with the Go that was found, for example
#                         ./build.sh exec go test ./...
#
# It looks for Go (at least the version of go.mod) and for a C compiler. What
# is missing is installed with apt-get, dnf or apk when this runs as root or
# with a sudo that asks for no password; INSTALL=0 forbids that. Where it
# cannot install, it says what to do and exits with 1.
#
# Environment: VERSION (default: git describe), GO (a go command to use), CC,
# GLIBC_MAX (fail when a plugin needs a newer glibc than this), OUT (default:
# build), GOOS and GOARCH (plugins: GOARCH amd64 or arm64, with a cross compiler).
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
out=${OUT:-$root/build}
need=$(awk '$1 == "go" { print $2; exit }' "$root/go.mod")

say() { printf '%s\n' "build.sh: $*" >&2; }
die() {
    say "$@"
    exit 1
}

# newer_or_same A B: is version A at least version B?
newer_or_same() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# --- installing -------------------------------------------------------------

as_root=
may_install() {
    [ "${INSTALL:-1}" != 0 ] || return 1
    command -v apt-get >/dev/null || command -v dnf >/dev/null || command -v apk >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then
        return 0
    fi
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
        return 0
    fi
    return 1
}

apt_get() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >&2
}

# cross_prefix prints what the names of the cross compiler for GOARCH begin with.
cross_prefix() {
    case $(uname -m)/${GOARCH:-} in
    x86_64/arm64) echo aarch64-linux-gnu ;;
    aarch64/amd64 | arm64/amd64) echo x86_64-linux-gnu ;;
    esac
}

install_cross_compiler() {
    command -v apt-get >/dev/null || return 1
    say "no C compiler for $GOARCH: installing gcc-$(cross_prefix | tr _ -)"
    set -- --no-install-recommends "gcc-$(cross_prefix | tr _ -)" "libc6-dev-$GOARCH-cross" binutils
    apt_get install "$@" || { apt_get update && apt_get install "$@"; }
}

install_compiler() {
    say "no working C compiler: installing gcc and the libc headers"
    if command -v apt-get >/dev/null; then
        apt_get install --no-install-recommends gcc libc6-dev binutils ||
            { apt_get update && apt_get install --no-install-recommends gcc libc6-dev binutils; }
    elif command -v dnf >/dev/null; then
        $as_root dnf -q -y install gcc glibc-devel binutils >&2
    else
        $as_root apk add --no-progress gcc musl-dev binutils >&2
    fi
}

# The tests start a server of their own; the one of the package is not needed.
install_postgresql() {
    if command -v pg_ctl >/dev/null || ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1; then
        return 0
    fi
    command -v apt-get >/dev/null && may_install || return 1
    say "no PostgreSQL: installing it"
    apt_get install --no-install-recommends postgresql || { apt_get update && apt_get install --no-install-recommends postgresql; }
}

install_pgbouncer() {
    if command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ]; then
        return 0
    fi
    command -v apt-get >/dev/null && may_install || return 1
    say "no PgBouncer: installing it"
    apt_get install --no-install-recommends pgbouncer || { apt_get update && apt_get install --no-install-recommends pgbouncer; }
}

# Debian 12 itself has Go 1.19. Its backports have one that is new enough to
# fetch the Go of go.mod by itself, as a checked module. The system's own list
# of sources stays as it is.
install_go() {
    say "no Go $need or newer: asking the package manager"
    if command -v apt-get >/dev/null; then
        apt_get install --no-install-recommends ca-certificates || { apt_get update && apt_get install --no-install-recommends ca-certificates; } || return 1
        newest=$(newest_go_package)
        if [ -z "$newest" ]; then
            release=$(. /etc/os-release && echo "${ID:-} ${VERSION_CODENAME:-}")
            case $release in
            "debian "?*) ;;
            *) return 1 ;;
            esac
            list=$(mktemp) && chmod 644 "$list"
            cat /etc/apt/sources.list >"$list" 2>/dev/null || :
            echo "deb $(debian_mirror) ${release#debian }-backports main" >>"$list"
            apt_get update -o Dir::Etc::sourcelist="$list" || { rm -f "$list"; return 1; }
            newest=$(newest_go_package -o Dir::Etc::sourcelist="$list")
            [ -z "$newest" ] || apt_get install -o Dir::Etc::sourcelist="$list" --no-install-recommends "$newest" || newest=
            rm -f "$list"
        else
            apt_get install --no-install-recommends "$newest"
        fi
        [ -n "$newest" ]
    elif command -v dnf >/dev/null; then
        $as_root dnf -q -y install golang >&2
    else
        $as_root apk add --no-progress go >&2
    fi
}

# debian_mirror prints where this system has its own packages from.
debian_mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        awk '$1 == "URIs:" { print $2; exit }
             $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z]+:\/\//) { print $i; exit } }'
}

# newest_go_package prints the newest golang-1.N-go from 1.21 on: older ones
# cannot fetch another Go.
newest_go_package() {
    apt-cache "$@" search --names-only '^golang-1\.[0-9]+-go$' | awk '{ print $1 }' | sort -V |
        awk -F'[.-]' '$3 >= 21 { last = $0 } END { if (last) print last }'
}

# --- finding ----------------------------------------------------------------

# Go wants a home for its caches. A service or a bare environment may have
# none; then they live in build/home, where `make clean` finds them.
find_home() {
    if [ -z "${HOME:-}" ]; then
        HOME=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6) || HOME=
    fi
    if [ -z "$HOME" ] || [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then
        HOME=$out/home
        mkdir -p "$HOME"
    fi
    export HOME
}

# find_go sets PATH (and GOTOOLCHAIN, where an older Go can fetch the right
# one) so that `go` is at least $need. It fails when there is none.
find_go() {
    old=
    for candidate in "${GO:-}" "$(command -v go || :)" /usr/local/go/bin/go "$HOME"/sdk/go1*/bin/go \
        /usr/lib/go-1.*/bin/go /usr/lib/golang/bin/go /opt/go/bin/go; do
        [ -n "$candidate" ] && [ -x "$candidate" ] || continue
        version=$(cd / && GOTOOLCHAIN=local "$candidate" env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//')
        [ -n "$version" ] || continue
        if newer_or_same "$version" "$need"; then
            PATH=$(dirname -- "$candidate"):$PATH
            export PATH
            return 0
        fi
        if newer_or_same "$version" 1.21 && { [ -z "$old" ] || newer_or_same "$version" "$old_version"; }; then
            old=$candidate old_version=$version
        fi
    done
    [ -n "$old" ] || return 1
    say "$old is Go $old_version: letting it fetch Go $need"
    if (cd / && GOTOOLCHAIN=go$need "$old" version >/dev/null); then
        PATH=$(dirname -- "$old"):$PATH
        GOTOOLCHAIN=go$need
        export PATH GOTOOLCHAIN
        return 0
    fi
    return 1
}

need_go() {
    find_home
    find_go && return 0
    if may_install && install_go && find_go; then
        return 0
    fi
    case $(uname -m) in
    x86_64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) arch=$(uname -m) ;;
    esac
    die "Go $need or newer is needed, and could not be installed from here.
  Install it from https://go.dev/dl/ :
    curl -fLO https://go.dev/dl/go$need.linux-$arch.tar.gz
    sudo rm -rf /usr/local/go
    sudo tar -C /usr/local -xzf go$need.linux-$arch.tar.gz
  and run this again. /usr/local/go/bin is found without being on PATH."
}

compiler_works() {
    if [ -z "${CC:-}" ]; then
        for candidate in gcc cc clang; do
            if command -v "$candidate" >/dev/null; then
                CC=$candidate
                export CC
                break
            fi
        done
    fi
    [ -n "${CC:-}" ] || return 1
    trial=$(mktemp -d)
    printf '#include <stdlib.h>\n#include <dlfcn.h>\nint main(void) { return 0; }\n' >"$trial/t.c"
    # CC may hold flags, as make and cgo allow.
    if $CC -o "$trial/t" "$trial/t.c" 2>/dev/null && command -v readelf >/dev/null; then
        rm -rf "$trial"
        return 0
    fi
    rm -rf "$trial"
    return 1
}

need_compiler() {
    if [ -n "$(cross_prefix)" ]; then
        need_cross_compiler
        return
    fi
    compiler_works && return 0
    if may_install && install_compiler && compiler_works; then
        return 0
    fi
    die "a C compiler with the libc headers and readelf is needed (the plugins are loaded by a C program), and could not be installed from here.
  Debian, Ubuntu:  sudo apt-get install gcc libc6-dev binutils
  Fedora, RHEL:    sudo dnf install gcc glibc-devel binutils
  Alpine:          sudo apk add gcc musl-dev binutils
  and run this again. ./build.sh sidecar needs no C compiler."
}

need_cross_compiler() {
    CC=${CC:-$(cross_prefix)-gcc}
    export CC
    compiler_works && return 0
    if may_install && install_cross_compiler && compiler_works; then
        return 0
    fi
    die "the plugins for $GOARCH need $CC with its libc headers, and it could not be installed from here.
  Debian, Ubuntu:  sudo apt-get install gcc-$(cross_prefix | tr _ -) libc6-dev-$GOARCH-cross
  Elsewhere set CC to a cross compiler, or build on $GOARCH."
}

# --- building ---------------------------------------------------------------

version() {
    if [ -n "${VERSION:-}" ]; then
        echo "$VERSION"
    else
        git -C "$root" describe --tags --always --dirty 2>/dev/null || echo dev
    fi
}

# netgo and osusergo: the resolver and the user look-up are Go's own, so that
# the plugins ask little of the host's glibc.
# grpcnotrace: grpc's page for traces, which nobody serves here, calls methods by
# name. With it, the linker would keep every method of every type.
# notfastpath: fluent-bit-go imports a msgpack codec that is not used here; without
# the code that it generated for speed.
tags=netgo,osusergo,grpcnotrace,notfastpath
go_build() {
    package=github.com/zitadel-siem/zitadel-siem/internal/version
    flags="-s -w -X $package.Version=$(version)"
    # The date of the commit and not of the build: two builds of it are equal.
    if built=$(cd "$root" && TZ=UTC git show -s --date=format-local:%Y-%m-%dT%H:%M:%SZ --format="-X $package.Commit=%H -X $package.Date=%cd" HEAD 2>/dev/null); then
        flags="$flags $built"
    fi
    (cd "$root" && go build -trimpath -buildvcs=false -tags "$tags" -ldflags "$flags" "$@")
}

# shown PATH: a file that is built, as it is called in messages
shown() { printf '%s' "${1#"$root"/}"; }

build_plugins() {
    need_go
    need_compiler
    mkdir -p "$out"
    # What Fluent Bit looks up by name when it loads a Go input or output.
    build_plugin in_zitadel "FLBPluginRegister FLBPluginInit FLBPluginInputCallback FLBPluginExit FLBPluginUnregister"
    build_plugin out_zitadel "FLBPluginRegister FLBPluginInit FLBPluginFlushCtx FLBPluginFlush FLBPluginExitCtx FLBPluginExit FLBPluginUnregister"
}

# build_plugin NAME EXPORTS
build_plugin() {
    say "building $(shown "$out/$1.so")"
    GOOS=linux CGO_ENABLED=1 go_build -buildmode=c-shared -o "$out/$1.so" "./plugin/$1"
    rm -f "$out/$1.h"
    check_plugin "$out/$1.so" "$2"
}

check_plugin() {
    defined=$(readelf --dyn-syms -W "$1" | awk '$5 == "GLOBAL" && $7 != "UND" && $8 ~ /^FLB/ { print $8 }')
    for name in $2; do
        case "
$defined
" in
        *"
$name
"*) ;;
        *) die "$1 does not export $name: Fluent Bit could not load it" ;;
        esac
    done

    glibc=$(readelf -V -W "$1" | grep -o 'GLIBC_2[0-9.]*' | sort -uV | tail -n 1 | sed 's/GLIBC_//' || :)
    if [ -z "$glibc" ]; then
        say "warning: $1 does not use glibc (is this Alpine?); Fluent Bit's own images cannot load it"
        return 0
    fi
    # The images of Fluent Bit: up to 3.0.6 Debian 11 (glibc 2.31), up to 4.2.0
    # Debian 12 (2.36), later ones Debian 13 (2.41).
    if newer_or_same 2.31 "$glibc"; then
        runs='every image of Fluent Bit from Debian 11 on'
    elif newer_or_same 2.36 "$glibc"; then
        runs='images of Fluent Bit 3.0.7 and later'
    else
        runs='images of Fluent Bit 4.2.1 and later only: build on Debian 12 for older ones'
    fi
    if [ -n "${GLIBC_MAX:-}" ] && ! newer_or_same "$GLIBC_MAX" "$glibc"; then
        die "$1 needs glibc $glibc, but GLIBC_MAX is $GLIBC_MAX"
    fi
    check_size "$1"
    say "${1##*/}: $(size "$1"), needs glibc $glibc or newer: $runs"
}

build_sidecar() {
    need_go
    build_static zitadel-siem
}

build_demo() {
    need_go
    build_static zitadel-siem-demo
}

# build_static NAME
build_static() {
    mkdir -p "$out"
    file=$out/$1
    [ "${GOOS:-}" != windows ] || file=$file.exe
    say "building $(shown "$file")"
    CGO_ENABLED=0 go_build -o "$file" "./cmd/$1"
    if [ "${GOOS:-linux}" = linux ] && command -v readelf >/dev/null; then
        if readelf -l -W "$file" | grep -q INTERP; then
            die "$(shown "$file") is not static: it asks for a dynamic loader"
        fi
    fi
    check_size "$file"
    say "${file##*/}: $(size "$file"), static"
}

# check_size: a file that is larger than this links something that it did not need
# before, such as every service of ZITADEL. docs/adr/0018 says what to look for.
check_size() {
    case ${1##*/} in
    in_zitadel.so) most=24 ;;
    out_zitadel.so) most=13 ;;
    zitadel-siem) most=35 ;;
    *) return 0 ;;
    esac
    [ "$(wc -c <"$1")" -le $((most * 1048576)) ] ||
        die "$1 has $(size "$1"), and may have $most: see docs/adr/0018-only-the-services-that-are-called.md"
}

# test_arm64 loads the plugins for arm64 as Fluent Bit does. They read the test server's
# events and send lines, in an emulator.
test_arm64() {
    need_go
    if [ "$(uname -m)" != x86_64 ]; then
        say "test-arm64 SKIPPED: this machine is a $(uname -m), and the emulator is for x86_64"
        return 0
    fi
    if ! command -v qemu-aarch64 >/dev/null && may_install && command -v apt-get >/dev/null; then
        set -- --no-install-recommends qemu-user
        apt_get install "$@" || { apt_get update && apt_get install "$@"; }
    fi
    if ! command -v qemu-aarch64 >/dev/null; then
        say "test-arm64 SKIPPED: no qemu-aarch64, so that the plugins for arm64 were NOT loaded: apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
        return 0
    fi
    OUT=$root/build/arm64 GOARCH=arm64 "$root/build.sh" plugin
    (cd "$root" && ZITADEL_SIEM_ARCH=arm64 ZITADEL_SIEM_BUILT=$root/build/arm64 go test -count 1 \
        -run 'TestABI_(EveryEventOnceByTheHostsOwnAppend|RefusedChunksAreKeptAndNotRepeated|OKAfterTheAckAndEveryLineOnce)$' \
        ./plugin/in_zitadel ./plugin/out_zitadel)
}

size() {
    echo "$(($(wc -c <"$1") / 1048576)) MiB"
}

case ${1:-all} in
all)
    build_plugins
    build_sidecar
    ;;
plugin) build_plugins ;;
sidecar) build_sidecar ;;
demo) build_demo ;;
test-arm64) test_arm64 ;;
release)
    need_go
    . "$root/release.sh"
    ;;
test-deps)
    need_go
    need_compiler
    (cd "$root" && go mod download)
    ;;
cluster-deps)
    need_go
    install_postgresql || say "PostgreSQL is missing and cannot be installed: its tests are skipped"
    install_pgbouncer || say "PgBouncer is missing and cannot be installed: its tests are skipped"
    ;;
exec)
    shift
    [ $# -gt 0 ] || die "exec wants a command"
    need_go
    exec "$@"
    ;;
-h | --help | help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" ;;
*) die "unknown target \"$1\"; there are all, plugin, sidecar, demo, release, test-arm64, test-deps, cluster-deps, exec" ;;
esac
