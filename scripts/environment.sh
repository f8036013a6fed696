# shellcheck shell=sh
# Sourced by the verbs beside it, which set $root. Finds Python and makes .venv ready.

# A person's own settings would put other modules in front of ours.
unset PYTHONHOME PYTHONPATH
: "${root:?set by the verb}"

say() {
    printf '%s\n' "$*"
}

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Sets $python: $PYTHON if the caller chose one, else the first that is new enough.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer"
        python=$PYTHON
        return
    fi
    for python in python3.13 python3.12 python3.11 python3; do
        if is_new_enough "$python"; then return; fi
    done
    fail "Bakend needs Python 3.11 or newer, and none was found as python3.13, python3.12, python3.11 or python3" \
        "Install one, or name yours: PYTHON=/path/to/python3 $0"
}

# set_up runtime|dev: leaves .venv with what runs Bakend, or with what tests it too.
set_up() {
    find_python
    "$python" "$root/scripts/environment.py" "$1"
}
