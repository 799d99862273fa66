// The Linux routers of a network: which router nodes get a leg in it, and with which addresses. A leg is a row; what the node
// then does follows from it (store/router-unit.ts).
import { refuse } from '../../api/error.ts';
import { newId } from '../../lib/id.ts';
import { cidr, formatCidr, isPrivate, last, overlaps, size } from '../../lib/ip.ts';
import { LINUX_ROUTER, isRedundant, needsLinuxRouter, servicesOf } from '../../model/network-service.ts';
import type { NodeFacts } from '../../protocol/document.ts';
import { allocateHighest, releaseAddresses } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { giveSourceNat, takeBackNetwork } from '../public/public-ip-give.ts';
import type { Room, WriteRoom } from '../room.ts';
import { refuseUnanswered } from './ipv6-wire.ts';
import { refuseForeignNames } from './network-names.ts';

type Network = Tables['network'];
type Offering = Tables['networkoffering'];
type Leg = Tables['networkrouter'];

/** Of VRRP: the first leg is master while it is there. */
const PRIORITIES = [200, 100] as const;

/**
 * Gives a network what its offering asks of who routes: the legs of Linux routers and, whoever it is, the public address of its own:
 * `sourceNat`, or the next free one. For a new network outside a VPC, and for one whose offering changes.
 */
export async function assignRouters(
  room: WriteRoom,
  network: Network,
  offering: Offering,
  sourceNat?: string,
): Promise<void> {
  if (network.vpc !== null) return;
  await refuseForeignNames(room, network, offering);
  await assignLegs(room, network, offering);
  await giveSourceNat(room, network, offering, sourceNat);
}

/** Takes a network that goes off its routers: legs, public addresses and all their rules. */
export async function releaseRouters(room: WriteRoom, network: Pick<Network, 'id'>): Promise<void> {
  await takeBackNetwork(room, network.id);
  await releaseLegs(room, network);
}

/** How many router nodes the networks of an offering have. */
function routersWanted(offering: Pick<Offering, 'services' | 'capabilities'>): 0 | 1 | 2 {
  if (!needsLinuxRouter(offering)) return 0;
  return isRedundant(offering) ? 2 : 1;
}

/**
 * Gives a network the legs that its offering asks for: none, one, or two; those it has stay. The network's gateway address and one
 * own address per leg, the highest that are free, are taken from its range. Refuses with 533 where there are too few router nodes that are
 * Up, Enabled, route for no overlapping CIDR, and IPv6 where the network has it.
 */
async function assignLegs(room: WriteRoom, network: Network, offering: Offering): Promise<void> {
  const wanted = routersWanted(offering);
  const legs = await legsOf(room, network.id);
  if (wanted === 0) {
    await releaseLegs(room, network);
    return;
  }
  checkRoutable(network, offering);
  if (network.ip6cidr !== null) await refuseUnanswered(room.db, network.zone, network.ip6cidr, offering);
  for (const leg of legs.slice(wanted)) await removeLeg(room, leg);
  const kept = legs.slice(0, wanted);
  if (kept.length === wanted) return;
  const nodes = await chooseNodes(room, network, offering, wanted, kept);
  await takeGateway(room, network);
  const free = PRIORITIES.filter((priority) => !kept.some((leg) => leg.priority === priority));
  for (const [index, node] of nodes.entries()) {
    const id = newId();
    await room.tx.insert('networkrouter', {
      id,
      network: network.id,
      host: node.id,
      ip: await takeOwnAddress(room, network, id),
      priority: free[index]!,
      state: null,
      findings: null,
      created: new Date().toISOString(),
    });
  }
}

/** Takes all legs of a network away and gives their addresses back. */
async function releaseLegs(room: WriteRoom, network: Pick<Network, 'id'>): Promise<void> {
  const legs = await legsOf(room, network.id);
  for (const leg of legs) await removeLeg(room, leg);
  if (legs.length > 0) await releaseAddresses(room.tx, network.id);
}

/** The legs of a network, the master's first. */
export async function legsOf(room: Room, network: string): Promise<Leg[]> {
  return room.db
    .selectFrom('networkrouter')
    .selectAll()
    .where('network', '=', network)
    .orderBy('priority', 'desc')
    .execute();
}

