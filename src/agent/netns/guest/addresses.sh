#!/bin/sh
# Gives a card its further addresses, and takes away those it has no more. Argument: the card. /run/boot/addresses has lines
# `CARD ADDRESS`; /run/address.CARD.ADDRESS is there while the card has it, which the node looks at.
device=$1
for mark in /run/address."$device".*; do
  [ -e "$mark" ] || continue
  address=${mark#/run/address."$device".}
  grep -qx "$device $address" /run/boot/addresses && continue
  ip address del "$address/32" dev "$device" 2>/dev/null
  rm -f "$mark"
done
while read -r card address; do
  [ "$card" = "$device" ] || continue
  ip address replace "$address/32" dev "$device" && : >"/run/address.$device.$address"
done </run/boot/addresses
exit 0
