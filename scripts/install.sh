#!/bin/sh
# Installs Bakend: finds the newest release, checks it, and puts `bak` in its place; as a service, if wanted.
#   curl --proto '=https' --tlsv1.2 -fsSL https://github.com/alpbak/bakend/releases/latest/download/install.sh | sh
#   … | sh -s -- --systemd          with options; `--help` has them all
# What cannot be checked is not installed, and what fails changes nothing.
# Everything is in functions that the last line starts: of a download that was cut short nothing runs.
# Exit code: 0 done · 2 wrong usage · 3 managed by others · 69 not to be had · 70 not what was published
#            73 cannot be written · 78 this host cannot run it, or lacks something · 1 anything else

# The place of releases, and of images for hosts that cannot run the file.
repository='alpbak/bakend'
image='ghcr.io/alpbak/bakend'
# Ed25519, base64; `scripts/release-key` writes them here and into src/bakend/upgrade/keys.py.
release_key='BQrIxUtsAKKiGu7NlYOdFUh01ukDmIBIeGR8FR77f2w='
# Its private half is public, in packaging/release/: a signature by it proves nothing.
test_key='BQrIxUtsAKKiGu7NlYOdFUh01ukDmIBIeGR8FR77f2w='
oldest_glibc='2.28'
instead="use the container image: docker run -p 8080:8080 -v bakend:/data $image"
with_python='with a Python 3.11 the zipapp of the release (bakend-v….pyz) runs'

project='/opt/bakend'
secrets='/etc/bakend'
units='/etc/systemd/system'
user='bakend'

usage() {
    cat <<'END'
Install Bakend, or remove it.

  --version V      this version (BAKEND_VERSION); without it, the newest
  --url URL        a folder with the files of a release (BAKEND_INSTALL_URL); without it, GitHub
  --dir DIR        where bak goes (BAKEND_INSTALL_DIR): /usr/local/bin for root, else ~/.local/bin
  --file FILE      a tarball that is already here (BAKEND_INSTALL_FILE), with SHA256SUMS or its
                   .sha256 beside it
  --sha256 HEX     the checksum of the tarball that you know (BAKEND_SHA256): no other is asked
  --allow-unsigned take a release without a signature (BAKEND_ALLOW_UNSIGNED=1)
  --systemd        also set up and start the service (BAKEND_INSTALL_SYSTEMD=1); needs root
  --socket         and let systemd hold its port (BAKEND_INSTALL_SOCKET=1), so that restarts
                   refuse nobody
  --listen WHERE   [ADDRESS:]PORT for --socket (BAKEND_INSTALL_LISTEN); without it, 8080
  --dry-run        say every step and change nothing (BAKEND_DRY_RUN=1)
  --uninstall      remove bak and its units; data stays, and it says where
  --help           this
END
}

main() {
    # Started by name, zsh has rules of its own.
    if [ -n "${ZSH_VERSION:-}" ]; then emulate sh; fi
    set -eu
    umask 022
    LC_ALL=C
    PATH=$PATH:/usr/sbin:/sbin
    export LC_ALL PATH
    read_options "$@"
    work=''
    new=''
    trap 'clean_up' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ -n "$uninstalls" ]; then
        uninstall
        return
    fi
    require_host
    if [ -n "$with_systemd" ]; then require_systemd; fi
    choose_directory
    find_tools
    work=$(mktemp -d "${TMPDIR:-/tmp}/bakend.XXXXXX") ||
        fail 73 "No temporary folder can be made below ${TMPDIR:-/tmp}" "Name another one: TMPDIR=DIR"
    if [ -n "$file" ]; then use_file; else find_release; fi
    say "Bakend $version for $target, to $directory/bak"
    if is_a_running_service; then
        hand_over
        return
    fi
    if [ -n "$dry" ]; then
        say "Would download and check $asset, and try it"
        say "Would put it in place as $directory/bak"
        if [ -e "$directory/bak" ]; then say "Would keep the present one as $directory/bak.prev"; fi
    else
        get_asset
        try_new
        replace
    fi
    if [ -n "$with_systemd" ]; then set_up_service; else say_next; fi
}

# What is asked

