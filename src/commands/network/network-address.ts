// The addresses a new network is given: CIDR, gateway, range and exclusions, read from the many forms clients write them in.
import { refuse } from '../../api/error.ts';
import {
  type Cidr,
  FORBIDDEN,
  cidr,
  contains,
  firstUsable,
  formatCidr,
  formatIp,
  isPrivate,
  last,
  lengthOfNetmask,
  overlaps,
  parseCidr,
  parseIp,
  usable,
} from '../../lib/ip.ts';
import { type IpRange, addressPlan, parseIpRanges } from '../../store/allocate.ts';

export interface AddressWant {
  readonly cidr?: string | undefined;
  readonly gateway?: string | undefined;
  readonly netmask?: string | undefined;
  readonly startip?: string | undefined;
  readonly endip?: string | undefined;
  readonly ipexclusionlist?: string | undefined;
}

/** Addresses of a network as its row holds them. */
export interface Addresses {
  /** Canonical: host bits cleared. */
  readonly cidr: string;
  readonly gateway: string | null;
  readonly startip: string | null;
  readonly endip: string | null;
  readonly ipexclusionlist: string | null;
}

/** Of a network without any. */
export const NO_ADDRESSES = { cidr: null, gateway: null, startip: null, endip: null, ipexclusionlist: null } as const;

/** Smaller ones hold no member beside the gateway. */
const LONGEST = 30;

/**
 * Reads and checks what was given; undefined when nothing says what the CIDR is. A gateway is taken as given, or is the first
 * address where `gatewayByDefault`. Refusals are in CloudStack's words and order.
 */
export function readAddresses(want: AddressWant, gatewayByDefault: boolean): Addresses | undefined {
  const gateway = want.gateway === undefined ? undefined : parseIp(want.gateway);
  if (want.gateway !== undefined && gateway === undefined)
    throw refuse('parameter', `Gateway parameter is invalid: ${want.gateway}`);
  const prefix = readPrefix(want, gateway);
  if (prefix === undefined) {
    if (want.startip !== undefined || want.endip !== undefined) {
      throw refuse('parameter', 'gateway and netmask should be defined when startIP/endIP are passed in');
    }
    return undefined;
  }
  const text = formatCidr(prefix);
  if (prefix.length > LONGEST)
    throw refuse('parameter', `Network cidr ${text} is too small: at most a /${LONGEST} holds a gateway and a member`);
  if (FORBIDDEN.some((range) => overlaps(range, prefix))) {
    throw refuse(
      'parameter',
      `Network cidr ${text} cannot be used: it holds addresses that are never a network's (this host, loopback, link local, multicast or reserved)`,
    );
  }
  if (gateway !== undefined) checkGateway(gateway, prefix);
  const range = readRange(want, prefix);
  const addresses: Addresses = {
    cidr: text,
    gateway: gateway !== undefined ? formatIp(gateway) : gatewayByDefault ? formatIp(firstUsable(prefix)) : null,
    ...range,
    ipexclusionlist:
      want.ipexclusionlist === undefined || want.ipexclusionlist.trim() === '' ? null : want.ipexclusionlist,
  };
  if (addresses.ipexclusionlist !== null) refuseFullExclusion(addresses);
  return addresses;
}

function readPrefix(
  { cidr: text, gateway: gatewayText, netmask: mask }: AddressWant,
  gateway: number | undefined,
): Cidr | undefined {
  const length = mask === undefined ? undefined : lengthOfNetmask(mask);
  if (mask !== undefined && (length === undefined || length === 0))
    throw refuse('parameter', `Invalid netmask: ${mask} is no netmask such as 255.255.255.0`);
  if (text !== undefined) {
    const prefix = parseCidr(text);
    if (prefix === undefined)
      throw refuse('parameter', `Invalid format for the CIDR parameter: ${text} is no CIDR such as 10.1.1.0/24`);
    if (length !== undefined && length !== prefix.length) {
      throw refuse('parameter', `Netmask ${mask} and cidr ${text} contradict each other: leave one of them out`);
    }
    return prefix;
  }
  if (length === undefined || gateway === undefined) {
    if (length !== undefined || gateway !== undefined) {
      throw refuse(
        'parameter',
        `${length === undefined ? 'netmask' : 'gateway'} is missing: a network is given by cidr, or by gateway and netmask`,
      );
    }
    return undefined;
  }
  return cidr(`${gatewayText}/${length}`);
}

