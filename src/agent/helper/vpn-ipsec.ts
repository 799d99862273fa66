// IPsec as a part of a gateway helper: one strongSwan for all of its IKEv2 clients and sites, with files and a socket of its own. Whether
// the kernel encrypts (ESP) or strongSwan itself does (kernel-libipsec) is one setting. Pure.
import { createHmac } from 'node:crypto';
import { cidr, formatCidr, formatIp } from '../../lib/ip.ts';
import type { Ikev2AccessSpec, IpsecSiteSpec } from '../../protocol/vpn.ts';
import { type HelperContext, netnsOf } from './names.ts';
import { IPSEC, IPSEC_DEVICE, partFolder, tunnelMtu } from './vpn-names.ts';
import type { VpnPart } from './vpn-part.ts';

export interface IpsecJob {
  readonly address: string;
  readonly spec: Ikev2AccessSpec | IpsecSiteSpec;
}

const PLUGINS =
  'random nonce openssl aes sha1 sha2 md5 hmac kdf gcm ccm chapoly curve25519 pem pkcs1 pkcs8 pubkey x509 revocation constraints attr ' +
  'socket-default vici eap-identity eap-mschapv2 kernel-netlink';

/** Of clients that phones and desktops bring (IKEv2). */
const CLIENT_IKE =
  'aes256gcm16-aes128gcm16-prfsha384-prfsha256-curve25519-ecp256-ecp384-modp2048,aes256-aes128-sha384-sha256-curve25519-ecp256-ecp384-modp2048';
const CLIENT_ESP = 'aes256gcm16-ecp256,aes256gcm16,aes256-sha256,aes128gcm16,aes128-sha256';

/** strongSwan's table of routes, and its rule's place: behind the main one, which has a default route. Our own routes are in that. */
const TABLE = '220';
const UNREACHED = 40_000;

/** Undefined: nothing to do for it. */
export function ipsecPart(
  jobs: readonly IpsecJob[],
  at: { readonly key: string; readonly mtu: number },
  context: HelperContext,
): VpnPart | undefined {
  if (jobs.length === 0) return undefined;
  const folder = partFolder(at.key, IPSEC, context);
  const netns = netnsOf(at.key, context);
  const inside = ['nsenter', `--net=/run/netns/${netns}`];
  const settings = `${folder}/strongswan.conf`;
  const socket = `${folder}/vici.sock`;
  const ipsec = swanctlText(jobs);
  const routesFile = `${folder}/routes`;
  const networks = context.kernelIpsec ? [] : networksOf(jobs);
  const mtu = String(tunnelMtu(at.mtu));
  const access = jobs.flatMap(({ spec }) => (spec.kind === 'ikev2' ? [spec] : []));
  const keys = access.flatMap(({ id, ca, certificate, key }) => [
    { path: `${folder}/x509/${id}.pem`, content: certificate },
    { path: `${folder}/x509ca/${id}.pem`, content: ca },
    { path: `${folder}/private/${id}.pem`, content: key },
  ]);
  const swanctl = [...inside, 'env', `STRONGSWAN_CONF=${settings}`, `SWANCTL_DIR=${folder}`, 'swanctl'];
  return {
    name: IPSEC,
    label: `strongSwan of ${at.key}`,
    owns: ['x509', 'x509ca', 'private'].map((name) => `${folder}/${name}`),
    files: [
      { path: settings, content: settingsText(socket, context) },
      { path: `${folder}/swanctl.conf`, content: ipsec },
      { path: routesFile, content: networks.map((one) => `route replace ${one} dev ${IPSEC_DEVICE}\n`).join('') },
      ...keys,
    ],
    processes: [
      {
        program: 'charon-systemd',
        // It takes no arguments: the last is what we know it by.
        start: [...inside, 'env', `STRONGSWAN_CONF=${settings}`, 'charon-systemd', settings],
        reads: [settings],
        socket,
      },
    ],
    loads: [
      ...(context.kernelIpsec
        ? []
        : [
            {
              name: 'routes',
              what: `${mtu} ${networks.join(' ')}`,
              needs: { device: IPSEC_DEVICE },
              argvs: [
                ['ip', '-n', netns, 'link', 'set', IPSEC_DEVICE, 'mtu', mtu, 'up'],
                [...inside, 'ip', 'route', 'flush', 'dev', IPSEC_DEVICE, 'proto', 'boot'],
                [...inside, 'ip', '-batch', routesFile],
              ],
            },
          ]),
      ...(context.kernelIpsec ? [] : [standIns(jobs, netns)]),
      {
        name: 'connections',
        what: [ipsec, ...keys.map(({ content }) => content)].join('\n'),
        needs: { path: socket },
        argvs: [[...swanctl, '--load-all', '--uri', `unix://${socket}`]],
      },
    ],
  };
}

/** Argv that asks for the state of all connections. */
export function listArgv(key: string, context: HelperContext): readonly string[] {
  const folder = partFolder(key, IPSEC, context);
  return [
    'env',
    `STRONGSWAN_CONF=${folder}/strongswan.conf`,
    'swanctl',
    '--list-sas',
    '--raw',
    '--uri',
    `unix://${folder}/vici.sock`,
  ];
}

