// Load balancers as OVN has them: a port of an address that leads to several members. What OVN's balancer cannot do is led to the
// gateway helper (helper-leg.ts), which passes it on. Who may use a balancer is judged elsewhere, by its public port.
import type { Fabric, GuestNetwork, Tier } from '../model/intent.ts';
import type { Balancer, BalancerMember, PublicSide } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import { cidr } from '../lib/ip.ts';
import type { Rule, Rules } from './filter.ts';
import { HELPER_ADDRESS, helperLeg, helperRows, type HelperTraffic } from './helper-leg.ts';
import { and, within } from './match.ts';
import { row, rowId } from './names.ts';
import { publicList } from './public-list.ts';
import { portRules } from './served-filter.ts';
import type { Leg } from './router.ts';

export interface Balancing {
  readonly rows: readonly DesiredRow[];
  /** Load_Balancer rows for the router, and for the switches of its networks: without those nobody inside reaches them. */
  readonly ids: readonly string[];
  /** The router's port towards the helper, where one is needed. */
  readonly leg?: Leg;
}

/** A balancer as the helper has it: where it listens. */
export interface Proxied {
  readonly balancer: Balancer;
  readonly port: number;
}

/**
 * All balancers of a router, and the helper, which is there for `vpns`, too. OVN chooses by a hash of both ends of a connection, which spreads connections evenly and takes no
 * turns; `source` hashes the client's address alone. A balancer without members drops what comes, and the helper's hangs up. Connections
 * of a member that is removed go on until they end, in OVN as through the helper.
 */
export function balancingOf(
  unit: string,
  routerId: string,
  side: PublicSide,
  networks: readonly (Tier | GuestNetwork)[],
  _fabric: Fabric,
  vpns?: HelperTraffic,
): Balancing {
  const proxied = new Map(proxiedOf(side).map((one) => [one.balancer, one]));
  const places = new Set(networks.flatMap(({ nics }) => nics.map(({ id }) => id)));
  const rows = side.addresses.flatMap(({ ip, balancers }) =>
    balancers.flatMap((balancer) => {
      const port = proxied.get(balancer)?.port;
      const vip = `${ip}:${balancer.publicPort}`;
      if (port !== undefined) return balancerRows(unit, { ...balancer, vip, backends: [`${HELPER_ADDRESS}:${port}`] });
      const checked = checkOf(unit, balancer, vip, places);
      return balancerRows(
        unit,
        { ...balancer, vip, backends: backendsOf(balancer.members), ...stay(balancer) },
        checked,
      );
    }),
  );
  const internal = side.internal.flatMap(({ id, ip, protocol, port, algorithm, members }) =>
    balancerRows(unit, { id, protocol, vip: `${ip}:${port}`, backends: backendsOf(members), ...chosenBy(algorithm) }),
  );
  const all = [...rows, ...internal];
  const ids = all.filter(({ table }) => table === 'Load_Balancer').map(({ uuid }) => uuid);
  if (proxied.size === 0 && vpns === undefined && side.helperLeaves !== true) return { rows: all, ids };
  const helper = helperRows(unit, routerId, together(trafficOf(side, [...proxied.values()], networks), vpns));
  return { rows: [...all, ...helper], ids, leg: helperLeg(routerId) };
}

/** Balancers that the gateway helper passes on. Each listens on a port of its own, which stays while others come and go. */
export function proxiedOf(side: PublicSide): readonly Proxied[] {
  const taken = new Set<number>();
  return side.addresses
    .flatMap(({ balancers }) => balancers)
    .filter(needsHelper)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((balancer) => {
      let port = portOf(balancer.id);
      while (taken.has(port)) port = port === LAST_PORT ? FIRST_PORT : port + 1;
      taken.add(port);
      return { balancer, port };
    });
}

/** Whether OVN's balancer cannot do it: it counts no connections and reads nothing of what passes. */
export function needsHelper({ protocol, algorithm, cookie, proxy, check }: Balancer): boolean {
  return (
    protocol === 'tcp' &&
    (algorithm === 'leastconn' || cookie !== undefined || proxy === true || check?.path !== undefined)
  );
}

/** Members the helper speaks to, as matches. */
export function reachedByHelper(side: PublicSide): readonly BalancerMember[] {
  const members = proxiedOf(side).flatMap(({ balancer }) => balancer.members);
  return [...new Map(members.map((member) => [`${member.ip}:${member.port}`, member])).values()].toSorted((a, b) =>
    a.ip === b.ip ? a.port - b.port : a.ip < b.ip ? -1 : 1,
  );
}

/** Below the ports that connections of the helper itself begin at (32768 and up, net.ipv4.ip_local_port_range). */
const FIRST_PORT = 10_000;
const LAST_PORT = 31_999;

function portOf(id: string): number {
  return FIRST_PORT + (Number.parseInt(id.slice(0, 8), 16) % (LAST_PORT - FIRST_PORT + 1));
}

