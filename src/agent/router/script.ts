// The small programs beside the daemons: what keepalived starts without us acts on a takeover within milliseconds, agent or no agent. Their text
// is fixed; what they act on is in files and arguments that hold addresses and device names, checked and nothing else.
import { cidr, formatHost, ip } from '../../lib/ip.ts';
import type { RouterSpec } from '../../protocol/document.ts';
import { ipArgv } from './ip-words.ts';
import { proxied, publicAddress } from './item.ts';
import { insideDevice, instanceOf, isPair, outsideDevice, PROTOCOL, type RouterContext } from './names.ts';
import { addresses6 } from './six.ts';

/** `announce DEVICE ADDRESS…`: says where addresses are now. The broadcast form is the one every receiver takes. */
export const ANNOUNCE = `#!/bin/sh
# Written by trunkline; changes are undone.
device=$1
shift
count=0
for address; do
  # arping stays for a second after it has sent; nobody waits for that.
  arping -q -U -c 1 -I "$device" "$address" </dev/null >/dev/null 2>&1 &
  count=$((count + 1))
  [ $((count % 64)) -ne 0 ] || sleep 0.2
done
exit 0
`;

/**
 * `forget ADDRESS`: ends the tracked connections of a public address, or of a prefix that is routed. None to end is no failure, which
 * conntrack(8) takes it for.
 */
export const FORGET = `#!/bin/sh
# Written by trunkline; changes are undone.
case $1 in
*:*) for side in --orig-src --orig-dst; do conntrack -D -f ipv6 "$side" "$1"; done ;;
*) for side in --orig-dst --reply-dst; do conntrack -D "$side" "$1"; done ;;
esac
exit 0
`;

/**
 * `guard start ARGUMENT…` starts keepalived and returns when it is up; `guard stay` is what remains beside it. A keepalived that is killed
 * leaves its addresses where the peer is about to put them, too: they are taken away within milliseconds, agent or no agent.
 */
export const GUARD = `#!/bin/sh
# Written by trunkline; changes are undone.
cd "\${0%/*}" || exit 1
here=$PWD
mode=$1
shift
if [ "$mode" = stay ]; then
  keepalived --dont-fork -f "$here/keepalived.conf" -p "$here/keepalived.pid" \\
    -r "$here/keepalived-vrrp.pid" -c "$here/keepalived-check.pid" "$@"
  ip -force -batch drops
  exit 0
fi
rm -f keepalived.pid
setsid "./guard" stay "$@" </dev/null >/dev/null 2>&1 &
for again in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  [ ! -s keepalived.pid ] || exit 0
  sleep 0.1
done
echo 'keepalived has not come up within 3 s; its reasons are in the system log' >&2
exit 1
`;

/**
 * What keepalived calls as `notify TYPE NAME STATE PRIORITY`: notes the state and, where a network's own addresses are answered for
 * outside, takes these entries over or lets them go. keepalived itself moves only the addresses that are its own.
 */
export const NOTIFY = `#!/bin/sh
# Written by trunkline; changes are undone.
cd "\${0%/*}" || exit 1
[ "$1" = INSTANCE ] || exit 0
printf '%s\\n' "$3" >"state.$2.$$" && mv "state.$2.$$" "state.$2"
[ -s "proxies.$2" ] || exit 0
read -r device addresses <"proxies.$2"
if [ "$3" = MASTER ]; then verb=add; else verb=del; fi
for address in $addresses; do
  printf 'neigh %s proxy %s dev %s protocol ${PROTOCOL}\\n' "$verb" "$address" "$device"
done | ip -force -batch - 2>/dev/null
if [ "$verb" = add ]; then
  # A Linux upstream takes no news about an entry younger than a second (neigh/default/locktime).
  for again in 1 2 3 4; do
    ./announce "$device" $addresses
    sleep 0.4
  done
fi
exit 0
`;

/** What `notify` reads, by file name: a line of the device and the addresses; empty where there is nothing to take over. */
export function proxyFiles(specs: readonly RouterSpec[], context: RouterContext): Map<string, string> {
  const files = new Map<string, string>();
  for (const spec of specs) {
    const addresses = proxied(spec, context);
    if (isPair(spec) && addresses.length > 0)
      files.set(`proxies.${instanceOf(spec)}`, `${[context.outside, ...addresses].join(' ')}\n`);
  }
  return files;
}

/** What `guard` takes away when keepalived has died, as lines of ip(8); the gateways first. */
export function dropFile(specs: readonly RouterSpec[], context: RouterContext): string {
  return [...keptByKeepalived(specs, context)]
    .map((words) => ipArgv('del', words).filter((word) => word !== 'ip' && word !== '-6'))
    .map((argv) => `${argv.join(' ')}\n`)
    .join('');
}

/** Addresses, in items' words, that keepalived puts and takes by itself. */
export function keptByKeepalived(specs: readonly RouterSpec[], context: RouterContext): Set<string> {
  const pairs = specs.filter(isPair);
  return new Set([
    ...pairs.map(
      (spec) => `addr ${formatHost(ip(spec.gateway), cidr(spec.cidr))} dev ${insideDevice(spec.vlan, context)}`,
    ),
    ...pairs.flatMap((spec) =>
      spec.publicAddresses.map((one) => publicAddress(one.ip, outsideDevice(one.vlan, context))),
    ),
    ...pairs.flatMap((spec) => addresses6(spec, context).map(({ words }) => words)),
  ]);
}