read_options() {
    version=${BAKEND_VERSION:-}
    url=${BAKEND_INSTALL_URL:-}
    directory=${BAKEND_INSTALL_DIR:-}
    file=${BAKEND_INSTALL_FILE:-}
    digest=${BAKEND_SHA256:-}
    listen=${BAKEND_INSTALL_LISTEN:-8080}
    unsigned='' with_systemd='' with_socket='' dry='' uninstalls=''
    is_yes "${BAKEND_ALLOW_UNSIGNED:-}" && unsigned=yes
    is_yes "${BAKEND_INSTALL_SYSTEMD:-}" && with_systemd=yes
    is_yes "${BAKEND_INSTALL_SOCKET:-}" && with_socket=yes
    is_yes "${BAKEND_DRY_RUN:-}" && dry=yes
    while [ $# -gt 0 ]; do
        case $1 in
            --allow-unsigned) unsigned=yes ;;
            --systemd) with_systemd=yes ;;
            --socket) with_socket=yes ;;
            --dry-run) dry=yes ;;
            --uninstall) uninstalls=yes ;;
            -h | --help)
                usage
                exit 0
                ;;
            --version | --url | --dir | --file | --sha256 | --listen)
                [ $# -ge 2 ] || fail 2 "$1 needs a value" "--help has the options"
                take_value "$1" "$2"
                shift
                ;;
            --version=* | --url=* | --dir=* | --file=* | --sha256=* | --listen=*)
                take_value "${1%%=*}" "${1#*=}"
                ;;
            *) fail 2 "Unknown option: $1" "--help has the options" ;;
        esac
        shift
    done
    version=${version#v}
    case $version in
        *[!0-9A-Za-z.+-]*) fail 2 "'$version' is no version" "Write it as 1.2.3" ;;
    esac
    url=${url%/}
    case $url in
        '' | https://?* | http://?*) ;;
        *) fail 2 "'$url' is no http:// or https:// address" ;;
    esac
    digest=$(printf %s "$digest" | tr 'A-F' 'a-f')
    if [ -n "$digest" ]; then
        is_digest "$digest" || fail 2 "'$digest' is no SHA-256 checksum" "It has 64 hexadecimal digits"
    fi
    if [ -n "$with_socket" ] && [ -z "$with_systemd" ]; then
        fail 2 "--socket goes with --systemd"
    fi
}

take_value() {
    case $1 in
        --version) version=$2 ;;
        --url) url=$2 ;;
        --dir) directory=$2 ;;
        --file) file=$2 ;;
        --sha256) digest=$2 ;;
        --listen) listen=$2 ;;
    esac
}

is_yes() {
    case $1 in
        1 | yes | true) return 0 ;;
        '' | 0 | no | false) return 1 ;;
        *) fail 2 "'$1' in a BAKEND_ variable is neither 1 nor 0" ;;
    esac
}

is_digest() {
    case $1 in
        *[!0-9a-f]*) return 1 ;;
    esac
    [ ${#1} -eq 64 ]
}

# What the host must be

require_host() {
    system=$(uname -s)
    case $system in
        Linux) ;;
        *) fail 78 "There is no bak for $system, only for Linux" "On this machine, $instead" ;;
    esac
    machine=$(uname -m)
    case $machine in
        x86_64 | amd64) target=linux-x64 ;;
        aarch64 | arm64) target=linux-arm64 ;;
        *) fail 78 "There is no bak for the processor $machine, only for x86-64 and arm64" \
            "On this machine, $with_python; the container image ($image) is for those two as well" ;;
    esac
    if [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 32 ]; then
        fail 78 "This system has 32 bits on a processor of 64, and bak needs 64" "On this system, $with_python; or $instead"
    fi
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p')
    if [ -z "$glibc" ]; then
        said=$(ldd --version 2>&1 || true)
        case $said in
            *musl*) fail_musl ;;
            *GLIBC* | *'GNU libc'*) glibc=$(printf '%s\n' "$said" | sed -n '1s/.* \([0-9][0-9.]*\)$/\1/p') ;;
        esac
    fi
    if [ -z "$glibc" ]; then
        for loader in /lib/ld-musl-*; do
            if [ -e "$loader" ]; then fail_musl; fi
        done
        return # not told; the new file is run before it takes any place
    fi
    if ! is_at_least "$glibc" "$oldest_glibc"; then
        fail 78 "This system has glibc $glibc, and bak needs $oldest_glibc or newer" "On this system, $instead"
    fi
}

fail_musl() {
    fail 78 "This system has musl instead of glibc (Alpine Linux?), and bak needs glibc" "On this system, $instead"
}

