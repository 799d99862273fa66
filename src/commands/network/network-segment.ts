// What a new network is made of: which physical network carries it, and its VLAN from the pool, by hand, or none (overlay).
import { type ErrorName, refuse } from '../../api/error.ts';
import {
  FIRST_VLAN,
  LAST_VLAN,
  NATIVE_VLAN,
  type VlanRange,
  inVlanRanges,
  parseVlanRanges,
  vlansOf,
  withoutVlans,
} from '../../model/vlan-range.ts';
import { readText } from '../../store/setting.ts';
import { AllocationError, allocateVlan, takeVlan } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import { actualOf } from '../physical/switch-view.ts';
import type { Room, WriteRoom } from '../room.ts';

type Physical = Tables['physicalnetwork'];

/**
 * The physical network that was named, or the zone's first that is enabled. Where the offering has tags (a text with commas) it must
 * have them all.
 */
export async function physicalNetworkFor(
  room: Room,
  zone: Tables['zone'],
  id: string | undefined,
  offering?: Pick<Tables['networkoffering'], 'name' | 'tags'>,
): Promise<Physical> {
  const tags = tagsIn(offering?.tags);
  if (id === undefined) {
    const rows = await room.db
      .selectFrom('physicalnetwork')
      .selectAll()
      .where('zone', '=', zone.id)
      .orderBy('created')
      .orderBy('id')
      .execute();
    if (rows.length === 0)
      throw refuse(
        'parameter',
        `Physical network can't be determined; pass physical network id: zone ${zone.name} has none`,
      );
    const fitting = rows.filter((row) => hasTags(row, tags));
    const row = fitting.find(({ state }) => state === 'Enabled') ?? fitting[0];
    if (row === undefined) throw noneTagged(offering, tags, rows);
    return checkState(row);
  }
  const row = await existing(room, 'physicalnetwork', id, 'physicalnetworkid');
  if (row.zone !== zone.id) {
    throw refuse(
      'parameter',
      `Unable to find a physical network having the specified physical network id in zone ${zone.name}: ${row.name} is in another zone`,
    );
  }
  if (!hasTags(row, tags)) throw noneTagged(offering, tags, [row]);
  return checkState(row);
}

function tagsIn(text: string | null | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}

function hasTags(row: Physical, wanted: readonly string[]): boolean {
  const own = tagsIn(row.tags);
  return wanted.every((tag) => own.includes(tag));
}

function noneTagged(
  offering: { readonly name: string } | undefined,
  wanted: readonly string[],
  rows: readonly Physical[],
): Error {
  const there = rows.map((row) => `${row.name} has ${tagsIn(row.tags).join(', ') || 'none'}`);
  return refuse(
    'parameter',
    `Unable to find physical network which match the tags ${wanted.join(',')} of offering ${offering?.name}: ${there.join('; ')}. Choose another offering, or have the operator give one that tag (updatePhysicalNetwork tags=)`,
  );
}

function checkState(row: Physical): Physical {
  if (row.state === 'Enabled') return row;
  throw refuse(
    'parameter',
    `Specified physical network id is in incorrect state:${row.state}; ${row.name} must be Enabled`,
  );
}

/** `1234` or `vlan://1234` as a number that a network can be given. */
export function readVlan(text: string): number {
  const match = /^(?:vlan:\/\/)?([0-9]{1,5})$/.exec(text.trim());
  const vlan = match === null ? Number.NaN : Number(match[1]);
  if (!(vlan >= FIRST_VLAN && vlan <= LAST_VLAN)) {
    throw refuse('parameter', `Invalid VLAN ${text}: VLAN ids are whole numbers from ${FIRST_VLAN} to ${LAST_VLAN}`);
  }
  if (vlan === NATIVE_VLAN) {
    throw refuse(
      'parameter',
      `VLAN ${vlan} cannot be used: it is the native VLAN of the switches and carries the hypervisors' own traffic`,
    );
  }
  return vlan;
}

