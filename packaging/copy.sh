#!/bin/sh
# packaging/copy.sh FROM TO [PLUGINS] copies the files that users need from a directory of
# the sources: no Go and no tests. With PLUGINS, configurations load the plugins from that
# directory instead of ./build.
set -eu

mkdir -p "$2"
to=$(CDPATH='' cd -- "$2" && pwd -P)
cd "$1"
find . \( -name testdata -o -name receivers \) -prune -o \
    -type f ! -name '*.go' ! -name 'go.*' ! -name '.*' ! -name docs_head.txt -print | while read -r file; do
    mkdir -p "$(dirname -- "$to/$file")"
    sed "s|\./build/\([a-z]*_zitadel\.so\)|${3:-./build}/\1|" "$file" >"$to/$file"
done