# Compares the first two numbers of two versions.
is_at_least() {
    a=${1%%.*} b=${2%%.*}
    if [ "$a" -ne "$b" ]; then
        [ "$a" -gt "$b" ]
        return
    fi
    a=${1#*.} b=${2#*.}
    [ "${a%%.*}" -ge "${b%%.*}" ]
}

require_systemd() {
    is_root || fail 78 "--systemd needs root" "Run it with sudo; a variable goes behind it: sudo BAKEND_INSTALL_SYSTEMD=1 sh"
    if [ ! -d /run/systemd/system ] || ! has systemctl; then
        fail 78 "This system was not started by systemd" \
            "Without --systemd bak is installed alone; start it by what starts services here"
    fi
    if ! getent passwd "$user" >/dev/null 2>&1 && ! has useradd; then
        fail 78 "useradd is missing, and there is no user $user" "Make that user first"
    fi
}

is_root() {
    [ "$(id -u)" = 0 ]
}

choose_directory() {
    if [ -z "$directory" ]; then
        if is_root; then
            directory=/usr/local/bin
        else
            [ -n "${HOME:-}" ] || fail 78 "There is no HOME to install below" "Name a folder: --dir DIR"
            directory=$HOME/.local/bin
        fi
    fi
    case $directory in
        /*) ;;
        *) directory=$PWD/$directory ;;
    esac
    if [ -d "$directory/bak" ]; then
        fail 73 "$directory/bak is a folder" "Name another one: --dir DIR"
    fi
    if [ -e "$directory/bak.managed" ]; then
        fail 3 "$directory/bak belongs to $(head -n 1 "$directory/bak.managed")" "Install the new version by that"
    fi
    if [ -n "$uninstalls" ] && [ ! -d "$directory" ]; then return; fi
    if [ -d "$directory" ]; then
        [ -w "$directory" ] || fail_unwritable "$directory"
    elif [ -z "$dry" ]; then
        mkdir -p "$directory" 2>/dev/null || fail_unwritable "$directory"
    fi
}

fail_unwritable() {
    fail 73 "$1 cannot be written by $(id -un 2>/dev/null || id -u)" \
        "Run it with sudo, name another folder (--dir DIR), or $instead"
}

find_tools() {
    if has curl; then loader=curl; elif has wget; then loader=wget; else
        loader=''
        [ -n "$file" ] || fail 78 "Neither curl nor wget is here to download with" \
            "Install one of them, or bring the tarball and SHA256SUMS here and name it: --file FILE"
    fi
    if has sha256sum; then summer='sha256sum'; elif has shasum; then summer='shasum -a 256'; elif has openssl; then
        summer='openssl dgst -sha256 -r'
    else
        fail 78 "Neither sha256sum nor shasum nor openssl is here to check the download" "Install one of them"
    fi
    has tar || fail 78 "tar is missing" "Install it"
    has gzip || fail 78 "gzip is missing" "Install it"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Finding and checking

find_release() {
    if [ -n "$url" ]; then
        from=$url
    elif [ -n "$version" ]; then
        from=https://github.com/$repository/releases/download/v$version
    else
        from=https://github.com/$repository/releases/latest/download
    fi
    fetch "$from/SHA256SUMS" "$work/SHA256SUMS"
    check_signature "$work/SHA256SUMS" fetch_signature
    sums=$work/SHA256SUMS
    choose_version
    # The newest may be another one by now.
    if [ -z "$url" ]; then from=https://github.com/$repository/releases/download/v$version; fi
    asset=$from/$name
}

fetch_signature() {
    try_fetch "$from/SHA256SUMS.sig" "$1"
}

# Which version the newest is, SHA256SUMS tells, because that is what was signed: the file with the name
# that never changes has the same checksum as one that has its version in its name.
choose_version() {
    if [ -n "$version" ]; then
        name=bakend-v$version-$target.tar.gz
        wanted=$(sum_of "$name")
        [ -n "$wanted" ] || fail 69 "There is no $name in this release" "SHA256SUMS names: $(names_in)"
        return
    fi
    wanted=$(sum_of "bakend-latest-$target.tar.gz")
    name=$(sed -n "s/^${wanted:-none}  \(bakend-v[0-9A-Za-z.+-]*-$target\.tar\.gz\)$/\1/p" "$sums" | head -n 1)
    [ -n "$name" ] || fail 69 "This release has no newest file for $target" "SHA256SUMS names: $(names_in)"
    version=${name#bakend-v}
    version=${version%"-$target.tar.gz"}
}

sum_of() {
    while read -r sum each; do
        if [ "$each" = "$1" ] && is_digest "$sum"; then
            printf '%s\n' "$sum"
            return
        fi
    done <"$sums"
}

names_in() {
    sed 's/^.*  //' "$sums" | tr '\n' ' ' | tr -cd '[:print:]' | cut -c 1-400
}

use_file() {
    [ -f "$file" ] || fail 69 "$file is not there"
    name=${file##*/}
    beside=$(CDPATH='' cd -- "$(dirname -- "$file")" && pwd -P)
    asset=$beside/$name
    version=''
    case $name in
        bakend-v*-"$target".tar.gz)
            version=${name#bakend-v}
            version=${version%"-$target.tar.gz"}
            ;;
    esac
    if [ -n "$digest" ]; then
        wanted=$digest
    elif [ -f "$beside/SHA256SUMS" ]; then
        sums=$beside/SHA256SUMS
        check_signature "$sums" copy_signature
        wanted=$(sum_of "$name")
        [ -n "$wanted" ] || fail 70 "$sums does not name $name"
    elif [ -f "$asset.sha256" ]; then
        sums=$asset.sha256
        wanted=$(sum_of "$name")
        [ -n "$wanted" ] || fail 70 "$sums does not name $name"
        say "Only the checksum can be checked: there is no SHA256SUMS beside the file, which is what is signed"
    else
        fail 70 "Nothing is there to check $file against" \
            "Put SHA256SUMS and SHA256SUMS.sig of the release beside it, or name its checksum: --sha256 HEX"
    fi
    if [ -z "$version" ]; then version='of this file'; fi
}

