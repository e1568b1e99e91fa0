#!/bin/sh
# Set-up steps, each quiet when it works: its log is shown only when it fails.
#   setup.sh system             Debian packages (root or sudo, and only when one is missing)
#   setup.sh venv FILE...       .venv from /usr/bin/python3 with these requirements files
#   setup.sh extra PACKAGE...   further Debian packages, for test-qgis340
set -u
cd "$(dirname "$0")/.." || exit 1
PACKAGES="python3-qgis qgis-providers qgis python3-venv python3-gdal python3-numpy python3-scipy
          xvfb xauth ca-certificates git make postgresql postgresql-postgis"
mkdir -p .build/run .build/tmp
chmod 700 .build/run

# quietly LOG COMMAND...: the command's output goes to a log, shown when it fails
quietly() {
    log=.build/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null && return 0
    cat "$log" >&2
    echo "Set-up stopped: '$*' failed; its output stands above." >&2
    return 1
}

have_system() {
    /usr/bin/python3 -c 'import qgis.core, qgis.gui, osgeo.gdal, numpy, scipy, venv, ensurepip' \
        2>/dev/null || return 1
    for program in qgis qgis.bin qgis_process.bin Xvfb xvfb-run xauth git; do
        command -v "$program" >/dev/null || return 1
    done
    # the team store is tested against a live PostGIS
    ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 || return 1
    [ -e /usr/lib/qgis/plugins/libprovider_wms.so ] && [ -d /usr/share/qgis/python/plugins/processing ]
}

apt() {
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "Root is needed once: apt-get install --no-install-recommends $*" >&2
            return 1
        }
        as_root=sudo
    fi
    # apt's own sandbox user cannot enter our TMPDIR
    quietly apt-update $as_root env -u TMPDIR apt-get -o Acquire::Retries=3 update &&
        quietly apt-install $as_root env -u TMPDIR DEBIAN_FRONTEND=noninteractive \
            apt-get -o Acquire::Retries=3 install -y --no-install-recommends "$@"
}

case "$1" in
system)
    have_system && exit 0
    echo "Set-up: QGIS and its tools from Debian (about two minutes)"
    # shellcheck disable=SC2086
    apt $PACKAGES || exit 1
    have_system || {
        echo "QGIS was installed and still cannot be imported by /usr/bin/python3." >&2
        exit 1
    }
    ;;
venv)
    shift
    echo "Set-up: Python packages of $* (seconds)"
    .venv/bin/python -c 'import pip' 2>/dev/null ||
        quietly venv /usr/bin/python3 -m venv --clear --system-site-packages .venv || exit 1
    for file in "$@"; do set -- "$@" -r "$file"; shift; done
    quietly pip .venv/bin/python -m pip install -q --disable-pip-version-check --no-input "$@"
    ;;
extra)
    shift
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
            missing="$missing $package"
    done
    [ -z "$missing" ] && exit 0
    # shellcheck disable=SC2086
    apt $missing
    ;;
*)
    sed -n 2,5p "$0" >&2
    exit 2
    ;;
esac
