// WireGuard as a part of a gateway helper: the kernel's device, or wireguard-go's where the kernel has none. Both take the same file
// without an interruption (`wg syncconf`): peers that stay keep their sessions. Pure.
import { cidr, contains, formatCidr, ip } from '../../lib/ip.ts';
import type { WireGuardAccessSpec, WireGuardSiteSpec } from '../../protocol/vpn.ts';
import type { Step } from '../driver.ts';
import { type HelperContext, netnsOf } from './names.ts';
import { deviceOf, partFolder, sitesPart, tunnelMtu } from './vpn-names.ts';
import { serverAddress } from './vpn-openvpn.ts';
import type { FoundVpns, VpnPart } from './vpn-part.ts';

/** Seconds between signs of life to the other site: a translation on the way is kept, and a gateway that moved is found again. */
const KEEPALIVE = 10;

interface Surroundings {
  readonly key: string;
  readonly mtu: number;
  readonly gateway: string;
}

/** What makes one device differ from another. */
interface Device {
  /** Of the part. */
  readonly name: string;
  readonly config: string;
  /** What is behind it. */
  readonly networks: readonly string[];
  /** Its own address, where it has one. */
  readonly own?: string;
  readonly files?: VpnPart['files'];
  /** What is loaded after its configuration. */
  readonly more: readonly VpnPart['loads'][number][];
}

/** Remote access: a device for each. */
export function wireGuardPart(
  spec: WireGuardAccessSpec,
  address: string,
  at: Surroundings,
  context: HelperContext,
): VpnPart {
  const device = deviceOf(spec.id, context);
  const greetingsFile = `${partFolder(at.key, spec.id, context)}/greetings`;
  const known = knownOf(spec);
  const peers = spec.clients.map(({ publicKey, presharedKey, ip, routes }) =>
    peerLines({ publicKey, presharedKey, allowed: [`${ip}/32`, ...routes], more: [] }),
  );
  return devicePart(
    {
      name: spec.id,
      config: configText(spec, peers),
      networks: [spec.range, ...spec.clients.flatMap(({ routes }) => routes)],
      own: `${serverAddress(spec.range)}/32`,
      files: [
        { path: greetingsFile, content: known.map(({ endpoint }) => routeTo(endpoint, at.gateway, address)).join('') },
      ],
      // Once, when the device is new: afterwards it knows better itself.
      more: [
        {
          name: 'greetings',
          what: '',
          needs: { device },
          argvs: greetings(known, device, insideOf(at.key, context), greetingsFile),
        },
      ],
    },
    at,
    context,
  );
}

/** Sites of one VPN gateway: they share its key and its port, and two devices of a namespace cannot listen on one port. */
export function wireGuardSitesPart(
  [first, ...others]: readonly WireGuardSiteSpec[],
  at: Surroundings,
  context: HelperContext,
): VpnPart | undefined {
  if (first === undefined) return undefined;
  const sites = [first, ...others].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const name = sitesPart(at.key);
  const device = deviceOf(name, context);
  const inside = insideOf(at.key, context);
  const peers = sites.map((site) =>
    peerLines({
      publicKey: site.publicKey,
      presharedKey: site.presharedKey,
      allowed: site.remoteCidrs,
      more: site.passive ? [] : [`Endpoint = ${site.peer}:${site.peerPort}`, `PersistentKeepalive = ${KEEPALIVE}`],
    }),
  );
  return devicePart(
    {
      name,
      config: configText(first, peers),
      networks: sites.flatMap(({ remoteCidrs }) => remoteCidrs),
      // A reset or a change of one begins it anew, and the others go on: other keys of sessions come by themselves.
      more: sites.map(({ id, epoch, publicKey }, index) => ({
        name: `peer-${id}`,
        what: `${peers[index]!.join('\n')} ${epoch}`,
        needs: { device },
        argvs: [
          [...inside, 'wg', 'set', device, 'peer', publicKey, 'remove'],
          [...inside, 'wg', 'syncconf', device, configFile(name, at.key, context)],
        ],
      })),
    },
    at,
    context,
  );
}