copy_signature() {
    cat "$beside/SHA256SUMS.sig" >"$1" 2>/dev/null
}

# check_signature FILE GETTER: GETTER PATH puts the signature there, or fails.
check_signature() {
    if [ -n "$digest" ]; then return; fi # it was named: nothing else counts
    if ! openssl pkeyutl -help 2>&1 | grep -q -e '-rawin'; then
        case ${from:-} in
            http://127.0.0.1[:/]* | http://localhost[:/]* | "http://[::1]"* | https://* | '') ;;
            *) fail 70 "What comes from $from could be anybody's: it is not encrypted, and no signature can be checked here" \
                "Install openssl 3, use https://, or name the checksum: --sha256 HEX" ;;
        esac
        say "Only the checksum is checked, not the signature: that takes openssl 3"
        return
    fi
    if ! "$2" "$work/sig"; then
        if [ -n "$unsigned" ]; then
            say "Only the checksum is checked: this release is not signed"
            return
        fi
        fail 70 "This release is not signed: it has no SHA256SUMS.sig, or that cannot be had" \
            "If it is your own and you trust where it comes from: --allow-unsigned"
    fi
    printf -- '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%s\n-----END PUBLIC KEY-----\n' "$release_key" >"$work/key"
    if ! openssl pkeyutl -verify -pubin -inkey "$work/key" -rawin -in "$1" -sigfile "$work/sig" >/dev/null 2>&1; then
        fail 70 "The signature of this release is wrong: somebody has changed it, or it is not ours" \
            "Nothing was installed; try again, and tell us if it stays so"
    fi
    if [ "$release_key" = "$test_key" ]; then
        say "The signature is that of the test key, which anybody can use: it proves nothing"
    else
        say "The signature is right"
    fi
}

fetch() {
    if try_fetch "$1" "$2"; then return; fi
    case $1 in
        */SHA256SUMS) fail 69 "$1 cannot be downloaded: $said" "Is there such a version, and is this the folder of a release?" ;;
        *) fail 69 "$1 cannot be downloaded: $said" "Try again later, or bring it here by hand: --file FILE" ;;
    esac
}

try_fetch() {
    only=''
    case $1 in
        https://*) only=yes ;;
    esac
    if [ "$loader" = curl ]; then
        set -- "$2" "$1"
        if [ -n "$only" ]; then set -- "$@" --proto '=https' --tlsv1.2; fi
        said=$(curl -fsSL --retry 2 --connect-timeout 20 --speed-time 60 --speed-limit 1 \
            --max-filesize 100000000 -o "$@" 2>&1 </dev/null)
    else
        said=$(wget -q -O "$2" "$1" 2>&1 </dev/null) || {
            said="wget failed (exit code $?) $said"
            return 1
        }
    fi
}

