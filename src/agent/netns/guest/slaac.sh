#!/bin/sh
# Gives a card its IPv6 address, as any machine does it: the kernel makes it of the card's MAC and what the router says. Arguments: the
# card, its role, the address to come. Writes /run/slaac.CARD.ADDRESS when it is there and nobody else has it. Called before the card is
# up: the link-local address is made then.
device=$1 role=$2 address=$3
set_to() { echo "$2" >"/proc/sys/net/ipv6/conf/$device/$1"; }
set_to disable_ipv6 0
set_to addr_gen_mode 0
set_to use_tempaddr 0
set_to accept_ra 1
set_to router_solicitation_delay 0
# Only the default card leads everywhere.
if [ "$role" = default ]; then set_to accept_ra_defrtr 1; else set_to accept_ra_defrtr 0; fi
rm -f /run/slaac."$device".*
(
  while [ -e "/sys/class/net/$device" ] || ip link show "$device"; do
    # Tentative: still asking whether somebody else has it.
    if ip -6 address show dev "$device" | grep -F " $address/" | grep -qv tentative; then
      : >"/run/slaac.$device.$address"
      exit 0
    fi
    sleep 0.1
  done
) >/dev/null 2>&1 &
exit 0
