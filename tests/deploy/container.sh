#!/usr/bin/env bash
# Runs one container of a rendered pod without a container engine: a root of its own that nobody can write to, made of this
# machine's programs and the repository at /app, as our images have it; the pod's mounts; the user 1000 without capabilities.
#   nsenter --net=… unshare --mount --pid --fork container.sh ROOT APP NODE HOSTS \
#     [SOURCE TARGET ro|rw]… -- [NAME=VALUE]… -- PROGRAM [ARGUMENT]…
set -euo pipefail
root=$1 app=$2 node=$3 hosts=$4
shift 4

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root"/{proc,dev,etc,app,opt/bin,data,join,tmp}

show() {
  mount --bind "$1" "$2"
  [[ $3 == rw ]] || mount -o remount,bind,ro "$2"
}

mount -t proc proc "$root/proc"
for folder in usr bin sbin lib lib64; do
  if [[ -L /$folder ]]; then
    cp -P "/$folder" "$root/"
  elif [[ -d /$folder ]]; then
    mkdir "$root/$folder"
    show "/$folder" "$root/$folder" ro
  fi
done
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
printf 'root:x:0:0::/:/bin/sh\nnode:x:1000:1000::/tmp:/bin/sh\n' >"$root/etc/passwd"
touch "$root/etc/hosts" "$root/opt/bin/node"
show "$hosts" "$root/etc/hosts" ro
show "$app" "$root/app" ro
show "$node" "$root/opt/bin/node" ro
for name in mvm-ci worker flawless; do ln -s "/app/packages/cli/bin/$name.mjs" "$root/opt/bin/$name"; done

while [[ $1 != -- ]]; do
  mkdir -p "$root$2"
  show "$1" "$root$2" "$3"
  shift 3
done
shift
variables=()
while [[ $1 != -- ]]; do
  variables+=("$1")
  shift
done
shift

mount -o remount,ro "$root"
exec chroot "$root" /usr/bin/env -i --chdir=/data PATH=/opt/bin:/usr/bin:/bin NODE_ENV=production HOME=/tmp "${variables[@]}" \
  /usr/bin/setpriv --reuid 1000 --regid 1000 --groups 1000 --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
