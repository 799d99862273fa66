// The policies of load balancer rules as answers show them: inside the rule they are of.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { ownerFields, ownersOf } from '../join.ts';
import type { Room } from '../room.ts';
import { type LoadBalancer, healthCheckOf, stickinessOf } from './balancer-view.ts';

const common = {
  lbruleid: field.string('the load balancer rule'),
  ...ownerFields,
  zoneid: field.string('its zone'),
};

export const stickinessView = z.object({
  ...common,
  name: field.string('name of the rule'),
  state: field.string('Active'),
  stickinesspolicy: field.list(
    'its policy',
    z.object({
      id: field.string('id of the policy'),
      name: field.string('its name'),
      description: field.string('its description'),
      methodname: field.string('SourceBased, LbCookie or AppCookie'),
      params: field.map('its parameters'),
      state: field.string('Active'),
      fordisplay: field.boolean('true'),
    }),
  ),
});

export const healthCheckView = z.object({
  ...common,
  healthcheckpolicy: field.list(
    'its policy',
    z.object({
      id: field.string('id of the policy'),
      description: field.string('its description'),
      healthcheckinterval: field.integer('seconds between two looks'),
      responsetime: field.integer('seconds to wait for an answer'),
      healthcheckthresshold: field.integer('answers after which an instance is alive again'),
      unhealthcheckthresshold: field.integer('missing answers after which an instance is dead'),
      pingpath: field.string('what is asked for by HTTP; absent: whether the port takes connections'),
      state: field.string('Active'),
      fordisplay: field.boolean('true'),
    }),
  ),
});

type StickinessView = z.infer<typeof stickinessView>;
type HealthCheckView = z.infer<typeof healthCheckView>;

async function commonOf(room: Room, rows: readonly LoadBalancer[]) {
  const owner = await ownersOf(room.db, rows);
  const networks = await room.db
    .selectFrom('network')
    .select(['id', 'zone'])
    .where('id', 'in', ['', ...rows.map((row) => row.network)])
    .execute();
  const zones = new Map(networks.map((network) => [network.id, network.zone]));
  return (row: LoadBalancer) => ({ lbruleid: row.id, ...owner(row), zoneid: zones.get(row.network) });
}

/** Rules with their stickiness as answers show it. */
export async function showStickiness(room: Room, rows: readonly LoadBalancer[]): Promise<StickinessView[]> {
  const base = await commonOf(room, rows);
  return rows.map((row) => {
    const policy = stickinessOf(row);
    return field.compact<StickinessView>({
      ...base(row),
      name: row.name,
      state: 'Active',
      stickinesspolicy:
        policy === undefined ? [] : [{ ...policy, params: { ...policy.params }, state: 'Active', fordisplay: true }],
    });
  });
}

/** Rules with their health check as answers show it. */
export async function showHealthChecks(room: Room, rows: readonly LoadBalancer[]): Promise<HealthCheckView[]> {
  const base = await commonOf(room, rows);
  return rows.map((row) => {
    const policy = healthCheckOf(row);
    return field.compact<HealthCheckView>({
      ...base(row),
      healthcheckpolicy:
        policy === undefined
          ? []
          : [
              {
                id: policy.id,
                description: policy.description,
                healthcheckinterval: policy.intervalSeconds,
                responsetime: policy.timeoutSeconds,
                healthcheckthresshold: policy.healthy,
                unhealthcheckthresshold: policy.unhealthy,
                ...(policy.path === undefined ? {} : { pingpath: policy.path }),
                state: 'Active',
                fordisplay: true,
              },
            ],
    });
  });
}

async function ruleById(room: Room, id: string): Promise<LoadBalancer[]> {
  return room.db.selectFrom('loadbalancer').selectAll().where('id', '=', id).execute();
}

/** The stickiness of the rule with this id as a job's result shows it. */
export async function viewStickiness(room: Room, rule: string): Promise<StickinessView | undefined> {
  return (await showStickiness(room, await ruleById(room, rule)))[0];
}

/** The health check of the rule with this id as a job's result shows it. */
export async function viewHealthCheck(room: Room, rule: string): Promise<HealthCheckView | undefined> {
  return (await showHealthChecks(room, await ruleById(room, rule)))[0];
}