/** Argv that ends what is called `name`. */
export function endArgv(name: string, key: string, context: HelperContext): readonly string[] {
  const folder = partFolder(key, IPSEC, context);
  const uri = `unix://${folder}/vici.sock`;
  const env = ['env', `STRONGSWAN_CONF=${folder}/strongswan.conf`];
  return [...env, 'swanctl', '--terminate', '--ike', name, '--force', '--timeout', '2', '--uri', uri];
}

/** Argvs that begin each of a site's tunnels and wait for nothing. strongSwan itself gives up once it was refused. */
export function beginArgvs(spec: IpsecSiteSpec, key: string, context: HelperContext): readonly (readonly string[])[] {
  const folder = partFolder(key, IPSEC, context);
  const uri = `unix://${folder}/vici.sock`;
  const env = ['env', `STRONGSWAN_CONF=${folder}/strongswan.conf`];
  const begin = [...env, 'swanctl', '--initiate', '--ike', siteName(spec), '--timeout', '-1', '--uri', uri];
  return pairsOf(spec).map((_, index) => [...begin, '--child', `n${index}`]);
}

/** Connections by name: those that are there and not wanted are ended, those of clients who have changed among them. `part` of a client or a site. */
export function connectionsOf(spec: IpsecJob['spec']): readonly { readonly name: string; readonly part: string }[] {
  return spec.kind === 'ipsec'
    ? [{ name: siteName(spec), part: spec.id }]
    : [
        { name: `a-${spec.id}`, part: '' },
        ...spec.clients.map((client) => ({ name: clientName(spec, client), part: client.id })),
      ];
}

/**
 * A client whose password, address or networks have changed, or who may reach others, is another connection: the one he has ends, and he
 * begins anew with what holds now. Keyed, since names are in logs: nobody can try passwords on one.
 */
function clientName({ key, routes, dns }: Ikev2AccessSpec, client: Ikev2AccessSpec['clients'][number]): string {
  const { id, username, password, ip, routes: behind } = client;
  const holds = JSON.stringify([username, password, ip, behind, routes, dns]);
  return `c-${id}-${createHmac('sha256', key).update(holds).digest('hex').slice(0, 12)}`;
}

/** A reset is another connection: strongSwan ends what it began for the one before, and begins this one. */
function siteName({ id, epoch }: IpsecSiteSpec): string {
  return `s-${id}-${epoch}`;
}

function settingsText(socket: string, { kernelIpsec }: HelperContext): string {
  return `charon-systemd {
  load = ${PLUGINS.replace('kernel-netlink', kernelIpsec ? 'kernel-netlink' : 'kernel-libipsec kernel-netlink')}
  install_routes = no
  routing_table = ${TABLE}
  routing_table_prio = ${UNREACHED}
  retransmit_tries = 3
  retransmit_timeout = 1.5
  retransmit_base = 1.4
  keep_alive = 20s
  delete_rekeyed_delay = 1
  plugins {
    vici {
      socket = unix://${socket}
    }
    kernel-libipsec {
      allow_peer_ts = yes
    }
  }
  journal {
    default = -1
  }
  filelog {
    out {
      path = ${socket.replace(/[^/]*$/, 'charon.log')}
      default = 1
      append = no
      flush_line = yes
      ike_name = yes
      time_format = %FT%T
    }
  }
}
swanctl {
  load = random openssl pem pkcs1 pkcs8 pubkey x509
}
`;
}

function swanctlText(jobs: readonly IpsecJob[]): string {
  const connections = jobs.flatMap(({ address, spec }) =>
    spec.kind === 'ipsec'
      ? siteText(address, spec)
      : [doorText(address, spec), ...spec.clients.map((client) => clientText(address, spec, client))],
  );
  const pools = jobs.flatMap(({ spec }) =>
    spec.kind === 'ipsec'
      ? []
      : spec.clients.map(
          ({ id, ip }) =>
            `  p-${id} {\n    addrs = ${ip}/32\n${spec.dns.length === 0 ? '' : `    dns = ${spec.dns.join(', ')}\n`}  }\n`,
        ),
  );
  const secrets = jobs.flatMap(({ spec }) =>
    spec.kind === 'ipsec'
      ? `  ike-${spec.id} {\n    id-1 = ${spec.local}\n    id-2 = ${spec.peer}\n    secret = ${hex(spec.psk)}\n  }\n`
      : spec.clients.map(
          ({ id, username, password }) => `  eap-${id} {\n    id = ${username}\n    secret = ${hex(password)}\n  }\n`,
        ),
  );
  return `connections {\n${connections.join('')}}\npools {\n${pools.join('')}}\nsecrets {\n${secrets.join('')}}\n`;
}

/** As bytes: nothing of it means anything to the file. */
function hex(text: string): string {
  return `0x${Buffer.from(text).toString('hex')}`;
}

const prefixes = (texts: readonly string[]): string => texts.map((one) => formatCidr(cidr(one))).join(',');

