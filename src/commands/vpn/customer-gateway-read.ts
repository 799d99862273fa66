// What somebody says of his own end of a connection, read and judged: address, networks, secret, policies. Apart from the commands that
// keep it.
import { refuse } from '../../api/error.ts';
import { FORBIDDEN, cidr, contains, ip, overlaps, parseIp } from '../../lib/ip.ts';
import { type Proposal, CIPHERS, GROUPS, HASHES, parsePolicy, weakParts } from '../../model/vpn-policy.ts';
import { seal, unseal } from '../../store/seal.ts';
import { readFlag, readNumber } from '../../store/setting.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';
import { readKey } from './vpn-keys.ts';
import { readNetworks } from './vpn-place.ts';

export type CustomerGateway = Tables['customergateway'];

/** What is said of it; what is absent stays, or is the default. */
export interface Said {
  readonly kind?: string | undefined;
  readonly gateway?: string | undefined;
  readonly cidrlist?: string | undefined;
  readonly ipsecpsk?: string | undefined;
  readonly publickey?: string | undefined;
  readonly port?: number | undefined;
  readonly ikepolicy?: string | undefined;
  readonly esppolicy?: string | undefined;
  readonly ikelifetime?: number | undefined;
  readonly esplifetime?: number | undefined;
  readonly dpd?: boolean | undefined;
  readonly forceencap?: boolean | undefined;
  readonly ikeversion?: string | undefined;
  readonly splitconnections?: boolean | undefined;
}

type Kept = Omit<CustomerGateway, 'id' | 'name' | 'account' | 'domain' | 'created'>;

const IPSEC_ONLY = [
  'ikepolicy',
  'esppolicy',
  'ikelifetime',
  'esplifetime',
  'dpd',
  'forceencap',
  'ikeversion',
  'splitconnections',
] as const;

const IKE_VERSIONS = ['ike', 'ikev1', 'ikev2'];
const WIREGUARD_PORT = 51_820;

/** Of a new one, or of one that was: everything is judged, since the operator's rules may have changed. */
export async function readCustomerGateway(room: Room, said: Said, was?: CustomerGateway): Promise<Kept> {
  const kind = readKind(said.kind, was);
  const gateway = readGateway(said.gateway ?? was?.gateway);
  const cidrlist = await readCidrs(room, said.cidrlist ?? was?.cidrlist ?? '');
  refuseInside(cidrlist, gateway, `the customer gateway's own address ${gateway}`);
  const common = { kind, gateway, cidrlist };
  return kind === 'wireguard'
    ? { ...common, ...readWireGuard(room, said, was) }
    : { ...common, ...(await readIpsec(room, said, was)) };
}

function readKind(text: string | undefined, was: CustomerGateway | undefined): string {
  const kind = text?.toLowerCase() ?? was?.kind ?? 'ipsec';
  if (kind !== 'ipsec' && kind !== 'wireguard')
    throw refuse('parameter', `Invalid kind ${text} of a customer gateway: it can be ipsec or wireguard`);
  if (was !== undefined && was.kind !== kind)
    throw refuse(
      'parameter',
      `Customer gateway ${was.name} is of kind ${was.kind}, and that cannot be changed: make another one`,
    );
  return kind;
}

function readGateway(text: string | undefined): string {
  const address = parseIp(text ?? '');
  if (text !== undefined && address !== undefined && !FORBIDDEN.some((range) => contains(range, address))) return text;
  throw refuse(
    'parameter',
    `The customer gateway ip ${text ?? ''} is invalid!: give the public IPv4 address of the other end`,
  );
}

async function readCidrs(room: Room, list: string): Promise<string> {
  const texts = list.split(',').map((part) => part.trim());
  const networks = readNetworks(
    texts.filter((text) => text !== ''),
    'of the customer gateway',
  );
  if (networks.length === 0)
    throw refuse(
      'parameter',
      'The customer gateway guest cidr list is invalid!: name the networks behind the other end, such as 192.168.50.0/24',
    );
  const limit = await readNumber(room.db, 'site2site.vpn.customergateway.subnets.limit');
  if (networks.length > limit)
    throw refuse(
      'parameter',
      `Too many subnets of customer gateway! The limit is ${limit}: there are ${networks.length}. Give them as fewer, larger ones`,
    );
  for (const [index, one] of networks.entries()) {
    const other = networks.slice(0, index).find((text) => overlaps(cidr(text), cidr(one)));
    if (other !== undefined)
      throw refuse(
        'parameter',
        `The subnet of customer gateway ${one} is overlapped with another subnet ${other} of customer gateway!`,
      );
  }
  return networks.join(',');
}

/** What is sent to the peer itself must not be for behind it: it would go into the tunnel it carries. */
export function refuseInside(cidrlist: string, peer: string, what: string): void {
  const around = cidrlist.split(',').find((text) => contains(cidr(text), ip(peer)));
  if (around === undefined) return;
  throw refuse(
    'parameter',
    `The subnet ${around} of customer gateway holds ${what}: the tunnel's own packets would be sent into the tunnel. Name smaller subnets, without that address`,
  );
}

