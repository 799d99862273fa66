#!/bin/sh
# Makes a guest's machine and becomes its first process. Runs as process 1 of new mount, uts and pid namespaces, in the guest's
# network namespace.  Arguments: BASE (programs shared by all guests), OWN (the instance's folder), ID (the instance).
# Until pivot_root every path lies where no guest can write: a link that a guest left behind must never lead into the node.
set -e
base=$1 own=$2 id=$3
mkdir -p "$own/machine" "$own/disk/etc" "$own/disk/root" "$own/disk/home" "$own/disk/var"
mount -t tmpfs -o mode=755,size=16m tmpfs "$own/machine"
cd "$own/machine"
mkdir bin sbin lib lib64 usr etc root home var proc sys dev run tmp mnt
for part in bin sbin lib lib64 usr; do
  mount -o bind "$base/$part" "$part"
  mount -o remount,ro,bind "$part"
done
# What a guest keeps over a reboot. Mounted one by one, so that none of them can be exchanged for a link.
for part in etc root home var; do mount -o bind "$own/disk/$part" "$part"; done
mount -t tmpfs -o mode=755,size=16m tmpfs run
mount -t tmpfs -o mode=1777,size=64m tmpfs tmp
mkdir run/boot
mount -o bind "$own/boot" run/boot
mount -o remount,ro,bind run/boot

# The kernel's settings are everybody's, but for the network's, which are the namespace's own.
mount -t proc proc proc
mount -o bind proc/sys/net mnt
mount -o bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -o bind mnt proc/sys/net
umount mnt
[ ! -e proc/sysrq-trigger ] || mount -o bind /dev/null proc/sysrq-trigger

# Device nodes are borrowed: making them is refused in a user namespace.
mount -t tmpfs -o mode=755,size=64k tmpfs dev
for node in null zero full random urandom tty; do
  : >"dev/$node"
  mount -o bind "/dev/$node" "dev/$node"
done
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

# What of the machine's description guests look at: their own interfaces (where the kernel lets us mount sysfs) and who they are.
mount -t tmpfs -o mode=755,size=64k tmpfs sys
mkdir -p sys/class/net sys/class/dmi sys/devices/virtual/net sys/devices/virtual/dmi/id
if mount -t sysfs sysfs mnt 2>/dev/null; then
  mount -o bind mnt/class/net sys/class/net
  mount -o bind mnt/devices/virtual/net sys/devices/virtual/net
  umount mnt
fi
echo "$id" >sys/devices/virtual/dmi/id/product_uuid
chmod 400 sys/devices/virtual/dmi/id/product_uuid
ln -s ../../devices/virtual/dmi/id sys/class/dmi/id
mount -o remount,ro,bind sys

pivot_root . mnt
cd /
umount -l /mnt
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux
hostname -F /run/boot/hostname
for file in hostname hosts passwd group shadow shells; do
  # A password that the guest has asked for is its own from then on.
  [ "$file" = shadow ] && [ -e /run/boot/asks-password ] && [ -s /etc/shadow ] && continue
  rm -rf "/etc/$file"
  cp -p "/run/boot/$file" "/etc/$file"
done
chmod 700 /root
rm -rf /etc/resolv.conf
: >/etc/resolv.conf
set -- /bin/sh /sbin/guest-init "$id"
# A guest is root in its own machine, not in ours. (reboot(2) stays: in a pid namespace it ends only this guest.)
if [ -x /sbin/setpriv ]; then
  taken=-sys_admin,-sys_module,-sys_rawio,-sys_ptrace,-sys_time,-sys_pacct,-mknod,-dac_read_search,-syslog,-mac_admin,-mac_override,-linux_immutable
  set -- /sbin/setpriv "--bounding-set=$taken" "$@"
fi
exec "$@"