function checkGateway(gateway: number, prefix: Cidr): void {
  const text = formatIp(gateway);
  if (!contains(prefix, gateway))
    throw refuse('parameter', `The gateway ip ${text} should be part of the CIDR of the network ${formatCidr(prefix)}`);
  if (gateway === prefix.base) {
    throw refuse(
      'parameter',
      `Invalid gateway specified. It should never be equal to the cidr subnet value: ${text} of ${formatCidr(prefix)}`,
    );
  }
  if (gateway === last(prefix)) {
    throw refuse(
      'parameter',
      `Invalid gateway IP provided. Either the IP is broadcast or network IP. ${text} is the broadcast address of ${formatCidr(prefix)}`,
    );
  }
}

function readRange({ startip, endip }: AddressWant, prefix: Cidr): Pick<Addresses, 'startip' | 'endip'> {
  const start = startip === undefined ? undefined : parseIp(startip);
  const end = endip === undefined ? start : parseIp(endip);
  if (startip !== undefined && start === undefined)
    throw refuse('parameter', `Invalid format for the startIp parameter: ${startip}`);
  if (endip !== undefined && end === undefined)
    throw refuse('parameter', `Invalid format for the endIp parameter: ${endip}`);
  if (start === undefined && end === undefined) return { startip: null, endip: null };
  if (start === undefined || end === undefined)
    throw refuse('parameter', 'startIp is missing: endIp alone gives no range');
  for (const address of [start, end]) {
    if (!usable(prefix, address)) {
      throw refuse(
        'parameter',
        `The range ${formatIp(start)}-${formatIp(end)} must lie in the CIDR of the network ${formatCidr(prefix)}, without its first and last address`,
      );
    }
  }
  if (start > end) throw refuse('parameter', `startIp ${startip} is greater than endIp ${endip}`);
  return { startip: formatIp(start), endip: formatIp(end) };
}

/** Ranges that are at most this many addresses long in sum are counted; see {@link refuseFullExclusion}. */
export function checkExclusion(text: string, networkCidr: string): IpRange[] {
  const ranges = parseIpRanges(text);
  if (ranges === undefined)
    throw refuse(
      'parameter',
      `Syntax error in ipExclusionList: "${text}" is no list of addresses and ranges such as 10.1.1.2-10.1.1.9,10.1.1.20`,
    );
  const prefix = cidr(networkCidr);
  if (!ranges.every(({ from, to }) => contains(prefix, from) && contains(prefix, to))) {
    throw refuse('parameter', `An IP in the ipExclusionList is not part of the CIDR of the network ${networkCidr}`);
  }
  return ranges;
}

function refuseFullExclusion(addresses: Addresses): void {
  const ranges = checkExclusion(addresses.ipexclusionlist ?? '', addresses.cidr);
  const plan = addressPlan({ id: '', name: '', ...addresses });
  for (let address = plan.from; address <= plan.to;) {
    const inside = ranges.find(({ from, to }) => address >= from && address <= to);
    if (inside !== undefined) address = inside.to + 1;
    else if (plan.refuses(address) === undefined) return;
    else address++;
  }
  throw refuse(
    'parameter',
    `The ipExclusionList excludes all IPs in the CIDR; at least one needs to be available: ${addresses.ipexclusionlist} of ${addresses.cidr}`,
  );
}

/** Refuses a network a tenant could not own: public addresses belong to somebody else. */
export function checkRfc1918(networkCidr: string): void {
  if (isPrivate(cidr(networkCidr))) return;
  throw refuse(
    'parameter',
    `Virtual Guest Cidr ${networkCidr} is not RFC1918 compliant: use a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. Routable addresses are the operator's to give, to a network whose offering translates none`,
  );
}
