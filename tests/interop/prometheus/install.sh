#!/bin/sh
# install.sh DIRECTORY: unpacks Debian's package of Prometheus into DIRECTORY. Nothing is installed into the system.
set -eu
rm -rf "$1"
mkdir -p "$1"
cd "$1"
apt-get download -q prometheus || { apt-get update -q && apt-get download -q prometheus; }
dpkg -x prometheus_*.deb .
rm prometheus_*.deb