interface Pair {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** Networks of each tunnel of a site. */
function pairsOf({ split, localCidrs, remoteCidrs }: IpsecSiteSpec): readonly Pair[] {
  if (!split) return [{ from: localCidrs, to: remoteCidrs }];
  return localCidrs.flatMap((from) => remoteCidrs.map((to) => ({ from: [from], to: [to] })));
}

function siteText(address: string, spec: IpsecSiteSpec): string {
  const { local, peer, passive, dpd } = spec;
  const children = pairsOf(spec).map(
    ({ from, to }, index) => `      n${index} {
        local_ts = ${prefixes(from)}
        remote_ts = ${prefixes(to)}
        esp_proposals = ${spec.espProposals.join(',')}
        life_time = ${spec.espSeconds}s
        rekey_time = ${Math.floor(spec.espSeconds * 0.9)}s
        start_action = ${passive ? 'none' : 'start'}
        close_action = ${passive ? 'none' : 'start'}
        dpd_action = ${passive ? 'clear' : 'start'}
      }
`,
  );
  return `  ${siteName(spec)} {
    version = ${spec.ikeVersion}
    local_addrs = ${address}
    remote_addrs = ${peer}
    proposals = ${spec.ikeProposals.join(',')}
    rekey_time = ${spec.ikeSeconds}s
    encap = yes
    keyingtries = 0
    unique = replace
${dpd ? '    dpd_delay = 5s\n    dpd_timeout = 15s\n' : ''}    local {
      auth = psk
      id = ${local}
    }
    remote {
      auth = psk
      id = ${peer}
    }
    children {
${children.join('')}    }
  }
`;
}

/**
 * Where all users of a VPN come in: it asks who they are, and is nobody's own, since nobody is in its group. strongSwan then goes on to
 * the connection of the user who has proved to be one. It stands before those.
 */
function doorText(address: string, spec: Ikev2AccessSpec): string {
  return `  a-${spec.id} {
${serverText(address, spec)}    remote {
      auth = eap-mschapv2
      eap_id = %any
      groups = nobody
    }
  }
`;
}

function serverText(address: string, spec: Ikev2AccessSpec): string {
  return `    version = 2
    local_addrs = ${address}
    proposals = ${CLIENT_IKE}
    encap = yes
    send_cert = always
    unique = replace
    dpd_delay = 20s
    local {
      auth = pubkey
      certs = ${spec.id}.pem
      id = ${spec.publicIp}
    }
`;
}

function clientText(address: string, spec: Ikev2AccessSpec, client: Ikev2AccessSpec['clients'][number]): string {
  const { id, username, routes } = client;
  return `  ${clientName(spec, client)} {
${serverText(address, spec)}    pools = p-${id}
    remote {
      auth = eap-mschapv2
      eap_id = ${username}
    }
    children {
      n0 {
        local_ts = ${prefixes(spec.routes)}
        remote_ts = ${['dynamic', ...routes.map((one) => formatCidr(cidr(one)))].join(',')}
        esp_proposals = ${CLIENT_ESP}
        dpd_action = clear
      }
    }
  }
`;
}

/**
 * libipsec takes no policy unless an address of its own is in the networks on this side: it has the first of each, which may be
 * somebody's. So it is one in name only: it is local in strongSwan's own table, where strongSwan looks for it, and no packet ever does.
 */
function standIns(jobs: readonly IpsecJob[], netns: string): VpnPart['loads'][number] {
  const own = standInsOf(jobs);
  const route = ['ip', '-n', netns, 'route'];
  const argvs = own.flatMap((one) => [
    ['ip', '-n', netns, 'addr', 'replace', `${one}/32`, 'dev', 'lo'],
    [...route, 'replace', 'local', one, 'dev', 'lo', 'table', TABLE],
    [...route, 'flush', 'table', 'local', 'exact', `${one}/32`],
  ]);
  return { name: 'addresses', what: `in table ${TABLE}: ${own.join(' ')}`, needs: undefined, argvs };
}

/** Argvs that take one away. */
export function dropStandIn(address: string, key: string, context: HelperContext): readonly (readonly string[])[] {
  const ip = ['ip', '-n', netnsOf(key, context)];
  return [
    [...ip, 'addr', 'del', `${address}/32`, 'dev', 'lo'],
    [...ip, 'route', 'flush', 'table', TABLE, 'exact', `${address}/32`],
  ];
}

/** Addresses on `lo` that libipsec needs for these. */
export function standInsOf(jobs: readonly IpsecJob[]): readonly string[] {
  const all = jobs.flatMap(({ spec }) => (spec.kind === 'ipsec' ? spec.localCidrs : spec.routes));
  return [...new Set(all.map((one) => formatIp(cidr(one).base)))].toSorted();
}

function networksOf(jobs: readonly IpsecJob[]): readonly string[] {
  const all = jobs.flatMap(({ spec }) =>
    spec.kind === 'ipsec' ? spec.remoteCidrs : [spec.range, ...spec.clients.flatMap(({ routes }) => routes)],
  );
  return [...new Set(all.map((one) => formatCidr(cidr(one))))].toSorted();
}
