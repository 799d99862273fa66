#!/bin/sh
# A guest's first process: brings its network cards up, runs DHCP on them and an SSH server. When it ends, the guest ends.
# TERM, USR1 and USR2 are what reboot, halt and poweroff send; HUP says that the cards changed.
trap 'exit 0' TERM INT USR1 USR2
trap 'cards' HUP

# /run/boot/cards has one line a card: DEVICE default|other dhcp|none, and its IPv6 address where it has one. /run/card.DEVICE is there once it was brought up; the node
# takes it away when it has put another cable in.
cards() {
  for file in /run/udhcpc.*; do
    [ -e "$file" ] || continue
    device=${file#/run/udhcpc.}
    [ -e "/run/card.$device" ] && continue
    kill "$(cat "$file")" 2>/dev/null
    rm -f "$file" "/run/lease.$device" /run/leased."$device".* /run/address."$device".* /run/slaac."$device".*
  done
  while read -r device role method address6; do
    if [ -e "/run/card.$device" ]; then
      guest-addresses "$device"
      continue
    fi
    [ -z "$address6" ] || guest-slaac "$device" "$role" "$address6"
    ip link set "$device" up || continue
    if [ "$method" = dhcp ]; then
      ROLE=$role udhcpc -f -i "$device" -s /sbin/guest-dhcp \
        -O staticroutes -O mtu -O search -x "hostname:$(hostname)" -t 4 -T 1 -A 1 >/dev/null 2>&1 &
      echo $! >"/run/udhcpc.$device"
    fi
    : >"/run/card.$device"
    guest-addresses "$device"
  done </run/boot/cards
}

ssh_server() {
  mkdir -p /etc/dropbear
  key=/etc/dropbear/host_ed25519
  [ -s "$key" ] || dropbearkey -t ed25519 -f "$key" >/dev/null 2>&1
  while :; do
    dropbear -F -r "$key" -p 22 -P /run/ssh.pid >/dev/null 2>&1
    rm -f /run/ssh.pid
    sleep 1
  done
}

ip link set lo up
cards
# Where a disk tells, nothing has to be asked for first.
[ "$(cat /run/boot/told 2>/dev/null)" != drive ] || guest-told >/dev/null 2>&1 &
if command -v dropbear >/dev/null; then ssh_server & fi
: >/run/up
while :; do
  wait
  sleep 1 &
done