get_asset() {
    packed=$work/packed
    if [ -n "$file" ]; then
        cp -- "$asset" "$packed" || fail 73 "$asset cannot be copied to $work"
    else
        fetch "$asset" "$packed"
    fi
    if [ -n "$digest" ]; then wanted=$digest; fi
    found=$($summer <"$packed" | cut -c 1-64)
    if [ "$found" != "$wanted" ]; then
        fail 70 "$name is not what was published: its checksum is $found instead of $wanted" \
            "Nothing was installed; try again, and tell us if it stays so"
    fi
}

# Putting it in place

try_new() {
    new=$directory/.bak.new.$$
    # One member, to a name of ours: nothing else of the archive is unpacked.
    if ! (gzip -dc "$packed" | tar -xf - -O bak >"$new") 2>"$work/said" || [ ! -s "$new" ]; then
        fail 73 "bak cannot be unpacked to $directory: $(head -n 1 "$work/said")" "Is there room for 40 MB?"
    fi
    chmod 755 "$new"
    code=0
    found=$("$new" version </dev/null 2>"$work/said") || code=$?
    case $code in
        0) ;;
        126) fail 73 "Programs in $directory cannot be run: it may be mounted noexec" \
            "Name another folder (--dir DIR), or $instead" ;;
        *) fail 78 "The new bak does not run here (exit code $code): $(head -n 2 "$work/said" | tr '\n' ' ')" \
            "On this system, $instead" ;;
    esac
    if [ "$version" = 'of this file' ]; then version=$found; fi
    if [ "$found" != "$version" ]; then
        fail 70 "The new bak says that it is version $found, not $version" "Nothing was installed"
    fi
    "$new" verify </dev/null >/dev/null || fail 70 "The new bak is damaged" "Nothing was installed; try again"
}

replace() {
    sync "$new" 2>/dev/null || true # where sync takes a name
    if [ -e "$directory/bak" ]; then
        if cmp -s "$new" "$directory/bak"; then
            rm -f -- "$new"
            new=''
            say "$directory/bak is this very file already"
            return
        fi
        ln -f -- "$directory/bak" "$directory/bak.prev" 2>/dev/null ||
            cp -p -- "$directory/bak" "$directory/bak.prev" || fail_unwritable "$directory"
        say "The present one is kept as $directory/bak.prev"
    fi
    # A rename: whoever runs bak meanwhile gets the old one or the new one, and a running one goes on.
    mv -f -- "$new" "$directory/bak" || fail_unwritable "$directory"
    new=''
    say "Installed $directory/bak"
}

is_a_running_service() {
    [ -x "$directory/bak" ] && is_root && has systemctl &&
        systemctl is-active --quiet bakend.service 2>/dev/null &&
        systemctl show --property ExecStart bakend.service | grep -q -F "path=$directory/bak ;" &&
        [ "$("$directory/bak" version </dev/null 2>/dev/null)" != "$version" ]
}

# The present one upgrades itself: it waits for the new one, and goes back to itself if that fails.
hand_over() {
    say "It runs as a service here: the present one does the upgrade"
    if [ -n "$digest" ]; then
        fail 2 "An upgrade takes no --sha256" "Leave it out, or stop the service first: systemctl stop bakend"
    fi
    if [ -n "$file" ]; then set -- --file "$asset"; else set -- --version "$version"; fi
    if [ -n "$dry" ]; then
        say "Would run: $directory/bak upgrade $*"
        return
    fi
    BAKEND_INSTALL_URL=$url "$directory/bak" upgrade "$@" </dev/null
}

say_next() {
    if [ -n "$dry" ]; then return; fi
    case :$PATH: in
        *:"$directory":*)
            first=$(command -v bak || true)
            if [ "$first" != "$directory/bak" ]; then
                say "But \`bak\` is another one at the moment: $first stands first on the PATH"
            fi
            ;;
        *) say "$directory is not on the PATH; this puts it there:  export PATH=\"$directory:\$PATH\"" ;;
    esac
    say "Next:  bak init my-project && cd my-project && bak dev"
    if has systemctl; then say "As a service:  run this again as root, with --systemd"; fi
}

# The service

set_up_service() {
    if ! getent passwd "$user" >/dev/null 2>&1; then
        step "Make the user $user" useradd --system --user-group --home-dir "$project" --no-create-home \
            --shell /usr/sbin/nologin "$user"
    fi
    if [ ! -d "$project" ]; then
        step "Make $project for the project" install -d -o "$user" -g "$user" -m 0750 "$project"
    fi
    if [ ! -s "$secrets/jwt_secret" ]; then
        step "Make the secret $secrets/jwt_secret" make_secret
    fi
    step "Write $units/bakend.service" write_unit bakend.service --executable "$directory/bak"
    if [ -n "$with_socket" ]; then
        step "Write $units/bakend.socket, listening on $listen" write_unit bakend.socket --socket --listen "$listen"
    fi
    step "Start it, now and after each boot" start_service
    if [ -z "$dry" ]; then greet; fi
}

