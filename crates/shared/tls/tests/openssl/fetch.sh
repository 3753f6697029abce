#!/bin/sh
# Makes an OpenSSL of at least 3.2 (raw public keys, RFC 7250) available and prints the path of a
# program that runs it. Takes the machine's own if it is new enough; else unpacks Debian 13's into the
# folder given as the first argument, beside its own C library. Installs nothing, needs no root.
set -eu

cache=${1:?usage: fetch.sh CACHE_FOLDER}
wrapper=$cache/openssl

is_new_enough() {
    version=$("$1" version 2>/dev/null | cut -d' ' -f2) || return 1
    major=${version%%.*}
    rest=${version#*.}
    minor=${rest%%.*}
    [ "$major" -gt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -ge 2 ]; }
}

if own=$(command -v openssl) && is_new_enough "$own"; then
    echo "$own"
    exit 0
fi
if [ -x "$wrapper" ] && is_new_enough "$wrapper"; then
    echo "$wrapper"
    exit 0
fi

command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
    echo "no OpenSSL 3.2 or later here, and no apt to fetch one" >&2
    exit 1
}

mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial" "$cache/root"
cache=$(cd "$cache" && pwd)
wrapper=$cache/openssl
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# The archive that this machine's apt uses already.
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep '/debian/*$' | head -n 1)
[ -n "$mirror" ] || {
    echo "apt has no Debian archive among its sources" >&2
    exit 1
}
echo "deb [signed-by=$keyring] $mirror trixie main" >"$cache/apt/sources.list"
: >"$cache/apt/status"

apt() {
    apt-get -qq \
        -o Dir::Etc::SourceList="$cache/apt/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State="$cache/apt" -o Dir::State::Lists="$cache/apt/lists" \
        -o Dir::State::Status="$cache/apt/status" -o Dir::Cache="$cache/apt" \
        -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}

{
    apt update
    cd "$cache/apt/archives"
    apt download openssl libssl3t64 openssl-provider-legacy libzstd1 zlib1g libc6
    for package in ./*.deb; do
        dpkg -x "$package" "$cache/root"
    done
} >&2

loader=$(find "$cache/root" -name 'ld-linux*' | head -n 1)
library=$(dirname "$(find "$cache/root" -name 'libssl.so.3' | head -n 1)")
modules=$(find "$cache/root" -type d -name ossl-modules | head -n 1)
cat >"$wrapper" <<WRAPPER
#!/bin/sh
OPENSSL_MODULES='$modules' exec '$loader' --library-path '$library' '$cache/root/usr/bin/openssl' "\$@"
WRAPPER
chmod +x "$wrapper"
is_new_enough "$wrapper" || {
    echo "the OpenSSL that was fetched does not run" >&2
    exit 1
}
rm -rf "$cache/apt"
echo "$wrapper"
