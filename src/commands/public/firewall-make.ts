// Making a firewall rule: what it says, read and checked, and what it must not say twice. Also the hole that is made for a port
// forwarding or load balancer rule.
import { refuse } from '../../api/error.ts';
import { newId } from '../../lib/id.ts';
import { cidr, covers, formatCidr, sameCidr } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import type { Entering, WriteRoom } from '../room.ts';
import { readRule } from '../vpc/acl-rule.ts';
import type { FirewallRule } from './firewall-view.ts';
import { providerOf } from './public-service.ts';
import type { PortRange } from './rule-conflict.ts';
import type { Side } from './rule-target.ts';

export interface FirewallWant {
  readonly protocol: string;
  readonly cidrlist?: readonly string[] | undefined;
  readonly destcidrlist?: readonly string[] | undefined;
  readonly startport?: number | undefined;
  readonly endport?: number | undefined;
  readonly icmptype?: number | undefined;
  readonly icmpcode?: number | undefined;
}

/** What a rule says, without where it stands. */
export type Said = Pick<
  FirewallRule,
  'protocol' | 'startport' | 'endport' | 'icmptype' | 'icmpcode' | 'cidrlist' | 'destcidrlist'
>;

/** Protocols by their numbers. */
const NUMBERS: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp' };
const NAMES = ['tcp', 'udp', 'icmp', 'all'];

/** Reads a rule. The refusals about ports, ICMP and CIDRs are those of ACL rules. */
export function readFirewall(want: FirewallWant): Said {
  const { protocol: typed, ...ports } = readRule(
    Object.fromEntries(
      Object.entries({
        protocol: want.protocol,
        cidrlist: want.cidrlist,
        startport: want.startport,
        endport: want.endport,
        icmptype: want.icmptype,
        icmpcode: want.icmpcode,
      }).filter(([, value]) => value !== undefined),
    ),
  );
  const protocol = NUMBERS[typed] ?? typed;
  if (!NAMES.includes(protocol)) {
    throw refuse('parameter', `Invalid protocol: ${want.protocol}. A firewall rule is for one of ${NAMES.join(', ')}`);
  }
  const { startport, endport, icmptype, icmpcode, cidrlist } = ports;
  return { protocol, startport, endport, icmptype, icmpcode, cidrlist, destcidrlist: readDestinations(want) };
}

function readDestinations({ destcidrlist }: FirewallWant): string {
  if (destcidrlist === undefined || destcidrlist.length === 0) return '';
  // The same form, and the same refusal, as that of sources.
  return readRule({ cidrlist: destcidrlist }).cidrlist;
}

/** Refuses sources that are not in the network: nothing of theirs leaves it. */
export function checkSources(said: Said, network: Tables['network']): void {
  if (network.cidr === null) return;
  const own = cidr(network.cidr);
  const foreign = said.cidrlist.split(',').find((text) => {
    const source = cidr(text);
    return source.length !== 0 && !covers(own, source);
  });
  if (foreign !== undefined) {
    throw refuse(
      'parameter',
      `Source cidr ${foreign} is not within the network: what leaves ${network.name} comes from ${network.cidr}. Give a part of it, or 0.0.0.0/0; destinations are given in destcidrlist`,
    );
  }
}

/** Refuses with 537 what another rule of the same place says already; it is named. */
export function refuseSaid(said: Said, others: readonly FirewallRule[]): void {
  for (const other of others) {
    if (other.protocol !== said.protocol || !shareCidrs(said, other)) continue;
    if (said.protocol === 'icmp') {
      if (other.icmptype !== said.icmptype || other.icmpcode !== said.icmpcode) continue;
      throw refuse(
        'conflict',
        `There is already a firewall rule specified with protocol = icmp, type ${other.icmptype ?? -1} and code ${other.icmpcode ?? -1}: rule ${other.id}`,
      );
    }
    if (other.startport === null || other.endport === null || said.startport === null || said.endport === null) {
      if (other.startport !== said.startport) continue;
      throw refuse(
        'conflict',
        `There is already a firewall rule specified with protocol = ${said.protocol} and no ports: rule ${other.id}`,
      );
    }
    if (other.startport > said.endport || said.startport > other.endport) continue;
    throw refuse(
      'conflict',
      `The range specified, ${said.startport}-${said.endport}, conflicts with rule ${other.id} which has ${other.startport}-${other.endport}: a firewall rule for ${other.protocol} from ${other.cidrlist}. Delete it first, or give other ports or CIDRs`,
    );
  }
}

