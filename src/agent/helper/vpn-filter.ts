// The packet filter of a helper's tunnels, by address and not by connection: what comes out of a tunnel has an address of who is behind
// it and goes where he may; what goes in comes from there. What instances take is judged by their own lists. Pure.
import { cidr, formatCidr } from '../../lib/ip.ts';
import type { VpnJob } from '../../protocol/helper.ts';
import type { VpnSpec } from '../../protocol/vpn.ts';
import { type HelperContext, netnsOf } from './names.ts';
import { deviceOf, FILTER, FILTER_TABLE, IPSEC_DEVICE, partFolder, sitesPart } from './vpn-names.ts';
import { serverAddress } from './vpn-openvpn.ts';
import type { FoundVpns, VpnPart } from './vpn-part.ts';

/** Where a tunnel's packets come from and go to. */
interface Way {
  readonly device: string;
  readonly behind: readonly string[];
  readonly reaches: readonly string[];
  /** The helper's own address in the tunnel. */
  readonly own?: string;
}

export function filterPart(
  jobs: readonly VpnJob[],
  at: { readonly key: string; readonly address: string },
  context: HelperContext,
): VpnPart | undefined {
  if (jobs.length === 0) return undefined;
  const rules = `${partFolder(at.key, FILTER, context)}/rules.nft`;
  const netns = netnsOf(at.key, context);
  const inside = ['nsenter', `--net=/run/netns/${netns}`];
  const length = at.address.split('/')[1]!;
  const own = [...new Set(jobs.map(({ address }) => `${address}/${length}`))].toSorted();
  const content = rulesText(
    jobs.flatMap(({ spec }) => waysOf(spec, at.key, context)),
    context,
  );
  return {
    name: FILTER,
    label: `packet filter of ${at.key}'s VPNs`,
    files: [{ path: rules, content }],
    processes: [],
    loads: [
      {
        name: 'rules',
        what: `${content}${own.join(' ')}`,
        needs: undefined,
        stays: ({ passes }) => passes === undefined || notPassing(passes, content) === undefined,
        argvs: [
          [...inside, 'nft', '-f', rules],
          ...own.map((one) => ['ip', '-n', netns, 'addr', 'replace', one, 'dev', 'eth0']),
          [
            ...inside,
            'sysctl',
            '-eqw',
            'net.ipv4.conf.all.rp_filter=0',
            'net.ipv4.conf.default.rp_filter=0',
            'net.ipv4.conf.eth0.rp_filter=0',
            'net.ipv4.conf.all.send_redirects=0',
            'net.ipv4.conf.eth0.send_redirects=0',
            // Only now: what the filter does not know is not passed on.
            'net.ipv4.ip_forward=1',
          ],
        ],
      },
    ],
  };
}

/** Why packets are not passed on as the file of rules says; undefined: they are. */
export function notPassing({ forwards, rules }: NonNullable<FoundVpns['passes']>, content: string): string | undefined {
  if (!forwards) return `forwarding was switched off in the helper (net.ipv4.ip_forward)`;
  const wanted = content.split('\n').filter((line) => /^ {4}(?!type )/.test(line)).length;
  return rules === wanted
    ? undefined
    : `somebody changed the packet filter in the helper (nft table inet ${FILTER_TABLE})`;
}

function waysOf(spec: VpnSpec, key: string, context: HelperContext): readonly Way[] {
  const part = spec.kind === 'wireguard-site' ? sitesPart(key) : spec.id;
  const device = spec.kind === 'ikev2' || spec.kind === 'ipsec' ? IPSEC_DEVICE : deviceOf(part, context);
  if ('remoteCidrs' in spec) return [{ device, behind: plain(spec.remoteCidrs), reaches: plain(spec.localCidrs) }];
  // A client has its address, and its networks: which is whose is OpenVPN's, WireGuard's and strongSwan's to check, which know the key.
  const behind = plain(spec.clients.flatMap(({ ip, routes }) => [`${ip}/32`, ...routes]));
  const own = spec.kind === 'ikev2' ? {} : { own: serverAddress(spec.range) };
  return [{ device, behind, reaches: plain(spec.routes), ...own }];
}

function plain(prefixes: readonly string[]): readonly string[] {
  return [...new Set(prefixes.map((one) => formatCidr(cidr(one))))].toSorted();
}

function rulesText(ways: readonly Way[], { kernelIpsec }: HelperContext): string {
  const devices = [...new Set(ways.map(({ device }) => device))].toSorted();
  const comes = (device: string): string =>
    kernelIpsec && device === IPSEC_DEVICE ? 'iifname "eth0" meta ipsec exists' : `iifname "${device}"`;
  const goes = (device: string): string =>
    kernelIpsec && device === IPSEC_DEVICE ? 'oifname "eth0" rt ipsec exists' : `oifname "${device}"`;
  const lines = ways
    .filter(({ behind, reaches }) => behind.length > 0 && reaches.length > 0)
    .flatMap(({ device, behind, reaches }) => [
      `    ${comes(device)} ip saddr { ${behind.join(', ')} } ip daddr { ${reaches.join(', ')} } accept`,
      `    ${goes(device)} ip saddr { ${reaches.join(', ')} } ip daddr { ${behind.join(', ')} } accept`,
    ]);
  const answers = ways.flatMap(({ device, own }) =>
    own === undefined ? [] : [`    ${comes(device)} ip daddr ${own} icmp type echo-request accept`],
  );
  return `table inet ${FILTER_TABLE}
delete table inet ${FILTER_TABLE}
table inet ${FILTER_TABLE} {
  chain forward {
    type filter hook forward priority 0; policy drop;
    tcp flags syn tcp option maxseg size set rt mtu
${lines.join('\n')}
    iifname "eth0" icmp type { destination-unreachable, time-exceeded } accept
  }
  chain input {
    type filter hook input priority 0; policy accept;
${[...answers, ...devices.map((device) => `    ${comes(device)} ct state established,related accept\n    ${comes(device)} drop`)].join('\n')}
  }
}
`;
}
