// What affinity groups mean for where an instance may run: which hosts they rule out, and which they like better.
import { refuse } from '../../api/error.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId } from '../access.ts';
import type { Room } from '../room.ts';

/** CloudStack's names of the kinds: whether members belong together, and whether that is a must. */
export const AFFINITY_TYPES = {
  'host anti-affinity': { together: false, strict: true },
  'host affinity': { together: true, strict: true },
  'non-strict host anti-affinity': { together: false, strict: false },
  'non-strict host affinity': { together: true, strict: false },
} as const;

export type AffinityType = keyof typeof AFFINITY_TYPES;

type Group = Pick<Tables['affinitygroup'], 'id' | 'name' | 'type'>;

export interface Affinity {
  /** Why a host is ruled out; undefined where it is not. */
  ruledOut(host: string): string | undefined;
  /** The smaller the better: how many wishes of the groups a host goes against. */
  cost(host: string): number;
}

/** No groups, no wishes. */
export const NO_AFFINITY: Affinity = { ruledOut: () => undefined, cost: () => 0 };

/** The affinity of an instance with the members of its groups that run now. `self`: the instance, once it is one. */
export async function affinityOf(room: Room, groups: readonly Group[], self?: string): Promise<Affinity> {
  if (groups.length === 0) return NO_AFFINITY;
  const members = await room.db
    .selectFrom('affinitymember')
    .innerJoin('instance', 'instance.id', 'affinitymember.instance')
    .select(['affinitymember.affinitygroup as group', 'instance.id', 'instance.host', 'instance.migratefrom'])
    .where(
      'affinitymember.affinitygroup',
      'in',
      groups.map(({ id }) => id),
    )
    .where('instance.host', 'is not', null)
    .execute();
  const others = members.filter(({ id }) => id !== self);
  // One that moves is at both places until it is there.
  const hostsOf = new Map(
    groups.map(({ id }) => [
      id,
      others.filter((one) => one.group === id).flatMap(({ host, migratefrom }) => [host, migratefrom]),
    ]),
  );
  const against = (group: Group, host: string): boolean => {
    const hosts = (hostsOf.get(group.id) ?? []).filter((one) => one !== null);
    const { together } = AFFINITY_TYPES[group.type as AffinityType];
    return together ? hosts.length > 0 && !hosts.includes(host) : hosts.includes(host);
  };
  return {
    ruledOut(host) {
      const group = groups.find((one) => AFFINITY_TYPES[one.type as AffinityType].strict && against(one, host));
      if (group === undefined) return undefined;
      const { together } = AFFINITY_TYPES[group.type as AffinityType];
      return `affinity group ${group.name} (${group.type}) ${together ? 'has its members elsewhere' : 'has a member there'}`;
    },
    cost: (host) => groups.filter((group) => against(group, host)).length,
  };
}

/** The groups an instance is in. */
export function groupsOf(room: Room, instance: string): Promise<Group[]> {
  return room.db
    .selectFrom('affinitygroup')
    .innerJoin('affinitymember', 'affinitymember.affinitygroup', 'affinitygroup.id')
    .select(['affinitygroup.id', 'affinitygroup.name', 'affinitygroup.type'])
    .where('affinitymember.instance', '=', instance)
    .orderBy('affinitygroup.name')
    .execute();
}

interface Asked {
  readonly affinitygroupids?: readonly string[] | undefined;
  readonly affinitygroupnames?: readonly string[] | undefined;
}

/** The groups a call names, by ids or by names, each once. Refuses one the account has not. */
export async function askedGroups(
  room: Room,
  account: Pick<Tables['account'], 'id' | 'name'>,
  want: Asked,
): Promise<Group[]> {
  const ids = want.affinitygroupids ?? [];
  const names = want.affinitygroupnames ?? [];
  if (ids.length > 0 && names.length > 0) {
    throw refuse(
      'parameter',
      'affinityGroupIds parameter is mutually exclusive with affinityGroupNames parameter: name the groups in one way',
    );
  }
  if (ids.length === 0 && names.length === 0) return [];
  const own = await room.db
    .selectFrom('affinitygroup')
    .select(['id', 'name', 'type'])
    .where('account', '=', account.id)
    .execute();
  const byId = (id: string): Group => {
    const group = own.find((one) => one.id === id);
    if (group === undefined) throw unknownId(room, 'affinitygroupids', id);
    return group;
  };
  const byName = (name: string): Group => {
    const group = own.find((one) => one.name === name);
    if (group !== undefined) return group;
    throw refuse(
      'parameter',
      `Unable to find affinity group by name ${name} for account ${account.name}: createAffinityGroup makes one`,
    );
  };
  return [...new Set([...ids.map(byId), ...names.map(byName)])];
}
