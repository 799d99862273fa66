// The two policies of a load balancer rule: whether a client stays with the instance it got first, and how instances that do not
// answer are found.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { unknownId, visible, visibleRows } from '../access.ts';
import { refuseHidden } from '../known.ts';
import { page, pageParams } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { healthCheckView, showHealthChecks, showStickiness, stickinessView } from './balancer-policy-view.ts';
import { type HealthCheck, type LoadBalancer, type Stickiness, healthCheckOf, stickinessOf } from './balancer-view.ts';
import { checkAddress, tidyCheckAddress } from './balancer-check.ts';
import { readStickiness } from './balancer-stickiness.ts';
import { isByOvn, needService } from './public-service.ts';

type Column = 'stickiness' | 'healthcheck';

/** The rule that has the policy with this id, if the caller may see it. */
async function known(room: Room, column: Column, id: string): Promise<LoadBalancer> {
  const rule = await room.db
    .selectFrom('loadbalancer')
    .selectAll()
    .where(column, 'like', `%"id":"${id}"%`)
    .where(visibleRows(room.call.caller, 'loadbalancer'))
    .executeTakeFirst();
  if (rule === undefined) throw unknownId(room, 'id', id);
  return rule;
}

export const createLBStickinessPolicy = jobCommand({
  name: 'createLBStickinessPolicy',
  envelope: 'createLBStickinessPolicy',
  summary: 'Keeps the clients of a load balancer rule with the instance they got first',
  roles: WRITERS,
  event: 'LB.STICKINESSPOLICY.CREATE',
  answer: { kind: 'object', key: 'stickinesspolicies', view: stickinessView },
  params: z.object({
    lbruleid: param.ref('loadbalancer', 'The rule'),
    name: param.text('Name of the policy'),
    methodname: param.text(
      'SourceBased: by the address of the client; LbCookie: by a cookie of the balancer; AppCookie: by one of the instances',
    ),
    description: param.text('Description').optional(),
    param: param.map('Its parameters: param[0].name and param[0].value').optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    const rule = await visible(room, 'loadbalancer', want.lbruleid, 'lbruleid');
    refuseHidden(want);
    const had = stickinessOf(rule);
    if (had !== undefined)
      throw refuse(
        'parameter',
        `Load balancer rule ${rule.name} has the stickiness policy ${had.name} (${had.id}) already. Delete it first`,
      );
    const { methodname, params } = readStickiness(want.methodname, want.param ?? [], rule);
    const policy: Stickiness = {
      id: newId(),
      name: want.name,
      description: want.description ?? '',
      methodname,
      params,
    };
    await room.tx.update('loadbalancer', rule.id, { stickiness: JSON.stringify(policy) });
    return {
      id: policy.id,
      about: { type: 'LoadBalancer', id: rule.id },
      view: 'stickinesspolicies',
      text: `making load balancer rule ${rule.name} sticky`,
    };
  },
});

const MOST_SECONDS = 3600;
const MOST_TIMES = 100;
/** What a path may hold (RFC 3986), less what configuration files quote with. */
const PATH = /^\/[A-Za-z0-9._~!$&()*+,;=:@%/?-]{0,255}$/;

export const createLBHealthCheckPolicy = jobCommand({
  name: 'createLBHealthCheckPolicy',
  summary: 'Has the instances of a load balancer rule looked at: those that do not answer get nothing',
  roles: WRITERS,
  event: 'LB.HEALTHCHECKPOLICY.CREATE',
  answer: { kind: 'object', key: 'healthcheckpolicies', view: healthCheckView },
  params: z.object({
    lbruleid: param.ref('loadbalancer', 'The rule'),
    description: param.text('Description').optional(),
    intervaltime: param.integer('Seconds between two looks; 5', { min: 1, max: MOST_SECONDS }).optional(),
    responsetimeout: param.integer('Seconds to wait for an answer; 2', { min: 1, max: MOST_SECONDS }).optional(),
    healthythreshold: param.integer('Answers until alive; 2', { min: 1, max: MOST_TIMES }).optional(),
    unhealthythreshold: param.integer('Missing answers until dead; 10', { min: 1, max: MOST_TIMES }).optional(),
    pingpath: param
      .text(
        'A path to ask for by HTTP, answered with 2xx or 3xx; where it is left out, whether the port takes connections',
      )
      .optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    const rule = await visible(room, 'loadbalancer', want.lbruleid, 'lbruleid');
    refuseHidden(want);
    const had = healthCheckOf(rule);
    if (had !== undefined)
      throw refuse(
        'parameter',
        `Load balancer rule ${rule.name} has a health check policy (${had.id}) already. Delete it first`,
      );
    if (rule.protocol !== 'tcp')
      throw refuse(
        'parameter',
        `Load balancer rule ${rule.name} is for ${rule.protocol}: only tcp ports can be asked whether they answer`,
      );
    const path = want.pingpath === '' ? undefined : want.pingpath;
    if (path !== undefined && !PATH.test(path))
      throw refuse(
        'parameter',
        `pingpath ${path.slice(0, 80)} is no path: it begins with / and has at most 256 characters of a URL, such as /health`,
      );
    const network = await visible(room, 'network', rule.network, 'lbruleid');
    const byOvn = isByOvn(await needService(room, network, 'Lb', 'a health check policy'));
    const policy: HealthCheck = {
      id: newId(),
      description: want.description ?? '',
      intervalSeconds: want.intervaltime ?? 5,
      timeoutSeconds: want.responsetimeout ?? 2,
      healthy: want.healthythreshold ?? 2,
      unhealthy: want.unhealthythreshold ?? 10,
    };
    if (policy.timeoutSeconds >= policy.intervalSeconds)
      throw refuse(
        'parameter',
        `responsetimeout ${policy.timeoutSeconds} should be less than intervaltime ${policy.intervalSeconds}: one look is over before the next begins`,
      );
    const source = byOvn ? { source: await checkAddress(room.tx, network) } : {};
    const whole = { ...policy, ...(path === undefined ? {} : { path }), ...source };
    await room.tx.update('loadbalancer', rule.id, { healthcheck: JSON.stringify(whole) });
    return {
      id: policy.id,
      about: { type: 'LoadBalancer', id: rule.id },
      view: 'healthcheckpolicies',
      text: `making a health check policy of load balancer rule ${rule.name}`,
    };
  },
});

function removal(name: string, column: Column, what: string, event: string, envelope?: string) {
  return jobCommand({
    name,
    ...(envelope === undefined ? {} : { envelope }),
    summary: `Deletes the ${what} of a load balancer rule`,
    roles: WRITERS,
    event,
    answer: { kind: 'success' },
    params: z.object({ id: param.ref(`${column}policy`, 'The policy') }),
    async job(room, want) {
      const rule = await known(room, column, want.id);
      await room.tx.update('loadbalancer', rule.id, { [column]: null });
      if (column === 'healthcheck') await tidyCheckAddress(room.tx, rule.network);
      return { about: { type: 'LoadBalancer', id: rule.id }, text: `deleting the ${what} of rule ${rule.name}` };
    },
  });
}

export const deleteLBStickinessPolicy = removal(
  'deleteLBStickinessPolicy',
  'stickiness',
  'stickiness policy',
  'LB.STICKINESSPOLICY.DELETE',
  'deleteLBstickinessrruleresponse',
);
export const deleteLBHealthCheckPolicy = removal(
  'deleteLBHealthCheckPolicy',
  'healthcheck',
  'health check policy',
  'LB.HEALTHCHECKPOLICY.DELETE',
);

function change<V extends z.ZodObject>(
  name: string,
  column: Column,
  what: string,
  event: string,
  key: string,
  view: V,
) {
  return jobCommand({
    name,
    summary: `Changes the ${what} of a load balancer rule: nothing of it can be changed, delete it and make another`,
    roles: WRITERS,
    event,
    answer: { kind: 'object', key, view },
    params: z.object({
      id: param.ref(`${column}policy`, 'The policy'),
      fordisplay: param.flag('Only true').optional(),
      customid: param.text('Not offered').optional(),
    }),
    async job(room, want) {
      const rule = await known(room, column, want.id);
      refuseHidden(want);
      const about = { type: 'LoadBalancer', id: rule.id };
      return { about, view: key, text: `updating the ${what} of rule ${rule.name}` };
    },
  });
}

export const updateLBStickinessPolicy = change(
  'updateLBStickinessPolicy',
  'stickiness',
  'stickiness policy',
  'LB.STICKINESSPOLICY.UPDATE',
  'stickinesspolicies',
  stickinessView,
);
export const updateLBHealthCheckPolicy = change(
  'updateLBHealthCheckPolicy',
  'healthcheck',
  'health check policy',
  'LB.HEALTHCHECKPOLICY.UPDATE',
  'healthcheckpolicies',
  healthCheckView,
);

function policies<V extends z.ZodObject>(
  name: string,
  column: Column,
  what: string,
  key: string,
  view: V,
  show: (room: Room, rows: readonly LoadBalancer[]) => Promise<z.infer<V>[]>,
) {
  return listCommand({
    name,
    summary: `Lists the ${what} of load balancer rules`,
    roles: EVERYBODY,
    key,
    view,
    params: z.object({
      id: param.ref(`${column}policy`, 'The policy with this id').optional(),
      lbruleid: param.ref('loadbalancer', 'Those of this rule').optional(),
      fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
      ...pageParams,
    }),
    async list(room, want) {
      if (want.id !== undefined) await known(room, column, want.id);
      if (want.lbruleid !== undefined) await visible(room, 'loadbalancer', want.lbruleid, 'lbruleid');
      let query = room.db
        .selectFrom('loadbalancer')
        .selectAll()
        .where(visibleRows(room.call.caller, 'loadbalancer'))
        .where(column, 'is not', null);
      if (want.id !== undefined) query = query.where(column, 'like', `%"id":"${want.id}"%`);
      if (want.lbruleid !== undefined) query = query.where('id', '=', want.lbruleid);
      if (want.fordisplay === false) return { count: 0, rows: [] };
      const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
      return { count, rows: await show(room, rows) };
    },
  });
}

export const listLBStickinessPolicies = policies(
  'listLBStickinessPolicies',
  'stickiness',
  'stickiness policies',
  'stickinesspolicies',
  stickinessView,
  showStickiness,
);
export const listLBHealthCheckPolicies = policies(
  'listLBHealthCheckPolicies',
  'healthcheck',
  'health check policies',
  'healthcheckpolicies',
  healthCheckView,
  showHealthChecks,
);
