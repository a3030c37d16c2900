#!/bin/sh
# Makes a release of HEAD twice, in two clones whose directories have names of different
# lengths, and compares every byte. `make reproducible` calls it.
#
# RELEASE_TARGETS (default: linux/amd64) are what is made. With COLD=1 each clone has a
# cache of Go's builds of its own, so that the second run compiles everything again; that
# takes minutes. Without, the second run compiles nothing, and proves what is linked,
# packed and dated.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
export RELEASE_TARGETS="${RELEASE_TARGETS:-linux/amd64}" VERSION="${VERSION:-v0.0.0-reproducible}"

from=$root
for clone in "$scratch/a" "$scratch/another-directory/b"; do
    git clone -q --no-hardlinks "$from" "$clone"
    from=$clone # the same commit, whatever is committed meanwhile
    [ "${COLD:-}" != 1 ] || export GOCACHE="$clone.cache"
    # Other rights of new files, another time zone and another language.
    (umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 "$clone/build.sh" release) >"$scratch/log" 2>&1 ||
        { cat "$scratch/log" >&2; exit 1; }
done

one=$scratch/a/build/release/$VERSION two=$scratch/another-directory/b/build/release/$VERSION
if ! diff -r "$one" "$two" >"$scratch/diff"; then
    cat "$scratch/diff" >&2
    echo "reproducible: two builds of one commit differ" >&2
    exit 1
fi
echo "reproducible: $(find "$one" -type f | wc -l) files of $RELEASE_TARGETS are the same in both builds:"
cat "$one/SHA256SUMS"
