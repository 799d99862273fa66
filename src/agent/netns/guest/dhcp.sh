#!/bin/sh
# What udhcpc calls at each turn: gives the card its address, MTU and routes, and writes /run/lease.CARD when all is in place.
lease=/run/lease.$interface
case $1 in
deconfig)
  rm -f "$lease" /run/leased."$interface".*
  ip -4 address flush dev "$interface"
  ip link set "$interface" up
  ;;
bound | renew)
  now="$ip/$mask $router $staticroutes $mtu"
  [ "$now" = "$(cat "$lease" 2>/dev/null)" ] && exit 0
  [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
  ip -4 address flush dev "$interface"
  ip address add "$ip/$mask" broadcast + dev "$interface"
  guest-addresses "$interface"
  # The address may have been another's: who still knows it by that MAC is told (RFC 5227, 2.3), as most systems do.
  arping -q -U -c 1 -I "$interface" "$ip" &
  # RFC 3442: with classless routes given, the router option is not to be looked at.
  if [ -n "$staticroutes" ]; then set -- $staticroutes; else set -- ${router:+0.0.0.0/0 ${router%% *}}; fi
  while [ $# -ge 2 ]; do
    # Only the default card leads everywhere.
    if [ "$ROLE" = default ] || [ "$1" != 0.0.0.0/0 ]; then ip route replace "$1" via "$2" dev "$interface"; fi
    shift 2
  done
  if [ "$ROLE" = default ]; then
    {
      [ -n "$search$domain" ] && echo "search ${search:-$domain}"
      for server in $dns; do echo "nameserver $server"; done
    } >/etc/resolv.conf
  fi
  rm -f /run/leased."$interface".*
  : >"/run/leased.$interface.$ip"
  echo "$now" >"$lease.new"
  mv "$lease.new" "$lease"
  [ "$ROLE" != default ] || guest-told "$serverid" >/dev/null 2>&1 &
  ;;
esac
exit 0
