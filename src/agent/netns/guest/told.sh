#!/bin/sh
# What a guest does with what it is told, once a start: lets keys in, takes its password, runs its user data once. As cloud-init does
# with CloudStack's datasource. Argument: who answered its question for an address. /run/boot/told says where it is told: `service`,
# `drive` (a folder of /run/boot), or by nobody.
server=$1
read -r how <"/run/boot/told" || exit 0
mkdir /run/told 2>/dev/null || exit 0
drive=/run/boot/drive/cloudstack

fetch() { # PATH FILE-OF-THE-DRIVE
  if [ "$how" = drive ]; then cat "$drive/$2" 2>/dev/null; else timeout 5 wget -q -O - "http://$server/latest/$1"; fi
}
insist() { # PATH FILE-OF-THE-DRIVE: as fetch, again while the service does not answer
  for again in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    fetch "$1" "$2" && return
    [ "$how" = drive ] && return
    sleep 0.5
  done
}
password() { # WORD
  timeout 5 wget -q -O - --header "DomU_Request: $1" "http://$server:8080/"
}

case $how in
service | drive) ;;
*) exit 0 ;;
esac
[ "$how" = service ] && [ -z "$server" ] && exit 0
id=$(insist meta-data/instance-id metadata/instance-id.txt)
[ -n "$id" ] || exit 1
keys=$(insist meta-data/public-keys metadata/public-keys.txt)
if [ -n "$keys" ]; then
  mkdir -p /root/.ssh
  printf '%s\n' "$keys" >/root/.ssh/authorized_keys
  chmod 700 /root/.ssh
  chmod 600 /root/.ssh/authorized_keys
fi
if [ "$how" = drive ]; then secret=$(cat "$drive/password/vm_password.txt" 2>/dev/null); else secret=$(password send_my_password); fi
case $secret in
'' | saved_password | bad_request) ;;
*)
  if printf '%s\n%s\n' "$secret" "$secret" | passwd -a sha512 root >/dev/null 2>&1; then
    if [ "$how" = drive ]; then : >"/run/took.$(cat /run/boot/turn)"; else password saved_password >/dev/null; fi
  fi
  ;;
esac
insist user-data userdata/user_data.txt >/run/told/user-data
# Once in its life, as every image does.
if [ "$id" != "$(cat /var/told 2>/dev/null)" ]; then
  echo "$id" >/var/told
  if [ "$(head -c 2 /run/told/user-data)" = '#!' ]; then
    # A copy: what watches wget's time may still hold the file itself open, and what is open for writing is not executed.
    cp /run/told/user-data /run/told/script
    chmod 700 /run/told/script
    /run/told/script >/var/told.log 2>&1
  fi
fi
: >/run/told/done
exit 0