function readWireGuard(
  room: Room,
  said: Said,
  was: CustomerGateway | undefined,
): Omit<Kept, 'kind' | 'gateway' | 'cidrlist'> {
  const key = said.publickey ?? was?.publickey ?? undefined;
  if (key === undefined)
    throw refuse(
      'parameter',
      'publickey is missing: the WireGuard public key of the other end ("wg pubkey"). Ours is in listVpnGateways',
    );
  const port = said.port ?? was?.port ?? WIREGUARD_PORT;
  if (port < 1 || port > 65_535)
    throw refuse('parameter', `port is an invalid value: ${port}; ports are numbers from 1 to 65535`);
  for (const name of IPSEC_ONLY)
    if (said[name] !== undefined)
      throw refuse('parameter', `${name} is not for WireGuard, which has one way of doing it. Leave it out`);
  const psk =
    said.ipsecpsk === undefined ? (was?.psk ?? null) : sealedText(room, readKey(said.ipsecpsk, 'ipsecpsk'), was);
  return {
    psk,
    publickey: readKey(key, 'publickey'),
    port,
    ikepolicy: '',
    esppolicy: '',
    ikelifetime: 0,
    esplifetime: 0,
    dpd: 0,
    forceencap: 0,
    ikeversion: 'ike',
    splitconnections: 0,
  };
}

async function readIpsec(
  room: Room,
  said: Said,
  was: CustomerGateway | undefined,
): Promise<Omit<Kept, 'kind' | 'gateway' | 'cidrlist'>> {
  if (said.publickey !== undefined || said.port !== undefined)
    throw refuse('parameter', 'publickey and port are for kind=wireguard. Leave them out, or give the kind');
  const ikepolicy = (said.ikepolicy ?? was?.ikepolicy ?? '').toLowerCase();
  const esppolicy = (said.esppolicy ?? was?.esppolicy ?? '').toLowerCase();
  await judge(room, 'ike', ikepolicy);
  await judge(room, 'esp', esppolicy);
  const ikeversion = (said.ikeversion ?? was?.ikeversion ?? 'ike').toLowerCase();
  if (!IKE_VERSIONS.includes(ikeversion))
    throw refuse('parameter', `The IKE version ${ikeversion} is invalid! It can be ike (either), ikev1 or ikev2`);
  return {
    psk: readSecret(room, said.ipsecpsk, was),
    publickey: null,
    port: null,
    ikepolicy,
    esppolicy,
    ikelifetime: lifetime('IKE', said.ikelifetime ?? was?.ikelifetime ?? 86_400),
    esplifetime: lifetime('ESP', said.esplifetime ?? was?.esplifetime ?? 3600),
    dpd: (said.dpd ?? was?.dpd === 1) ? 1 : 0,
    // Whatever is asked for: what the node sends leaves by a translated address, so both ends notice and do it.
    forceencap: was?.forceencap ?? 1,
    ikeversion,
    splitconnections: (said.splitconnections ?? was?.splitconnections === 1) ? 1 : 0,
  };
}

/** Never says what it was. */
function readSecret(room: Room, text: string | undefined, was: CustomerGateway | undefined): string {
  if (text === undefined && was?.psk != null) return was.psk;
  if (text !== undefined && /^[\x21-\x7e]{8,128}$/.test(text)) return sealedText(room, text, was);
  throw refuse(
    'parameter',
    'The pre-shared key (ipsecpsk) is invalid: it needs 8 to 128 printable ASCII characters without spaces. "openssl rand -base64 33" makes a good one',
  );
}

/** The sealed text that was, where it says the same: another one would be a change, and a change begins connections anew. */
function sealedText({ store: { sealKey } }: Room, text: string, was: CustomerGateway | undefined): string {
  return was?.psk != null && unseal(sealKey, was.psk) === text ? was.psk : seal(sealKey, text);
}

function lifetime(of: string, seconds: number): number {
  if (seconds >= 60 && seconds <= 86_400) return seconds;
  throw refuse(
    'parameter',
    `The ${of} lifetime ${seconds} of vpn connection is invalid!: it can be 60 to 86400 seconds`,
  );
}

async function judge(room: Room, of: 'ike' | 'esp', text: string): Promise<void> {
  const proposals = parsePolicy(text, of);
  if (proposals === undefined) {
    throw refuse(
      'parameter',
      `The customer gateway ${of.toUpperCase()} policy ${text} is invalid! Verify the required Diffie Hellman (DH) group is specified.: write it like aes256-sha256;modp2048, with one of ${CIPHERS.join(', ')}, one of ${HASHES.join(', ')}, and one of ${GROUPS.join(', ')}${of === 'ike' ? '' : ' (for ESP the group may be left out)'}; at most 8, separated by commas`,
    );
  }
  await refuseWeak(room, of, text, proposals);
}

async function refuseWeak(room: Room, of: string, text: string, proposals: readonly Proposal[]): Promise<void> {
  const weak = weakParts(proposals);
  if (weak.length === 0 || (await readFlag(room.db, 'vpn.weak.policies.allowed'))) return;
  throw refuse(
    'parameter',
    `The customer gateway ${of.toUpperCase()} policy ${text} is weak: ${weak.join(', ')} can be broken, or soon will be. Choose aes128 or aes256, sha256 or more, and modp2048 or more, such as aes256-sha256;modp2048. For a peer that knows nothing better the operator can allow it (vpn.weak.policies.allowed)`,
  );
}