/** Rules for different ends do not say the same. */
function shareCidrs(a: Said, b: Said): boolean {
  const share = (left: string, right: string): boolean =>
    listed(left).some((one) => listed(right).some((other) => sameCidr(cidr(one), cidr(other))));
  return share(a.cidrlist, b.cidrlist) && share(a.destcidrlist || ANY, b.destcidrlist || ANY);
}

const ANY = '0.0.0.0/0';
const listed = (text: string): string[] => text.split(',').map((part) => formatCidr(cidr(part)));

/** Adds a rule; the state to promise it. */
export async function addFirewallRule(
  room: WriteRoom,
  said: Said,
  at: Pick<FirewallRule, 'direction' | 'network' | 'publicip' | 'account' | 'domain'> & { readonly related?: string },
): Promise<Entering> {
  const id = newId();
  await room.tx.insert('firewallrule', {
    id,
    direction: at.direction,
    family: 4,
    network: at.network,
    publicip: at.publicip,
    ...said,
    related: at.related ?? null,
    state: 'Add',
    account: at.account,
    domain: at.domain,
    created: new Date().toISOString(),
  });
  return { kind: 'firewallrule', id, state: 'Active' };
}

/**
 * Opens the firewall for a new rule of a public address, unless the caller said no, there is no firewall, or it is open there. The hole
 * goes with the rule.
 */
export async function openFirewall(
  room: WriteRoom,
  { address, network }: Side,
  offering: Pick<Tables['networkoffering'], 'services'>,
  want: { readonly openfirewall?: boolean | undefined; readonly related: string; readonly cidrlist: string },
  ports: PortRange,
): Promise<Entering[]> {
  if (want.openfirewall === true && address.vpc !== null) {
    throw refuse(
      'parameter',
      `Can't have openFirewall=true when IP address belongs to VPC: ${address.ip} has no firewall, network ACL lists rule there. Leave openfirewall out`,
    );
  }
  if (want.openfirewall === false || providerOf(offering, 'Firewall') === undefined) return [];
  const said: Said = {
    protocol: ports.protocol,
    startport: ports.from,
    endport: ports.to,
    icmptype: null,
    icmpcode: null,
    cidrlist: want.cidrlist === '' ? ANY : want.cidrlist,
    destcidrlist: '',
  };
  const others = await room.db
    .selectFrom('firewallrule')
    .selectAll()
    .where('publicip', '=', address.id)
    .where('related', 'is', null)
    .execute();
  if (others.some((other) => lets(other, said))) return [];
  const at = {
    direction: 'Ingress',
    network: network.id,
    publicip: address.id,
    account: address.account,
    domain: address.domain,
    related: want.related,
  };
  return [await addFirewallRule(room, said, at)];
}

/** Whether everything one rule lets in the other does, too. */
function lets(other: Said, said: Said): boolean {
  if (other.protocol !== said.protocol && other.protocol !== 'all') return false;
  const ports =
    other.startport === null ||
    other.endport === null ||
    (said.startport !== null &&
      said.endport !== null &&
      other.startport <= said.startport &&
      said.endport <= other.endport);
  return (
    ports && listed(said.cidrlist).every((one) => listed(other.cidrlist).some((wide) => covers(cidr(wide), cidr(one))))
  );
}
