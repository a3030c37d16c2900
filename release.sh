# A release: everything that a user downloads, in build/release/VERSION/.
# build.sh reads this file for `./build.sh release`, after it has found Go; see
# docs/releases.md.
#
# Environment: VERSION (v1.2.3 or v1.2.3-rc.1), RELEASE_TARGETS (default: all
# of below; fewer for a try), DIRTY=1 (pack a tree with changes).
#
# Two runs on one commit, with the same Go, gcc and Debian, give the same bytes:
# every date is the commit's, every list is sorted, and no path of this machine
# is in a file.

targets=${RELEASE_TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}

# What would change the bytes, and belongs to whoever runs this.
unset GOFLAGS GOAMD64 GOARM64 GOEXPERIMENT GODEBUG CGO_CFLAGS CGO_CPPFLAGS CGO_LDFLAGS CC TAR_OPTIONS GZIP OUT GOOS GOARCH
umask 022
export LC_ALL=C TZ=UTC GOWORK=off

case ${VERSION:-} in
v[0-9]*.[0-9]*.[0-9]*) ;;
*) die "release needs VERSION, for example: make release VERSION=v0.1.0" ;;
esac
# A package's version begins with a digit.
number=${VERSION#v}

commit=$(git -C "$root" rev-parse HEAD) || die "release needs a clone with git: version, commit and date come from there"
SOURCE_DATE_EPOCH=$(git -C "$root" show -s --format=%ct HEAD)
export VERSION SOURCE_DATE_EPOCH
if [ -n "$(git -C "$root" status --porcelain)" ] && [ "${DIRTY:-}" != 1 ]; then
    die "the tree has changes that are in no commit: commit them, or set DIRTY=1 for a try"
fi
tagged=$(git -C "$root" rev-parse -q --verify "refs/tags/$VERSION^{commit}" || :)
if [ -n "$tagged" ] && [ "$tagged" != "$commit" ]; then
    die "the tag $VERSION is another commit: git checkout $VERSION"
fi

release=$root/build/release/$VERSION
stage=$root/build/release/.stage/$VERSION
rm -rf "$release" "$stage"
mkdir -p "$release" "$stage/tools"

host=$(go env GOHOSTARCH)
tools=$stage/tools

say "building the tools of the release"
(cd "$root/tools/release" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$tools/" . \
    github.com/goreleaser/nfpm/v2/cmd/nfpm github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod)

# Man page and completions come from a program that runs here.
generator=$stage/zitadel-siem_${number}_linux_$host/zitadel-siem
case $targets in
linux/$host*) ;; # it is built first
*)
    OUT=$tools "$root/build.sh" sidecar
    generator=$tools/zitadel-siem
    ;;
esac

# documents DIR: what every archive has beside the programs
documents() {
    (cd "$root" && cp README.md LICENSE NOTICE CHANGELOG.md SECURITY.md "$1/")
    for name in conf dashboards detections; do
        "$root/packaging/copy.sh" "$root/$name" "$1/$name"
    done
}

# bom FILE NAME: the modules that are linked into FILE
bom() {
    GOOS=$os GOARCH=$arch "$tools/cyclonedx-gomod" bin -json -std -noserial -notimestamp -version "$VERSION" \
        -output "$release/$2.cdx.json" "$1" || die "no SBOM of $1"
}

# packages: .deb, .rpm and .apk of the programs in $dir
packages() {
    # An .apk has the dates of the scripts as they are in the checkout.
    find "$root/packaging" -type f -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
    for format in deb rpm apk; do
        (cd "$root" && VERSION=$number ARCH=$arch RELEASE_DIR=$dir "$tools/nfpm" package \
            --config packaging/nfpm.yaml --packager $format --target "$release/" >&2) || die "no .$format for $arch"
    done
}

images=
for target in $targets; do
    os=${target%/*} arch=${target#*/}
    dir=$stage/zitadel-siem_${number}_${os}_$arch
    mkdir -p "$dir"
    exe=
    [ "$os" != windows ] || exe=.exe
    OUT=$dir GOOS=$os GOARCH=$arch "$root/build.sh" sidecar
    bom "$dir/zitadel-siem$exe" "zitadel-siem_${number}_${os}_$arch"
    if [ "$os" = linux ]; then
        OUT=$dir GOARCH=$arch "$root/build.sh" plugin
        bom "$dir/in_zitadel.so" "in_zitadel_${number}_${os}_$arch"
        bom "$dir/out_zitadel.so" "out_zitadel_${number}_${os}_$arch"
        images="$images $arch=$dir"
    fi
    documents "$dir"
    GENERATOR=$generator "$root/packaging/stage.sh" "$dir"
    [ "$os" != linux ] || packages
    rm -rf "$dir/package" # the tree of nfpm
    extension=tar.gz
    [ "$os" != windows ] || extension=zip
    say "packing zitadel-siem_${number}_${os}_$arch.$extension"
    "$tools/release" archive "$release/zitadel-siem_${number}_${os}_$arch.$extension" "$dir"
done

if [ -n "$images" ]; then
    say "writing the image for$(printf ' %s' $images | sed 's/=[^ ]*//g')"
    # shellcheck disable=SC2086 # one argument for each architecture
    "$tools/release" image "$release/zitadel-siem_${number}_oci.tar" "$VERSION" "$commit" $images
fi

if [ "$(git -C "$root" rev-parse HEAD)" != "$commit" ]; then
    die "another commit was checked out meanwhile: the files are of both; run it again"
fi

# Who wants to make the same bytes needs the same compilers.
{
    echo "version $VERSION"
    echo "commit $commit"
    go version
    case " $targets " in *" linux/$host "*) gcc --version | head -n 1 ;; esac
    case " $targets " in *" linux/"*) ld --version | head -n 1 ;; esac
    for cross in aarch64-linux-gnu-gcc x86_64-linux-gnu-gcc; do
        case "$targets $cross" in
        *linux/arm64*aarch64* | *linux/amd64*x86_64*) ! command -v $cross >/dev/null || $cross --version | head -n 1 ;;
        esac
    done
} >"$release/BUILD"

(cd "$release" && sha256sum -- * >"$stage/SHA256SUMS" && mv "$stage/SHA256SUMS" .)
rm -rf "$stage/tools"
say "build/release/$VERSION has $(find "$release" -type f | wc -l) files, $(du -sm "$release" | cut -f 1) MiB; SHA256SUMS names them"