function devicePart(
  { name, config, networks: behind, own, files = [], more }: Device,
  at: Surroundings,
  context: HelperContext,
): VpnPart {
  const folder = partFolder(at.key, name, context);
  const device = deviceOf(name, context);
  const netns = netnsOf(at.key, context);
  const inside = insideOf(at.key, context);
  const path = configFile(name, at.key, context);
  const routesFile = `${folder}/routes`;
  const networks = [...new Set(behind.map((one) => formatCidr(cidr(one))))].toSorted();
  const mtu = String(tunnelMtu(at.mtu));
  const setUp: readonly (readonly string[])[] = [
    ...(own === undefined ? [] : [['ip', '-n', netns, 'addr', 'replace', own, 'dev', device]]),
    ['ip', '-n', netns, 'link', 'set', device, 'mtu', mtu, 'up'],
    [...inside, 'ip', 'route', 'flush', 'dev', device, 'proto', 'boot'],
    [...inside, 'ip', '-batch', routesFile],
  ];
  return {
    name,
    label: `WireGuard ${name}`,
    files: [
      { path, content: config },
      { path: routesFile, content: networks.map((one) => `route replace ${one} dev ${device}\n`).join('') },
      { path: `${folder}/device`, content: `${device}\n` },
      ...files,
    ],
    processes: context.kernelWireGuard
      ? []
      : [
          {
            program: 'wireguard-go',
            start: [...inside, 'env', 'WG_PROCESS_FOREGROUND=1', 'wireguard-go', '--foreground', device],
            reads: [],
          },
        ],
    loads: [
      ...(context.kernelWireGuard
        ? [
            {
              name: 'device',
              what: device,
              needs: undefined,
              makes: device,
              argvs: [['ip', '-n', netns, 'link', 'add', device, 'type', 'wireguard']],
            },
          ]
        : []),
      { name: 'peers', what: config, needs: { device }, argvs: [[...inside, 'wg', 'syncconf', device, path]] },
      { name: 'routes', what: `${own} ${mtu} ${networks.join(' ')}`, needs: { device }, argvs: setUp },
      ...more,
    ],
  };
}

/** Steps that take away the device of a part that is no more: the kernel's, which no process takes along when it ends. */
export function removeDevice(
  name: string,
  found: FoundVpns,
  key: string,
  reason: string,
  context: HelperContext,
): readonly Step[] {
  const device = deviceOf(name, context);
  const there = found.files.has(configFile(name, key, context)) && found.devices.includes(device);
  if (!context.kernelWireGuard || !there) return [];
  return [{ kind: 'run', argv: ['ip', '-n', netnsOf(key, context), 'link', 'del', device], reason }];
}

function insideOf(key: string, context: HelperContext): readonly string[] {
  return ['nsenter', `--net=/run/netns/${netnsOf(key, context)}`];
}

function configFile(name: string, key: string, context: HelperContext): string {
  return `${partFolder(key, name, context)}/wireguard.conf`;
}

interface Known {
  readonly publicKey: string;
  readonly endpoint: string;
}

/** Not those who come from inside: the helper has business of its own with them, from another address. */
function knownOf({ clients, routes, range }: WireGuardAccessSpec): readonly Known[] {
  const inside = [...routes, range].map(cidr);
  return clients.flatMap(({ publicKey, endpoint }) => {
    if (endpoint === undefined) return [];
    const from = ip(endpoint.split(':')[0]!);
    return inside.some((prefix) => contains(prefix, from)) ? [] : [{ publicKey, endpoint }];
  });
}

/** What WireGuard sends by itself comes from no address in particular, and clients know but one. */
function routeTo(endpoint: string, gateway: string, from: string): string {
  return `route replace ${endpoint.split(':')[0]!}/32 via ${gateway} dev eth0 src ${from}\n`;
}

/**
 * Begins with clients that another gateway had: they send to sessions that are gone, and begin anew by themselves only after 15 seconds.
 * A keepalive that is switched on is sent at once, which takes a handshake; it is tried for a minute and a half, and then no more.
 */
function greetings(
  known: readonly Known[],
  device: string,
  inside: readonly string[],
  file: string,
): readonly (readonly string[])[] {
  if (known.length === 0) return [];
  const set = [...inside, 'wg', 'set', device];
  return [
    [...inside, 'ip', '-batch', file],
    [
      ...set,
      ...known.flatMap(({ publicKey, endpoint }) => [
        'peer',
        publicKey,
        'endpoint',
        endpoint,
        'persistent-keepalive',
        '25',
      ]),
    ],
    [...set, ...known.flatMap(({ publicKey }) => ['peer', publicKey, 'persistent-keepalive', 'off'])],
  ];
}

interface Peer {
  readonly publicKey: string;
  readonly presharedKey: string | undefined;
  readonly allowed: readonly string[];
  readonly more: readonly string[];
}

/** AllowedIPs are what WireGuard takes from a peer, and nothing else. */
function peerLines({ publicKey, presharedKey, allowed, more }: Peer): readonly string[] {
  return [
    '[Peer]',
    `PublicKey = ${publicKey}`,
    ...(presharedKey === undefined ? [] : [`PresharedKey = ${presharedKey}`]),
    `AllowedIPs = ${allowed.map((one) => formatCidr(cidr(one))).join(', ')}`,
    ...more,
  ];
}

/** For `wg syncconf`. */
function configText(
  { privateKey, port }: WireGuardAccessSpec | WireGuardSiteSpec,
  peers: readonly (readonly string[])[],
): string {
  return ['[Interface]', `PrivateKey = ${privateKey}`, `ListenPort = ${port}`, ...peers.flat(), ''].join('\n');
}
