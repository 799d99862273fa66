#!/bin/sh
# The first process of a bare machine: private copies of the folders that an installation writes to, then nothing but waiting.
# $1: scratch folder, $2: host name, $3: checkout, $4: folder of stand-ins.
set -eu
hostname "$2"
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
for folder in etc var run opt root usr/local; do
  own="$1/$(echo "$folder" | tr / -)"
  mkdir -p "$own/upper" "$own/work"
  mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$own/upper,workdir=$own/work" "/$folder"
done
mount -t proc proc /proc
rm -rf /run/openvswitch /run/ovn /run/netns /var/lib/openvswitch/* /var/lib/ovn/* /etc/openvswitch/* /etc/trunkline /var/lib/trunkline*
mkdir -p /run/netns /opt/trunkline
mount --bind "$3" /opt/trunkline
for program in "$4"/*; do install -m 755 "$program" "/usr/local/sbin/${program##*/}"; done
ip link set lo up
echo up >"$1/up"
# As on any machine, the first process collects what has ended.
while :; do
  sleep 1 &
  wait
done
