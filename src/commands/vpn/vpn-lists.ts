// Which tiers of a VPC let in what comes from behind a VPN, and let anything begin there, by their lists and those of private gateways
// before them: facts for checkVpn.
import { capabilitiesOf } from '../../model/network-service.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { type Cidr, cidr, formatCidr, overlaps } from '../../lib/ip.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import { type ListItem, letsPass } from './list-judgement.ts';
import type { Fact } from './vpn-judgement.ts';

const GLOBAL: ReadonlySet<string> = new Set([BUILT_IN.denyList, BUILT_IN.allowList]);

/**
 * A fact of each tier and direction whose list closes it to some of `ends`; none where something may pass. A list keeps answers from
 * nobody: what it says of Egress is about what instances begin. `within`: only tiers in it.
 */
export async function closedTierFacts(
  db: Db,
  vpc: Pick<Tables['vpc'], 'id' | 'name'>,
  ends: readonly string[],
  within?: Cidr,
): Promise<Fact[]> {
  const tiers = await db
    .selectFrom('network')
    .select(['id', 'name', 'acl', 'cidr'])
    .where('vpc', '=', vpc.id)
    .where('cidr', 'is not', null)
    .orderBy('name')
    .execute();
  const items = await itemsOf(
    db,
    tiers.map(({ acl }) => acl),
  );
  return tiers
    .filter((tier) => within === undefined || overlaps(within, cidr(tier.cidr!)))
    .flatMap((tier): Fact[] => {
      const list = items.get(tier.acl ?? '') ?? [];
      // Of everybody's lists, the one that lets nothing out lets nothing in either, and what takes its place opens both.
      const directions = isOwn(tier.acl) ? (['Ingress', 'Egress'] as const) : (['Ingress'] as const);
      return directions.flatMap((direction): Fact[] => {
        const closed = ends.filter((end) => !letsPass(list, direction, cidr(end)));
        if (closed.length === 0) return [];
        const to = closed.join(', ');
        return [
          {
            name: 'acl',
            hop: `tier ${tier.name} of VPC ${vpc.name}`,
            state: 'bad',
            text:
              direction === 'Ingress'
                ? `no list lets anything into tier ${tier.name} from ${to}: it is dropped there`
                : `the list of tier ${tier.name} lets nothing out to ${to}: instances answer who comes from there, and reach nobody there by themselves`,
            repair: opening(vpc.id, tier.acl, direction, closed, `networkid=${tier.id}`),
          },
        ];
      });
    });
}

/**
 * What the list of a private gateway says of what comes in by it from `sources` to `to`: of a strict VPC its Ingress items judge
 * sources, else its Egress items judge destinations (compile/gateway-list.ts).
 */
export async function arrivingFacts(
  db: Db,
  vpc: Pick<Tables['vpc'], 'id' | 'name' | 'offering'>,
  gateway: Pick<Tables['privategateway'], 'id' | 'ip' | 'acl'>,
  sources: readonly string[],
  to: Cidr,
): Promise<Fact[]> {
  const list = (await itemsOf(db, [gateway.acl])).get(gateway.acl) ?? [];
  const strict = await isStrict(db, vpc);
  const text = formatCidr(to);
  const closed = strict
    ? sources.filter((source) => !letsPass(list, 'Ingress', cidr(source)))
    : letsPass(list, 'Egress', to)
      ? []
      : [text];
  if (closed.length === 0) return [];
  const direction = strict ? 'Ingress' : 'Egress';
  return [
    {
      name: 'acl',
      hop: `private gateway ${gateway.ip} of VPC ${vpc.name}`,
      state: 'bad',
      text: `its list lets nothing in from the Private network ${strict ? `from ${closed.join(', ')}` : `to ${text}`}: what comes from ${sources.join(', ')} is dropped there`,
      repair: opening(vpc.id, gateway.acl, direction, closed, `gatewayid=${gateway.id}`),
    },
  ];
}

/** What a strict list of our own private gateway keeps from leaving. Others let everything leave. */
export async function leavingFacts(
  db: Db,
  vpc: Pick<Tables['vpc'], 'id' | 'name' | 'offering'>,
  gateway: Pick<Tables['privategateway'], 'id' | 'ip' | 'acl'>,
  to: Cidr,
): Promise<Fact[]> {
  if (!(await isStrict(db, vpc))) return [];
  const list = (await itemsOf(db, [gateway.acl])).get(gateway.acl) ?? [];
  if (letsPass(list, 'Egress', to)) return [];
  const text = formatCidr(to);
  return [
    {
      name: 'acl',
      hop: `private gateway ${gateway.ip} of VPC ${vpc.name}`,
      state: 'bad',
      text: `its list lets nothing out to ${text}`,
      repair: opening(vpc.id, gateway.acl, 'Egress', [text], `gatewayid=${gateway.id}`),
    },
  ];
}

async function isStrict(db: Db, { offering }: Pick<Tables['vpc'], 'offering'>): Promise<boolean> {
  const row = await db.selectFrom('vpcoffering').select('capabilities').where('id', '=', offering).executeTakeFirst();
  return row !== undefined && capabilitiesOf(row).NetworkACL?.['Strict'] === 'true';
}

/** The request that opens a list; everybody's lists cannot be changed, so a new one takes their place. */
function opening(
  vpc: string,
  acl: string | null,
  direction: 'Ingress' | 'Egress',
  cidrs: readonly string[],
  on: string,
): string {
  const item = (list: string): string =>
    `createNetworkACL aclid=${list} protocol=all traffictype=${direction.toLowerCase()} action=allow cidrlist=${cidrs.join(',')}`;
  if (isOwn(acl)) return `${item(acl)}, with a number before what denies it`;
  return `createNetworkACLList vpcid=${vpc} name=vpn; ${item('THAT_LIST')}; replaceNetworkACLList aclid=THAT_LIST ${on}`;
}

function isOwn(acl: string | null): acl is string {
  return acl !== null && !GLOBAL.has(acl);
}

async function itemsOf(db: Db, lists: readonly (string | null)[]): Promise<ReadonlyMap<string, readonly ListItem[]>> {
  const ids = [...new Set(lists.filter((id) => id !== null))];
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom('aclitem').selectAll().where('acl', 'in', ids).execute();
  return Map.groupBy(rows, ({ acl }) => acl);
}
