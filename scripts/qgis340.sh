#!/bin/sh
# Unpack QGIS 3.40 from Debian 12's backports beside the installed QGIS: qgis340.sh FOLDER
# Nothing is installed but four small Qt packages that 3.40 needs and 3.22 does not; 3.40 runs on
# the same Python, Qt and GDAL. Its exact version is read from the package index.
set -eu
side=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

echo "Set-up: QGIS 3.40 into $1 (120 MB, half a minute)"
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" { print $2; exit }')
if [ -z "$mirror" ]; then
    echo "QGIS 3.40 can be unpacked only on Debian 12 (bookworm); apt knows no such suite here." >&2
    exit 1
fi
"$here/setup.sh" extra python3-pyqt5.qtserialport python3-pyqt5.qtmultimedia \
    libqt5multimediawidgets5 libqt5serialport5

mkdir -p "$side/lists/partial" "$side/cache/archives/partial" "$side/debs" "$side/root"
key=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$key] $mirror bookworm-backports main" >"$side/sources.list"
apt() {
    program=$1
    shift
    env -u TMPDIR "$program" -o Dir::Etc::sourcelist="$side/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$side/lists" \
        -o Dir::Cache="$side/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"
}
log=$side/setup.log
apt apt-get update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
version=$(apt apt-cache show python3-qgis | sed -n 's/^Version: \([0-9.]*\).*/\1/p' | sort -V | tail -1)
case $version in
3.40.*) ;;
*) echo "bookworm-backports offers QGIS '$version', not 3.40; adapt $0." >&2; exit 1 ;;
esac

cd "$side/debs"
rm -f ./*.deb
packages="python3-qgis python3-qgis-common qgis qgis-common qgis-providers qgis-providers-common
          libqgis-customwidgets libqgispython$version"
for part in 3d analysis app core gui native server; do
    packages="$packages libqgis-$part$version"
done
# shellcheck disable=SC2086
apt apt-get download $packages >>"$log" 2>&1 || { cat "$log" >&2; exit 1; }
rm -rf "$side/root"
for deb in ./*.deb; do
    dpkg -x "$deb" "$side/root"
done
rm -rf "$side/debs" "$side/cache"
echo "$version" >"$side/version"