function trafficOf(
  side: PublicSide,
  proxied: readonly Proxied[],
  networks: readonly (Tier | GuestNetwork)[],
): HelperTraffic {
  const members = proxied.flatMap(({ balancer }) => balancer.members);
  const reaches = new Set(members.map(({ ip, port }) => `ip4.dst == ${ip} && tcp.dst == ${port}`));
  return { accepts: proxied.map((one) => clientsOf(side, one, networks)), reaches: [...reaches].toSorted() };
}

/**
 * Who may have the helper pass on to a balancer's members. Who comes from outside was judged at the wire; the router's own networks are
 * translated before they would get there, and members are spoken to in the helper's name, whatever their tier's list says of them: they
 * are judged as at the public address. But where all members are is a network inside which nothing is filtered.
 */
function clientsOf(side: PublicSide, { balancer, port }: Proxied, networks: readonly (Tier | GuestNetwork)[]): Rules {
  const address = side.addresses.find(({ balancers }) => balancers.includes(balancer))!;
  const { protocol, publicPort, cidrs, members } = balancer;
  const here = `ip4.dst == ${HELPER_ADDRESS} && tcp.dst == ${port}`;
  const served = { protocol, ports: [{ start: publicPort, end: publicPort }], cidrs };
  const rules = portRules(served, publicList(address, side.firewall), (ranges) => (ranges.length === 0 ? [] : [here]));
  const [home, ...others] = new Set(members.map(({ networkId }) => networkId));
  const range = others.length > 0 ? undefined : networks.find(({ id }) => id === home)?.cidr;
  const near: readonly Rule[] =
    range === undefined || rules.every(({ allow }) => allow)
      ? []
      : [{ id: `${here}/home`, match: and(within('ip4.src', [cidr(range)]), here), allow: true }];
  return [...near, ...rules];
}

function together(traffic: HelperTraffic, vpns: HelperTraffic | undefined): HelperTraffic {
  if (vpns === undefined) return traffic;
  const { accepts, reaches } = vpns;
  return { ...vpns, accepts: [...traffic.accepts, ...accepts], reaches: [...traffic.reaches, ...reaches] };
}

interface Vip {
  readonly id: string;
  readonly protocol: 'tcp' | 'udp';
  readonly vip: string;
  readonly backends: readonly string[];
  readonly selection?: readonly string[];
  readonly options?: Readonly<Record<string, string>>;
}

interface Checked {
  readonly rows: readonly DesiredRow[];
  readonly mappings: Readonly<Record<string, string>>;
}

function balancerRows(unit: string, balancer: Vip, checked?: Checked): readonly DesiredRow[] {
  const { id, protocol, vip, backends, selection = [], options = {} } = balancer;
  const columns = {
    name: `lb-${id}`,
    vips: { [vip]: backends.join(',') },
    protocol: [protocol],
    selection_fields: selection,
    options,
    health_check: (checked?.rows ?? []).map(({ uuid }) => uuid),
    ip_port_mappings: checked?.mappings ?? {},
  };
  return [row('Load_Balancer', rowId('Load_Balancer', id), { id, unit }, columns), ...(checked?.rows ?? [])];
}

function backendsOf(members: readonly BalancerMember[]): readonly string[] {
  return members.map(({ ip, port }) => `${ip}:${port}`).toSorted();
}

/** How long a client is remembered where nobody said another time. */
const STICKY_SECONDS = 1800;

/** ovn-nb(5) Load_Balancer.options:affinity_timeout: the member a client got first, for as long as it comes back. */
function stay(balancer: Balancer): Pick<Vip, 'selection' | 'options'> {
  const { algorithm, sticky, stickySeconds = STICKY_SECONDS } = balancer;
  if (algorithm === 'source' || !sticky) return chosenBy(algorithm);
  return { options: { affinity_timeout: String(Math.min(stickySeconds, 65_535)) } };
}

function chosenBy(algorithm: Balancer['algorithm']): Pick<Vip, 'selection'> {
  return algorithm === 'source' ? { selection: ['ip_src'] } : {};
}

/**
 * Health checks of OVN's: the hypervisor of each member asks it, from an address of its network that nobody has. (From any other
 * address the answer would go to the router and be lost.)
 */
function checkOf(unit: string, balancer: Balancer, vip: string, places: ReadonlySet<string>): Checked | undefined {
  const { id, check, members, protocol } = balancer;
  if (check?.source === undefined || protocol !== 'tcp' || members.length === 0) return undefined;
  const { source } = check;
  const asked = members.filter(({ nicId }) => places.has(nicId));
  const columns = {
    vip,
    options: {
      interval: String(Math.max(1, Math.round(check.intervalSeconds))),
      timeout: String(Math.max(1, Math.round(check.timeoutSeconds))),
      success_count: String(check.healthy),
      failure_count: String(check.unhealthy),
    },
  };
  return {
    rows: [row('Load_Balancer_Health_Check', rowId('Load_Balancer_Health_Check', id), { id, unit }, columns)],
    mappings: Object.fromEntries(asked.map(({ ip, nicId }) => [ip, `${nicId}:${source}`])),
  };
}
