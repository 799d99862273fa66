// OpenVPN as a part of a gateway helper: its file, and the gate beside it that decides who comes in and tells each client its routes.
// Nothing of clients stands in OpenVPN's file, so that they come and go without a restart. Pure.
import { cidr, firstUsable, formatCidr, formatIp, netmask } from '../../lib/ip.ts';
import type { OpenVpnSpec } from '../../protocol/vpn.ts';
import { type HelperContext, netnsOf } from './names.ts';
import type { VpnPart } from './vpn-part.ts';
import { deviceOf, partFolder, tunnelMtu } from './vpn-names.ts';

/** What the gate reads: see openvpn-gate.ts. */
export interface GateFile {
  readonly socket: string;
  readonly status: string;
  readonly clients: readonly GateClient[];
}

export interface GateClient {
  readonly id: string;
  readonly username: string;
  readonly passwordHash: string;
  readonly serial: string;
  /** Lines for OpenVPN, of typed values only. */
  readonly config: readonly string[];
}

const GATE = new URL('openvpn-gate.ts', import.meta.url).pathname;

/**
 * Seconds between signs of life, and until a client that hears none begins anew: the gateway that takes over knows nothing of sessions, and
 * cannot tell them so.
 */
const KEEPALIVE = '2 6';

export function openVpnPart(
  spec: OpenVpnSpec,
  address: string,
  at: { readonly key: string; readonly mtu: number },
  context: HelperContext,
): VpnPart {
  const folder = partFolder(at.key, spec.id, context);
  const device = deviceOf(spec.id, context);
  const config = `${folder}/openvpn.conf`;
  const gate = `${folder}/gate.json`;
  const socket = `${folder}/management.sock`;
  const inside = ['nsenter', `--net=/run/netns/${netnsOf(at.key, context)}`];
  const networks = spec.clients.flatMap(({ routes }) => routes.map((one) => formatCidr(cidr(one)))).toSorted();
  const routesFile = `${folder}/routes`;
  return {
    name: spec.id,
    label: `OpenVPN ${spec.id}`,
    files: [
      {
        path: config,
        content: configText(spec, { address, device, socket, mtu: at.mtu, dropRoot: context.canDropRoot }),
      },
      { path: gate, content: `${JSON.stringify(gateFile(spec, socket, `${folder}/status.json`))}\n` },
      { path: routesFile, content: networks.map((one) => `route replace ${one} dev ${device}\n`).join('') },
    ],
    processes: [
      { program: 'openvpn', start: [...inside, 'openvpn', '--config', config], reads: [config], socket },
      // Reads its file again by itself.
      { program: 'node', start: [process.execPath, GATE, gate], reads: [] },
    ],
    loads: [
      {
        name: 'routes',
        what: networks.join(' '),
        needs: { device },
        argvs: [
          // What is behind clients no more; the device's own network is the kernel's, and stays.
          [...inside, 'ip', 'route', 'flush', 'dev', device, 'proto', 'boot'],
          [...inside, 'ip', '-batch', routesFile],
        ],
      },
    ],
  };
}

interface Surroundings {
  readonly address: string;
  readonly device: string;
  readonly socket: string;
  readonly mtu: number;
  readonly dropRoot: boolean;
}

function configText(spec: OpenVpnSpec, { address, device, socket, mtu, dropRoot }: Surroundings): string {
  const range = cidr(spec.range);
  return [
    `dev ${device}`,
    'dev-type tun',
    'proto udp4',
    `local ${address}`,
    `port ${spec.port}`,
    'topology subnet',
    `server ${formatIp(range.base)} ${netmask(range)} nopool`,
    'dh none',
    'tls-version-min 1.2',
    'verify-client-cert require',
    'remote-cert-tls client',
    'data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305',
    `management ${socket} unix`,
    'management-client-auth',
    // Nobody is taken before the gate is there to be asked: who came earlier would wait for an answer in vain.
    'management-hold',
    'script-security 0',
    `keepalive ${KEEPALIVE}`,
    'explicit-exit-notify 1',
    // It pushes this.
    `tun-mtu ${tunnelMtu(mtu)}`,
    // For clients that do not take it.
    `mssfix ${tunnelMtu(mtu)} fixed`,
    'disable-dco',
    'persist-key',
    'persist-tun',
    // Keys are read and the device is made by then. In a user namespace that knows no other users it stays what it is, which is not root.
    ...(dropRoot ? ['user nobody', 'group nogroup'] : []),
    'verb 1',
    ...block('ca', spec.ca),
    ...block('cert', spec.certificate),
    ...block('key', spec.key),
    ...block('tls-crypt', spec.tlsCrypt),
    '',
  ].join('\n');
}

function block(name: string, text: string): readonly string[] {
  return [`<${name}>`, text.trimEnd(), `</${name}>`];
}

function gateFile(spec: OpenVpnSpec, socket: string, status: string): GateFile {
  const mask = netmask(cidr(spec.range));
  const words = (prefix: string): string => {
    const parsed = cidr(prefix);
    return `${formatIp(parsed.base)} ${netmask(parsed)}`;
  };
  const clients = spec.clients.map(({ id, username, passwordHash, serial, ip, routes }): GateClient => {
    const own = new Set(routes.map((one) => formatCidr(cidr(one))));
    return {
      id,
      username,
      passwordHash,
      serial,
      config: [
        `ifconfig-push ${ip} ${mask}`,
        ...spec.routes
          .map((one) => formatCidr(cidr(one)))
          .filter((one) => !own.has(one))
          .map((one) => `push "route ${words(one)}"`),
        ...spec.dns.map((one) => `push "dhcp-option DNS ${one}"`),
        ...[...own].map((one) => `iroute ${words(one)}`),
      ],
    };
  });
  return { socket, status, clients };
}

/** The server's own address in its range. */
export function serverAddress(range: string): string {
  return formatIp(firstUsable(cidr(range)));
}
