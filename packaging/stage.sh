#!/bin/sh
# packaging/stage.sh DIR makes what nfpm.yaml packs beside the programs:
#
#   DIR/man, DIR/completions   the man page and the completions
#   DIR/package                the files below /usr/share
#
# DIR holds zitadel-siem, in_zitadel.so and out_zitadel.so for one architecture. VERSION
# is that of the packages. GENERATOR is a zitadel-siem that runs on this machine (default:
# the one in DIR). The same sources and SOURCE_DATE_EPOCH give the same bytes.
set -eu
umask 022
export LC_ALL=C

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
dir=${1:?usage: packaging/stage.sh DIR}
dir=$(CDPATH='' cd -- "$dir" && pwd -P)
generator=${GENERATOR:-$dir/zitadel-siem}

rm -rf "$dir/man" "$dir/completions" "$dir/package"
share=$dir/package/usr/share
doc=$share/doc/zitadel-siem
mkdir -p "$dir/man" "$dir/completions" "$share/man/man1" "$share/zitadel-siem" "$doc/examples" \
    "$share/bash-completion/completions" "$share/fish/vendor_completions.d"

# to FILE COMMAND...: into a file with the mode of a package's files.
to() {
    file=$1
    shift
    "$@" >"$file"
    chmod 644 "$file"
}

to "$dir/man/zitadel-siem.1" "$generator" man
to "$dir/completions/zitadel-siem.bash" "$generator" completion bash
to "$dir/completions/_zitadel-siem" "$generator" completion zsh
to "$dir/completions/zitadel-siem.fish" "$generator" completion fish

to "$share/man/man1/zitadel-siem.1.gz" gzip -9nc "$dir/man/zitadel-siem.1"
cp "$dir/completions/zitadel-siem.bash" "$share/bash-completion/completions/zitadel-siem"
cp "$dir/completions/zitadel-siem.fish" "$share/fish/vendor_completions.d/"

# Debian's tools want their own format under this name.
changelog() {
    printf 'zitadel-siem (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' \
        "${VERSION:-0}" "$(sed -n 's/^maintainer: //p' "$root/packaging/nfpm.yaml")" "$(date -u -R -d "@${SOURCE_DATE_EPOCH:-0}")" | gzip -9n
}
to "$doc/changelog.gz" changelog
to "$doc/CHANGELOG.md.gz" gzip -9nc "$root/CHANGELOG.md"
cp "$root/packaging/copyright" "$doc/copyright"
to "$doc/NOTICE.gz" gzip -9nc "$root/NOTICE"
chmod -R u=rwX,go=rX "$dir/package" "$dir/completions"

# The packages install the plugins there.
plugins=/usr/lib/zitadel-siem
"$root/packaging/copy.sh" "$root/conf" "$doc/examples" $plugins
"$root/packaging/copy.sh" "$root/detections" "$share/zitadel-siem/detections" $plugins
"$root/packaging/copy.sh" "$root/dashboards" "$share/zitadel-siem/dashboards" $plugins
for template in elasticsearch opensearch; do
    to "$share/zitadel-siem/$template-index-template.json" cat "$root/conf/$template/index-template.json"
done

# nfpm takes the dates of directories from here, and those of files from the variable.
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    find "$dir/man" "$dir/completions" "$dir/package" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi
