#!/usr/bin/env bash
# Installs the Debian packages that building (`build`) or testing (`test`) needs, what a vendor would use (`vendors`), or
# what the front-desk page is built with and tried in (`page`), or what Debian packages are made with and tried in (`package`),
# if any is missing. Several at once: `install-deps.sh test page`.
# Where it may not install, it says what to install and stops.
set -euo pipefail

[ $# -gt 0 ] || set -- nothing
packages=()
for purpose in "$@"; do
  case "$purpose" in
    build) packages+=(gcc libc6-dev pkg-config libpcsclite-dev) ;;
    test) packages+=(gcc libc6-dev pkg-config libpcsclite-dev pcscd vsmartcard-vpcd opensc iproute2 util-linux mount curl jq oathtool openssl) ;;
    vendors)
      packages+=(gcc libc6-dev pkg-config libpcsclite-dev curl jq oathtool mono-mcs mono-runtime libmono-system-web-extensions4.0-cil)
      # These often come from elsewhere than Debian.
      command -v node >/dev/null && command -v npm >/dev/null || packages+=(nodejs npm)
      python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
      ;;
    # pngquant only where pictures of the screens are kept anew.
    page)
      packages+=(gcc libc6-dev pkg-config libpcsclite-dev curl chromium fonts-noto-cjk pngquant)
      command -v node >/dev/null && command -v npm >/dev/null || packages+=(nodejs npm)
      ;;
    # What the packages are made with and tried in (deploy/smoke).
    package) packages+=(gcc libc6-dev pkg-config libpcsclite-dev debhelper python3 systemd mmdebstrap util-linux iproute2 curl jq oathtool) ;;
    # Debian's rustc-web (bookworm-security) with the sources of its standard library; deploy/windows/build says why.
    windows)
      packages+=(rustc-web cargo-web rust-web-src rust-web-clippy gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix
        binutils-mingw-w64-x86-64 wixl msitools wine wine64 python3 gcc libc6-dev pkg-config libpcsclite-dev util-linux iproute2 curl jq oathtool)
      ;;
    *) echo "usage: $0 build|test|vendors|page|package|windows" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "Not a Debian system: make sure that these are installed: ${packages[*]} (or their equivalents)." >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -eq 0 ]; then
  sudo=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  sudo=(sudo -n)
else
  echo "These packages are missing, and installing them needs an administrator:" >&2
  echo "  sudo ${install[*]}" >&2
  exit 1
fi
echo "Installing: ${missing[*]}" >&2
log=$(mktemp)
if ! { "${sudo[@]}" apt-get update && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" "${install[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "Could not install: ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"
