# What the recipes share. Each is a program of its own, `recipe reads | tools | make ROOT IMAGE`, that
# starts in tests/node/images and sources this; it has the functions reads, tools and make.
set -euo pipefail
top=$(cd ../../.. && pwd)

run() { # ARGUMENTS of the recipe
  case $1 in
  reads) reads ;;
  tools) tools ;;
  make) make "$2" "$3" ;;
  esac
}

need() { # COMMAND HINT
  command -v "$1" >/dev/null && return
  echo "no $1: $2" >&2
  exit 1
}

pack() { # ROOT IMAGE OPTION...
  local root=$1 image=$2
  shift 2
  "$top/manifests/image/pack" "$root" "$image" \
    --name "docker.io/local/$(basename "$(dirname "$0")"):test" --env HOME=/tmp \
    --env PATH=/usr/local/bin:/usr/bin:/bin "$@"
}

# A shell and its tools, one static file; what a container engine or a program expects to be there. The
# system's certificates are those that the test mounts: what asks AWS's own names asks the sandbox.
base() { # ROOT
  need busybox "install busybox-static"
  install -d "$1/bin" "$1/etc/ssl/certs" "$1/usr/bin" "$1/usr/local/bin"
  install -d -m 1777 "$1/tmp"
  install -m 755 "$(command -v busybox)" "$1/bin/busybox"
  local applet
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
  done
  ln -s /test-ca/ca.crt "$1/etc/ssl/certs/ca-certificates.crt"
  echo "root:x:0:0:root:/:/bin/sh" >"$1/etc/passwd"
  echo "nobody:x:65534:65534:nobody:/tmp:/bin/sh" >>"$1/etc/passwd"
  echo "hosts: files dns" >"$1/etc/nsswitch.conf"
}

# The shared libraries that the programs and libraries in the folder ask for, from where this machine
# has them; those that are in the folder already stay as they are.
libraries() { # ROOT
  local root=$1 library
  find "$root" -type f \( -perm -u+x -o -name '*.so' -o -name '*.so.*' \) -print0 |
    { xargs -0 -n 50 ldd 2>/dev/null || true; } | # it minds what is no program, and static ones
    sed -nE 's/^[[:space:]]*([^ ]+ => )?(\/[^ ]+) \(0x[0-9a-f]+\)$/\2/p' | sort -u |
    while read -r library; do
      case $library in
      "$root"/*) ;;
      *) [ -e "$root$library" ] || install -D "$(realpath "$library")" "$root$library" ;;
      esac
    done
}

# Puts in /whoami, and one SDK's program beside it.
program() { # ROOT SDK VERSION WORD...
  local root=$1 sdk=$2 version=$3
  shift 3
  install -d "$root/sdk"
  [ -e "$root/whoami" ] || install -m 755 whoami "$root/whoami"
  echo "$sdk $version" >>"$root/sdk/versions"
  printf '#!/bin/sh\nexec %s\n' "$*" >"$root/sdk/$sdk"
  chmod 755 "$root/sdk/$sdk"
}

lock() { # FILE PACKAGE: the version in a Cargo.lock
  awk -v name="name = \"$2\"" '$0 == name {getline; gsub(/version = |"/, ""); print; exit}' "$1"
}