/** VLANs that no network may have, each with the reason as half a sentence. */
interface KeptVlan {
  readonly range: VlanRange;
  readonly why: string;
}

/**
 * Native VLANs of the switches on a physical network, those of router nodes' cables as far as switches say, those that carry public
 * addresses, and those the operator reserved.
 */
async function keptVlans(room: Room, physical: Physical): Promise<KeptVlan[]> {
  const switches = await room.db
    .selectFrom('switch')
    .select(['name', 'nativevlan'])
    .where('physicalnetwork', '=', physical.id)
    .orderBy('name')
    .execute();
  const cables = await room.db
    .selectFrom('switchport')
    .innerJoin('switch', 'switch.id', 'switchport.switch')
    .select(['switchport.name', 'switchport.role', 'switch.actual'])
    .where('switch.physicalnetwork', '=', physical.id)
    .where('switchport.role', 'in', ['router', 'management'])
    .execute();
  const ranges = await room.db
    .selectFrom('publicrange')
    .select('vlan')
    .distinct()
    .where('physicalnetwork', '=', physical.id)
    .where('network', 'is', null)
    .where('vlan', 'is not', null)
    .execute();
  const reserved = parseVlanRanges(await readText(room.db, 'network.vlan.reserved'));
  return [
    ...switches.map(({ name, nativevlan }) => ({
      range: { from: nativevlan, to: nativevlan },
      why: `it is the native VLAN of switch ${name}: what has no tag there would be in the network`,
    })),
    ...cables.flatMap((port) => {
      // A router's outside is untagged to it and to its public range: only its switch knows which VLAN that is.
      const vlan = actualOf(port)?.ports.find(({ name }) => name === port.name)?.untagged ?? 0;
      const where = port.role === 'router' ? 'the cable of a router node' : 'a port of role management';
      const why = `${where} carries it untagged: it is the operator's own (listSwitchPorts shows where)`;
      return vlan === 0 ? [] : [{ range: { from: vlan, to: vlan }, why }];
    }),
    ...ranges.flatMap(({ vlan }) =>
      vlan === null ? [] : [{ range: { from: vlan, to: vlan }, why: 'it carries public addresses' }],
    ),
    ...('ranges' in reserved ? reserved.ranges : []).map((range) => ({
      range,
      why: `the operator has reserved ${range.from === range.to ? range.from : `${range.from}-${range.to}`} (network.vlan.reserved)`,
    })),
  ];
}

export interface NewNetwork {
  readonly id: string;
  readonly guesttype: string;
  readonly domain: string;
}

/** Checks a VLAN chosen by hand against what the caller may name, the pool, and the networks that have it already. */
export async function checkVlan(
  room: Room,
  zone: Tables['zone'],
  physical: Physical,
  network: NewNetwork,
  vlan: number,
  bypass: boolean,
): Promise<void> {
  const kept = (await keptVlans(room, physical)).find(({ range }) => inVlanRanges([range], vlan));
  if (kept !== undefined) throw refuse('parameter', `VLAN ${vlan} cannot be used: ${kept.why}. Choose another`);
  if (bypass) return;
  const pool = parseVlanRanges(physical.vlan);
  if ('ranges' in pool && inVlanRanges(pool.ranges, vlan)) {
    throw refuse(
      'parameter',
      `The VLAN tag ${vlan} is already being used for dynamic vlan allocation for the guest network in zone ${zone.name}: choose one outside of ${physical.vlan}`,
    );
  }
  await checkNamed(room, vlan);
  const users = await room.db
    .selectFrom('vlan')
    .innerJoin('network', 'network.id', 'vlan.network')
    .select(['network.guesttype', 'network.domain'])
    .where('vlan.physicalnetwork', '=', physical.id)
    .where('vlan.vlan', '=', vlan)
    .execute();
  if (users.length === 0) return;
  if (isAlone(network.guesttype))
    throw refuse('parameter', `Network with vlan ${vlan} already exists in zone ${zone.name}`);
  // Private and Shared networks may share a wire, but only inside one domain: else one tenant would be on another's wire.
  const foreign = users.some((user) => isAlone(user.guesttype) || user.domain !== network.domain);
  if (foreign)
    throw refuse(
      'parameter',
      `There is a isolated/shared network with vlan id: ${vlan} already exists in zone ${zone.name}`,
    );
}