/**
 * Moves a leg to another router node, address and precedence with it. Answers the node's name, or undefined where no other node is
 * free: then nothing is changed.
 */
export async function moveLeg(room: WriteRoom, leg: Leg, network: Network): Promise<string | undefined> {
  const taken = new Set((await legsOf(room, network.id)).map(({ host }) => host));
  const node = (await nodesFor(room, network)).find((one) => one.problem === undefined && !taken.has(one.id));
  if (node === undefined) return undefined;
  await room.tx.update('networkrouter', leg.id, { host: node.id, state: null, findings: null });
  return node.name;
}

/** A router needs a VLAN to reach its network by, an address to be reached at, and something to do there. */
function checkRoutable(network: Network, offering: Offering): void {
  if (network.segment !== 'vlan' || network.vlan === null) {
    throw refuse(
      'parameter',
      `Network ${network.name} cannot have a Linux router: it is an overlay between the hypervisors, and router nodes are reached by VLANs. Use an offering whose networks are VLANs`,
    );
  }
  const routes = servicesOf(offering).some(
    ({ name, provider }) => provider === LINUX_ROUTER && (name === 'Gateway' || name === 'SourceNat'),
  );
  if (!routes) {
    throw refuse(
      'parameter',
      `Network offering ${offering.name} names Linux routers for services but neither for Gateway nor for SourceNat: they would be nobody's gateway. Add one of the two`,
    );
  }
  if (network.cidr === null || network.gateway === null) {
    throw refuse(
      'parameter',
      `Network ${network.name} needs a CIDR and a gateway address: its Linux routers of offering ${offering.name} stand at that address`,
    );
  }
}

/** Why a node has no place for a network: root is told so, tenants that the addresses are not to be had. */
const CLASH = 'routes for a network with an overlapping CIDR already';
const NO_SIX = 'routes no IPv6';

interface Node {
  readonly id: string;
  readonly name: string;
  /** Why it can take no leg here: what it is or does. */
  readonly problem: string | undefined;
}

/**
 * Whether a router node can route IPv6. One that has said nothing of itself yet is not judged; one that does not speak of it has an agent
 * that would leave it undone and not say so.
 */
function routesSix(facts: string | null): boolean {
  return facts === null || (JSON.parse(facts) as Partial<NodeFacts>).abilities?.['ipv6-router'] === true;
}

async function chooseNodes(
  room: Room,
  network: Network,
  offering: Offering,
  wanted: 1 | 2,
  kept: readonly Leg[],
): Promise<Node[]> {
  const nodes = (await nodesFor(room, network)).filter((node) => !kept.some((leg) => leg.host === node.id));
  const free = nodes.filter((node) => node.problem === undefined);
  const missing = wanted - kept.length;
  if (free.length >= missing) return free.slice(0, missing);
  const root = room.call.caller.role === 'admin';
  const need = wanted === 1 ? 'a router node that is Up' : 'two router nodes that are Up';
  const has =
    free.length + kept.length === 0 ? 'none' : `one${root && free[0] !== undefined ? `: ${free[0].name}` : ''}`;
  const others = nodes.filter((node) => node.problem !== undefined);
  // Which machines there are is the operator's business; why they do not help is everybody's.
  const why = root
    ? others.map(({ name, problem }) => `${name} ${problem}${problem === NO_SIX ? ', see its abilities' : ''}`)
    : [...Map.groupBy(others, (node) => node.problem)].map(
        ([problem, group]) => `${group.length} ${problem === CLASH ? `without room for ${network.cidr}` : problem}`,
      );
  const clash = others.some(({ problem }) => problem === CLASH);
  const help = root
    ? 'Start the agents of those that are Down, enable them (updateHost), or add one with createJoinToken kind=router'
    : `${clash ? 'A router node can have each address once: leave cidr out and a free one is chosen, or name another. ' : ''}Choose an offering that OVN routes for, where every network may have any CIDR, or ask the operator for a router node`;
  throw refuse(
    'capacity',
    `Unable to make network ${network.name}: offering ${offering.name} needs ${need} and free to route for ${network.cidr}; there is ${has}${why.length === 0 ? '' : ` (${why.join(', ')})`}. ${help}`,
  );
}

