// Load balancer rules as answers show them, and what their two policies are made of.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { Tables } from '../../store/schema.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import type { Room } from '../room.ts';
import { addressTexts } from './firewall-view.ts';
import { RULE_TAGS } from './rule-removal.ts';

export type LoadBalancer = Tables['loadbalancer'];

export const loadBalancerView = z.object({
  id: field.string('id of the rule'),
  name: field.string('its name'),
  description: field.string('its description'),
  publicipid: field.string('the public address'),
  publicip: field.string('that address as text'),
  publicport: field.string('port outside'),
  privateport: field.string('port of the instances'),
  protocol: field.string('tcp, udp or tcp-proxy'),
  algorithm: field.string('roundrobin, leastconn or source'),
  cidrlist: field.string('where it may be used from, comma-separated; empty: from everywhere'),
  networkid: field.string('the network'),
  state: field.string('Add, or Active once it is realized'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  fordisplay: field.boolean('true'),
  ...ownerFields,
  tags: field.list('its tags', tagView),
});

export type LoadBalancerView = z.infer<typeof loadBalancerView>;

/** Rules as their answers show them. Ports are text: the Go clients read them so. */
export async function showLoadBalancers(room: Room, rows: readonly LoadBalancer[]): Promise<LoadBalancerView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const ips = await addressTexts(
    room,
    rows.map((row) => row.publicip),
  );
  const networks = await db
    .selectFrom('network')
    .select(['id', 'zone'])
    .where('id', 'in', [...new Set(rows.map((row) => row.network))])
    .execute();
  const zoneOf = new Map(networks.map((network) => [network.id, network.zone]));
  const zones = await namesOf(db, 'zone', zoneOf.values());
  const owner = await ownersOf(db, rows);
  const tags = await tagsOf(
    db,
    RULE_TAGS.loadbalancer,
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const zone = zoneOf.get(row.network);
    return field.compact<LoadBalancerView>({
      id: row.id,
      name: row.name,
      description: row.description,
      publicipid: row.publicip,
      publicip: ips.get(row.publicip),
      publicport: String(row.publicport),
      privateport: String(row.privateport),
      protocol: row.protocol,
      algorithm: row.algorithm,
      cidrlist: row.cidrlist,
      networkid: row.network,
      state: row.state,
      zoneid: zone,
      zonename: zone === undefined ? undefined : zones.get(zone),
      fordisplay: true,
      ...owner(row),
      tags: tags(row.id),
    });
  });
}

/** The rule with this id as a job's result shows it. */
export async function viewLoadBalancer(room: Room, id: string): Promise<LoadBalancerView | undefined> {
  return (
    await showLoadBalancers(room, await room.db.selectFrom('loadbalancer').selectAll().where('id', '=', id).execute())
  )[0];
}

/** Keeps a client with the member it got first: the column `stickiness`, as JSON. */
export interface Stickiness {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly methodname: string;
  readonly params: Readonly<Record<string, string>>;
}

/** How members are found dead and alive: the column `healthcheck`, as JSON. */
export interface HealthCheck {
  readonly id: string;
  readonly description: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly healthy: number;
  readonly unhealthy: number;
  /** Asked for by HTTP; absent: whether the port takes connections. */
  readonly path?: string;
  /** Who asks, where OVN does. */
  readonly source?: string;
}

export function stickinessOf(row: Pick<LoadBalancer, 'stickiness'>): Stickiness | undefined {
  return row.stickiness === null ? undefined : (JSON.parse(row.stickiness) as Stickiness);
}

export function healthCheckOf(row: Pick<LoadBalancer, 'healthcheck'>): HealthCheck | undefined {
  return row.healthcheck === null ? undefined : (JSON.parse(row.healthcheck) as HealthCheck);
}
