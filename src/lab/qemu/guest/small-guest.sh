# What the small guest does, after the kernel's modules are there (see initramfs.ts): takes its name and password from the seed disk,
# runs DHCP on every card, those plugged in later too, and an SSH server. Says each step on the console, where the node reads it.
mkdir -p /run/seed /etc/dropbear
for disk in /dev/vd? /dev/sr0; do
  [ -e "$disk" ] && mount -t iso9660 -o ro "$disk" /run/seed 2>/dev/null && break
done
name=$(sed -n 's/^local-hostname: //p' /run/seed/meta-data 2>/dev/null)
hostname "${name:-guest}"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "${name:-guest}" >/etc/hosts
hash=$(sed -n "s/^ *hashed_passwd: '\(.*\)'$/\1/p" /run/seed/user-data 2>/dev/null)
# An empty hash would let anybody in: it locks.
printf 'root:%s:19700:0:99999:7:::\n' "${hash:-*}" >/etc/shadow

# The seed's list of cards has one line a card: MAC default|other dhcp|none. One that was plugged in later is not in it.
card() { # DEVICE
  mac=$(cat "/sys/class/net/$1/address")
  set -- "$1" $(grep -i "^$mac " /run/seed/cards 2>/dev/null)
  ip link set "$1" up
  if [ "${4:-dhcp}" = dhcp ]; then
    ROLE=${3:-other} udhcpc -f -i "$1" -s /usr/sbin/guest-dhcp \
      -O staticroutes -O mtu -O search -x "hostname:$(hostname)" -t 4 -T 1 -A 1 >/dev/null 2>&1 &
    echo $! >"/run/udhcpc.$1"
  else
    echo none >"/run/lease.$1"
    : >"/run/udhcpc.$1"
  fi
}

cards() {
  while :; do
    for path in /sys/class/net/eth*; do
      device=${path##*/}
      [ -e "$path" ] && [ ! -e "/run/udhcpc.$device" ] && card "$device"
    done
    for path in /run/udhcpc.*; do
      device=${path#/run/udhcpc.}
      if [ -e "$path" ] && [ ! -e "/sys/class/net/$device" ]; then
        kill "$(cat "$path")" 2>/dev/null
        rm -f "$path" "/run/lease.$device" "/run/said.$device"
      fi
    done
    for path in /run/lease.*; do
      device=${path#/run/lease.}
      case $device in *.new | '*') continue ;; esac
      if [ ! -e "/run/said.$device" ]; then
        : >"/run/said.$device"
        echo "guest: card $(cat "/sys/class/net/$device/address") has $(cut -d' ' -f1 "$path")"
      fi
    done
    sleep 0.2
  done
}

echo "guest: $(hostname) starts"
cards &
dropbearkey -t ed25519 -f /etc/dropbear/host >/dev/null 2>&1
dropbear -r /etc/dropbear/host -p 22
echo "guest: $(hostname) is up after $(cut -d' ' -f1 /proc/uptime) s"