/** The router nodes of a network's zone, the least loaded first. Equal addresses of two networks cannot be told apart on one node. */
async function nodesFor(room: Room, network: Network): Promise<Node[]> {
  const hosts = await room.db
    .selectFrom('host')
    .select(['id', 'name', 'state', 'resourcestate', 'facts'])
    .where('zone', '=', network.zone)
    .where('kind', '=', 'router')
    .orderBy('name')
    .execute();
  if (hosts.length === 0) return [];
  const legs = await room.db
    .selectFrom('networkrouter')
    .innerJoin('network', 'network.id', 'networkrouter.network')
    .select(['networkrouter.host', 'network.id', 'network.cidr'])
    .where(
      'networkrouter.host',
      'in',
      hosts.map(({ id }) => id),
    )
    .execute();
  const byHost = Map.groupBy(legs, ({ host }) => host);
  const own = network.cidr === null ? undefined : cidr(network.cidr);
  return hosts
    .map(({ id, name, state, resourcestate, facts }) => {
      const here = (byHost.get(id) ?? []).filter((leg) => leg.id !== network.id);
      const clash = here.some((leg) => leg.cidr !== null && own !== undefined && overlaps(cidr(leg.cidr), own));
      const problem =
        state !== 'Up'
          ? `is ${state}`
          : resourcestate !== 'Enabled'
            ? `is ${resourcestate}`
            : clash
              ? CLASH
              : network.ip6cidr === null || routesSix(facts)
                ? undefined
                : NO_SIX;
      return { id, name, load: here.length, problem };
    })
    .toSorted((a, b) => a.load - b.load);
}

/**
 * The first CIDR of the size of `wanted`, itself first, that overlaps with no network of the zone's router nodes; `wanted` where none is
 * left among private addresses.
 */
export async function freeCidr(room: Room, zone: Pick<Tables['zone'], 'id'>, wanted: string): Promise<string> {
  const rows = await room.db
    .selectFrom('networkrouter')
    .innerJoin('network', 'network.id', 'networkrouter.network')
    .select('network.cidr')
    .distinct()
    .where('network.zone', '=', zone.id)
    .execute();
  const taken = rows.flatMap((row) => (row.cidr === null ? [] : [cidr(row.cidr)]));
  let candidate = cidr(wanted);
  while (isPrivate(candidate)) {
    const clash = taken.find((prefix) => overlaps(prefix, candidate));
    if (clash === undefined) return formatCidr(candidate);
    const step = size(candidate);
    candidate = { ...candidate, base: Math.ceil((last(clash) + 1) / step) * step };
  }
  return wanted;
}

async function takeGateway(room: WriteRoom, network: Network): Promise<void> {
  const gateway = network.gateway!;
  const row = await room.db
    .selectFrom('address')
    .select('owner')
    .where('network', '=', network.id)
    .where('ip', '=', gateway)
    .executeTakeFirst();
  if (row?.owner === network.id) return;
  if (row !== undefined) {
    throw refuse(
      'parameter',
      `Linux routers cannot take the gateway address ${gateway} of network ${network.name}: a member has it. Detach it first, or give it another address`,
    );
  }
  await room.tx.db
    .insertInto('address')
    .values({ network: network.id, ip: gateway, kind: 'gateway', owner: network.id })
    .execute();
}

/** The highest free address: instances are given the lowest. */
async function takeOwnAddress(room: WriteRoom, network: Network, leg: string): Promise<string> {
  const address = await allocateHighest(room.tx, network, 'router', leg);
  if (address !== undefined) return address;
  throw refuse(
    'capacity',
    `Unable to give the routers of network ${network.name} an address of their own: ${network.cidr} has none left. Each router takes one beside the gateway's; use a larger CIDR or range`,
  );
}

async function removeLeg(room: WriteRoom, leg: Leg): Promise<void> {
  await releaseAddresses(room.tx, leg.id);
  await room.tx.remove('networkrouter', leg.id);
}
