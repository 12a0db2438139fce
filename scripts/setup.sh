#!/usr/bin/env bash
# Makes a Debian machine ready for Penstock: what is missing, and only that.
#
#   scripts/setup.sh build   for `make` and `make demo`: compiler, libraries, .venv
#   scripts/setup.sh test    for `make test` and `make lint` too: test tools, services
#   scripts/setup.sh airflow for a whole Airflow too: PostgreSQL
#
# As root missing packages are installed; otherwise one line names them. What is there
# is asked of the machine (programs on PATH, pkg-config), not of the package manager, so
# a tool installed in another way counts. When nothing is missing it takes under 1 s.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-build}
missing=()

fail() {
    echo "setup: $*" >&2
    exit 1
}

need_program() { # program package
    command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}

need_library() { # pkg-config-name package
    pkg-config --exists "$1" 2>/dev/null || missing+=("$2")
}

need_file() { # glob package
    compgen -G "$1" >/dev/null || missing+=("$2")
}

# The newest Python will not always have wheels, so the one on PATH goes first.
find_python() {
    local candidate
    for candidate in python3 python3.11 python3.12 python3.13 python3.14; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

check_python() {
    python=$(find_python)
    if [ -z "$python" ]; then
        missing+=(python3 python3-venv python3-dev)
        return
    fi
    "$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    "$python" -c 'import os, sys, sysconfig as s
sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' || missing+=(python3-dev)
}

check_build() {
    need_program cc gcc
    need_program make make
    need_program pkg-config pkg-config
    need_library rdkafka librdkafka-dev
    need_library libcurl libcurl4-openssl-dev
    need_library jansson libjansson-dev
    need_library libmicrohttpd libmicrohttpd-dev
    need_library libcrypto libssl-dev
    need_library zlib zlib1g-dev
    need_library libzstd libzstd-dev
}

check_test() {
    need_program systemd-analyze systemd
    need_program groff groff
    need_program man man-db
    need_library cmocka libcmocka-dev
    need_program valgrind valgrind
    need_program clang clang
    need_file '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a' libclang-rt-14-dev
    need_program clang-format clang-format
    need_program clang-tidy clang-tidy
    need_program shellcheck shellcheck
    need_program ctags universal-ctags
    need_program spin spin
    need_program gzip gzip
    need_program zstd zstd
    need_program java default-jre-headless
    need_program mvn maven
    need_program go golang-go
    need_program npm npm
    need_program chromium chromium
}

# For the plugin of s3.client=libs3 and its tests; a distribution may not have it.
install_optional() {
    [ -e /usr/include/libs3.h ] && return
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1 ||
        ! DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
            install -y --no-install-recommends libs3-dev >/dev/null 2>&1 </dev/null; then
        echo "setup: no libs3-dev: the plugin for s3.client=libs3 is not built or tested"
    fi
}

check_airflow() {
    need_file '/usr/lib/postgresql/*/bin/initdb' postgresql
    need_program setpriv util-linux
}

install_missing() {
    [ ${#missing[@]} -eq 0 ] && return
    local command="apt-get install -y --no-install-recommends ${missing[*]}"
    command -v apt-get >/dev/null 2>&1 || fail "missing: ${missing[*]} (Debian's names)"
    [ "$(id -u)" -eq 0 ] || fail "missing packages: sudo $command"
    echo "setup: $command"
    local log
    log=$(mktemp)
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
        install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        fail "apt-get failed"
    fi
    rm -f "$log"
    missing=()
}

make_venv() {
    local stamp=".venv/.penstock-$mode" want requirements=requirements-dev.txt
    want=$(sha256sum requirements-dev.txt)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && .venv/bin/python -c '' 2>/dev/null; then
        return
    fi
    echo "setup: .venv ($mode)"
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --clear .venv
    fi
    if [ "$mode" = build ]; then
        requirements=$(mktemp)
        sed -n '/^# build$/,/^$/p' requirements-dev.txt >"$requirements"
    fi
    .venv/bin/python -m pip install -q --disable-pip-version-check \
        --no-input -r "$requirements" </dev/null || fail "pip failed"
    [ "$mode" = build ] && rm -f "$requirements"
    echo "$want" >"$stamp"
}

case $mode in
build | test | airflow) ;;
*) fail "usage: scripts/setup.sh build|test|airflow" ;;
esac
check_build
[ "$mode" = build ] || check_test
if [ "$mode" = airflow ]; then
    check_airflow
    mode="test" # the rest is the same
fi
check_python
install_missing
[ "$mode" = build ] || install_optional
[ -n "$python" ] || python=$(find_python)
[ -n "$python" ] || fail "Python 3.11 or newer is needed, and this system's is older"
make_venv
[ "$mode" = build ] || .venv/bin/python -m tests.services install
