# What the scripts that build from Debian's source packages share. Sourced, with `name` set to what cannot be had where a
# package cannot; run in the directory that is built in.

# unavailable REASON...: ends the script with EX_UNAVAILABLE of sysexits.h.
unavailable() {
    echo "$name: $*" >&2
    exit 69
}

command -v apt-get >/dev/null || unavailable "the sources come from Debian's packages, and this is not Debian"

# need PACKAGE...: installs those that are missing, when this is run by root.
need() {
    missing=
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        [ "$(id -u)" = 0 ] || unavailable "not installed:$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q && apt-get install -q -y --no-install-recommends $missing ||
            unavailable "cannot be installed:$missing"
    fi
}

# fetch SOURCE: downloads a source package. The lists of source packages stay in this directory, and the system's settings
# as they are.
fetch() {
    . /etc/os-release
    mkdir -p lists/partial cache/archives/partial
    apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
        grep " $VERSION_CODENAME main\$" >sources.list || unavailable 'no list of Debian packages to find the source with'
    sources update && sources source --download-only "$1" || unavailable 'the source cannot be fetched'
}

sources() {
    apt-get -q -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" "$@"
}
