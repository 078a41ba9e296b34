# Sourced by scripts/demo and scripts/test: a virtual environment in .venv, made when missing.
#
# setup_venv EXTRAS...   installs asyncfind with these extras, pinned by constraints.txt; installs
#                        again only when pyproject.toml or constraints.txt changed since.

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
                >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    echo "asyncfind needs Python 3.11 or later with its venv module" \
        "(Debian: apt-get install python3 python3-venv)." >&2
    return 1
}

setup_venv() {
    local extras=$1 python stamp
    if ! [ -x .venv/bin/python ]; then
        python=$(find_python) || return 1
        echo "Making .venv with $python ..." >&2
        "$python" -m venv .venv || return 1
    fi
    stamp=.venv/installed-$(echo "$extras" | tr , -)-$(cat pyproject.toml constraints.txt | cksum | tr ' ' -)
    if ! [ -e "$stamp" ]; then
        echo "Installing asyncfind[$extras] into .venv ..." >&2
        .venv/bin/python -m pip install --quiet --disable-pip-version-check \
            --constraint constraints.txt --editable ".[$extras]" || return 1
        rm -f .venv/installed-"$(echo "$extras" | tr , -)"-*
        touch "$stamp"
    fi
}
