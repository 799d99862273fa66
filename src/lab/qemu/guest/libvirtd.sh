#!/bin/sh
# Runs libvirtd for one node of the lab, in a mount namespace of its own where all its fixed places are the node's: nothing of the
# machine's own libvirt is seen or touched. Arguments: DIR (the node's libvirt folder), OVS (its Open vSwitch's), CACHE (what libvirt
# found out about QEMU, which takes it seconds), UUID (the node's).
set -e
dir=$1 ovs=$2 cache=$3 uuid=$4
mkdir -p "$dir/lib" "$dir/run" "$dir/log" "$dir/etc/qemu" "$cache"
mount -t tmpfs -o mode=755 none /run
mkdir /run/libvirt /run/openvswitch
for folder in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
  [ -d "$folder" ] || mkdir -p "$folder"
done
mount --bind "$dir/run" /run/libvirt
mount --bind "$ovs" /run/openvswitch
mount --bind "$dir/etc" /etc/libvirt
mount --bind "$dir/lib" /var/lib/libvirt
mount --bind "$dir/log" /var/log/libvirt
mount --bind "$cache" /var/cache/libvirt
# Debian's libvirtd insists on these, which another package makes.
getent passwd libvirt-qemu >/dev/null || {
  (cat /etc/passwd && echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin') >"$dir/passwd"
  mount --bind "$dir/passwd" /etc/passwd
}
getent group libvirt-qemu >/dev/null || {
  (cat /etc/group && printf 'libvirt-qemu:x:64055:\nlibvirt:x:64056:\n') >"$dir/group"
  mount --bind "$dir/group" /etc/group
}
cat >"$dir/libvirtd.conf" <<C
unix_sock_group = "root"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "$uuid"
C
cat >"$dir/etc/qemu.conf" <<C
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
dynamic_ownership = 0
stdio_handler = "file"
C
exec libvirtd -f "$dir/libvirtd.conf" -p "$dir/libvirtd.pid"