# step TEXT COMMAND…
step() {
    if [ -n "$dry" ]; then
        say "Would do: $1"
        return
    fi
    say "$1"
    shift
    "$@" </dev/null
}

make_secret() {
    install -d -m 0700 "$secrets"
    (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$secrets/.jwt_secret.new")
    [ "$(wc -c <"$secrets/.jwt_secret.new")" -eq 64 ] || fail 1 "/dev/urandom gives no randomness"
    mv -f "$secrets/.jwt_secret.new" "$secrets/jwt_secret"
}

# write_unit NAME OPTIONS…: replaces it only if it would be another one.
write_unit() {
    unit=$units/$1
    shift
    "$directory/bak" systemd print-unit "$@" >"$work/unit" || fail 1 "bak prints no unit"
    if [ -e "$unit" ] && ! cmp -s "$unit" "$work/unit"; then
        cp -p -- "$unit" "$unit.prev"
        say "  another one was there, and is kept as $unit.prev; changes of your own belong into a drop-in: systemctl edit bakend"
    fi
    cat "$work/unit" >"$unit.new"
    chmod 644 "$unit.new"
    mv -f -- "$unit.new" "$unit"
}

start_service() {
    systemctl daemon-reload
    if [ -n "$with_socket" ] && ! systemctl is-active --quiet bakend.socket; then
        systemctl stop bakend.service 2>/dev/null || true # its port becomes systemd's
        systemctl enable --quiet --now bakend.socket || fail_service bakend.socket
    fi
    systemctl enable --quiet bakend.service
    systemctl start bakend.service || fail_service bakend.service
    # It says itself on which port it serves.
    port=$(systemctl show --property StatusText --value bakend.service | sed -n 's/^Serving on port \([0-9]*\).*/\1/p')
    "$directory/bak" health --url "http://127.0.0.1:${port:-8080}" --timeout 30 >/dev/null || fail_service bakend.service
}

fail_service() {
    journalctl --no-pager --quiet --output=cat --lines=8 --unit="$1" >&2 || true
    fail 1 "$1 does not start; above are its last words" "Mend that, then: systemctl start $1"
}

greet() {
    say "Bakend $version answers on http://$(hostname 2>/dev/null || echo localhost):${port:-8080}/"
    link=$(journalctl --no-pager --quiet --output=cat --unit=bakend.service 2>/dev/null |
        sed -n 's/.*Make one at \(http[^ ]*\).*/\1/p' | tail -n 1)
    if [ -n "$link" ]; then
        say "There is no administrator yet. Make one at $link"
    else
        say "The link for the first administrator, if there is none yet: journalctl -u bakend"
    fi
    say "The project is in $project; look at it:  systemctl status bakend"
}

# Away with it

uninstall() {
    choose_directory
    if is_root && has systemctl; then
        for each in bakend.socket bakend.service; do
            if grep -q 'bak systemd print-unit' "$units/$each" 2>/dev/null; then
                step "Stop and remove $each" remove_unit "$each"
            fi
        done
    fi
    gone=''
    for each in "$directory/bak" "$directory/bak.prev"; do
        if [ -e "$each" ]; then
            gone=yes
            step "Remove $each" rm -f -- "$each"
        fi
    done
    if [ -z "$gone" ]; then say "There is no bak in $directory"; fi
    for each in "$project" "$secrets" /etc/default/bakend; do
        if [ -e "$each" ]; then say "Left where it is: $each"; fi
    done
    if [ -e "$project" ]; then
        say "Nobody needs it any more?  rm -r $project $secrets && userdel $user"
    fi
}

remove_unit() {
    systemctl disable --quiet --now "$1" || true
    rm -f -- "$units/$1"
    systemctl daemon-reload
}

# Words

say() {
    printf '%s\n' "$*"
}

# fail CODE SENTENCE [WAY OUT]
fail() {
    code=$1
    shift
    printf 'bakend: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf '  %s\n' "$2" >&2; fi
    exit "$code"
}

clean_up() {
    if [ -n "$new" ]; then rm -f -- "$new"; fi
    if [ -n "$work" ]; then rm -rf -- "$work"; fi
}

main "$@"