/**
 * On a VLAN that nobody set aside for tenants there may be machines of the operator's, with addresses to take: whoever is not root names
 * none but those that are.
 */
async function checkNamed(room: Room, vlan: number): Promise<void> {
  if (room.call.caller.role === 'admin') return;
  const text = await readText(room.db, 'network.vlan.tenants');
  const own = parseVlanRanges(text);
  if ('ranges' in own && inVlanRanges(own.ranges, vlan)) return;
  throw refuse(
    'parameter',
    `VLAN ${vlan} cannot be named by tenants: ${text === '' ? 'the operator has set none aside for them' : `the operator has set aside ${text} for them`} (network.vlan.tenants). ${text === '' ? 'Use' : 'Name one of those, use'} an offering whose VLANs come from the pool, or ask the operator`,
  );
}

/** Types of networks that have their VLAN for themselves. */
function isAlone(guesttype: string): boolean {
  return guesttype === 'Isolated' || guesttype === 'L2';
}

/** What the caller asked for, after the offering's word was heard. */
export type SegmentWish =
  | { readonly kind: 'overlay' }
  | { readonly kind: 'pool' }
  | { readonly kind: 'vlan'; readonly vlan: number };

/** What the offering makes networks of, and whether a VLAN may, or must, be given by hand. */
export function segmentWish(offering: Tables['networkoffering'], vlan: string | undefined): SegmentWish {
  if (offering.specifyvlan === 0 && vlan !== undefined) {
    throw refuse('parameter', `Can't specify vlan; corresponding offering says specifyVlan=false: ${offering.name}`);
  }
  if (offering.specifyvlan === 1) {
    if (vlan === undefined)
      throw refuse(
        'parameter',
        `Vlan has to be specified; corresponding offering says specifyVlan=true: ${offering.name}`,
      );
    return { kind: 'vlan', vlan: readVlan(vlan) };
  }
  return offering.segment === 'overlay' ? { kind: 'overlay' } : { kind: 'pool' };
}

/** Takes the VLAN for a network whose row is there: gives its number, or null for an overlay. */
export async function takeSegment(
  room: WriteRoom,
  physical: Physical,
  networkId: string,
  wish: SegmentWish,
): Promise<number | null> {
  if (wish.kind === 'overlay') return null;
  if (wish.kind === 'vlan') {
    await takeVlan(room.tx, physical.id, wish.vlan, networkId);
    return wish.vlan;
  }
  const kept = (await keptVlans(room, physical)).map(({ range }) => range);
  try {
    return await allocateVlan(room.tx, physical, networkId, kept);
  } catch (error) {
    const pool = parseVlanRanges(physical.vlan);
    const ranges = 'ranges' in pool ? pool.ranges : [];
    throw asRefusal(error, 'capacity', (text) => {
      const lost = vlansOf(ranges).length - vlansOf(withoutVlans(ranges, kept)).length;
      const besides = lost === 0 ? '' : `; ${lost} more are native, reserved or carry public addresses`;
      const help =
        room.call.caller.role === 'admin'
          ? 'Add a range with updatePhysicalNetwork (listGuestVlans shows who has which)'
          : 'Ask the operator of the cloud to add a range';
      return `Unable to allocate a VLAN: ${text}${besides}. ${help}, delete a network that nobody needs, or use an offering of overlay networks, which need none`;
    });
  }
}

/** An allocation that failed as a refusal; anything else as it is. */
export function asRefusal(error: unknown, kind: ErrorName, say: (text: string) => string): unknown {
  return error instanceof AllocationError ? refuse(kind, say(error.message)) : error;
}
