// All that can happen to the rows of the intent, as operations that a property test strings together at random.
import type { ObjectTable } from './schema.ts';
import {
  WORLD,
  gatewayRow,
  hostRow,
  instanceRow,
  itemRow,
  networkRow,
  deviceRow,
  memberRow,
  nicRow,
  portRow,
  routeRow,
  switchRow,
  tierRow,
  vpcRow,
} from './row.test-support.ts';
import type { Tx } from './write.ts';

/** Does one sensible thing with rows chosen by two numbers, or nothing where there is none to do it with. */
type Operation = (tx: Tx, a: number, b: number) => Promise<void>;

async function pick<T extends ObjectTable>(
  tx: Tx,
  table: T,
  a: number,
  condition?: (row: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown> | undefined> {
  const rows = (await tx.db
    .selectFrom(table as 'vpc')
    .selectAll()
    .orderBy('id')
    .execute()) as unknown as Record<string, unknown>[];
  const fitting = condition === undefined ? rows : rows.filter(condition);
  return fitting[a % Math.max(1, fitting.length)];
}

const idOf = (row: Record<string, unknown> | undefined): string | undefined => row?.['id'] as string | undefined;

let serial = 0;

export const OPERATIONS: readonly Operation[] = [
  (tx) => tx.insert('vpc', vpcRow({ name: `v${serial++}` })),
  (tx, a) => tx.insert('host', hostRow(`h${String(serial++).padStart(5, '0')}`, { serial: a % 3 === 0 ? null : 's' })),
  (tx, a) => tx.insert('network', networkRow(a % 2 === 0 ? {} : { segment: 'vlan', vlan: 100 + (a % 100) })),
  (tx, a) =>
    tx.insert(
      'network',
      networkRow({
        guesttype: 'Isolated',
        offering: WORLD.bareOffering,
        gateway: a % 2 === 0 ? null : '172.16.0.1',
        ...(a % 3 === 0 ? {} : { segment: 'vlan', vlan: 100 + (a % 100) }),
      }),
    ),
  async (tx, a, b) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc !== undefined) await tx.insert('network', tierRow(vpc, { acl: b % 2 === 0 ? null : WORLD.deny }));
  },
  async (tx, a, b) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    const network = idOf(await pick(tx, 'network', b, (row) => row['guesttype'] === 'Private'));
    if (vpc === undefined || network === undefined) return;
    const twin = await tx.db
      .selectFrom('privategateway')
      .select('id')
      .where('vpc', '=', vpc)
      .where('network', '=', network)
      .executeTakeFirst();
    if (twin === undefined) await tx.insert('privategateway', gatewayRow(vpc, network, `172.16.0.${1 + (a % 250)}`));
  },
  async (tx, a, b) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc !== undefined)
      await tx.insert('staticroute', routeRow(vpc, `10.${serial++ % 250}.${b % 250}.${serial % 250}/32`, '172.16.0.9'));
  },
  async (tx, a, b) => {
    const network = idOf(await pick(tx, 'network', a, (row) => row['guesttype'] !== 'Private'));
    if (network === undefined) return;
    const instance = instanceRow(`i-${serial++}-VM`, b % 4 === 0 ? null : (idOf(await pick(tx, 'host', b)) ?? null));
    await tx.insert('instance', instance);
    await tx.insert('nic', nicRow(instance.id, network, 0, `10.1.1.${1 + (a % 250)}`));
  },
  async (tx, a, b) => {
    const instance = idOf(await pick(tx, 'instance', a));
    const network = idOf(await pick(tx, 'network', b, (row) => row['guesttype'] !== 'Private'));
    if (instance === undefined || network === undefined) return;
    const nics = await tx.db.selectFrom('nic').selectAll().where('instance', '=', instance).execute();
    if (!nics.some((nic) => nic.network === network))
      await tx.insert(
        'nic',
        nicRow(instance, network, 1 + Math.max(0, ...nics.map((nic) => nic.deviceid)), '10.1.1.9'),
      );
  },
  async (tx, a, b) => {
    const instance = idOf(await pick(tx, 'instance', a));
    const host = idOf(await pick(tx, 'host', b)) ?? null;
    if (instance !== undefined)
      await tx.update(
        'instance',
        instance,
        b % 3 === 0 ? { host: null, power: 'stopped' } : { host, lasthost: host, power: 'running', boot: b },
      );
  },
  async (tx, a) => {
    const instance = idOf(await pick(tx, 'instance', a));
    if (instance !== undefined)
      await tx.update('instance', instance, {
        hostname: `n${serial++}`,
        serviceoffering: a % 2 === 0 ? WORLD.small : WORLD.large,
      });
  },
  async (tx, a, b) => {
    const instance = idOf(await pick(tx, 'instance', a, (row) => row['host'] !== null));
    const migratefrom = b % 3 === 0 ? null : (idOf(await pick(tx, 'host', b)) ?? null);
    if (instance !== undefined) await tx.update('instance', instance, { migratefrom });
  },
  (tx) => tx.insert('network', networkRow({ guesttype: 'L2', offering: WORLD.bareOffering, cidr: null })),
  async (tx, a, b) => {
    const nic = idOf(await pick(tx, 'nic', a));
    if (nic !== undefined) await tx.update('nic', nic, b % 2 === 0 ? { ip: null } : { moved: b });
  },
  async (tx, a) => {
    const nic = idOf(await pick(tx, 'nic', a));
    if (nic !== undefined) await tx.remove('nic', nic);
  },
  async (tx, a) => {
    const instance = idOf(await pick(tx, 'instance', a));
    if (instance === undefined) return;
    for (const { id } of await tx.db.selectFrom('nic').select('id').where('instance', '=', instance).execute())
      await tx.remove('nic', id);
    await tx.remove('instance', instance);
  },
  async (tx, a) => {
    const gateway = idOf(await pick(tx, 'privategateway', a));
    if (gateway !== undefined) await tx.remove('privategateway', gateway);
  },
  async (tx, a) => {
    const route = idOf(await pick(tx, 'staticroute', a));
    if (route !== undefined) await tx.remove('staticroute', route);
  },
  async (tx, a) => {
    const network = idOf(await pick(tx, 'network', a));
    if (network === undefined) return;
    for (const table of ['nic', 'member', 'privategateway'] as const) {
      for (const { id } of await tx.db.selectFrom(table).select('id').where('network', '=', network).execute())
        await tx.remove(table, id);
    }
    await tx.remove('network', network);
  },
  async (tx, a) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc === undefined) return;
    for (const { id: network } of await tx.db.selectFrom('network').select('id').where('vpc', '=', vpc).execute()) {
      for (const table of ['nic', 'member'] as const) {
        for (const { id } of await tx.db.selectFrom(table).select('id').where('network', '=', network).execute())
          await tx.remove(table, id);
      }
      await tx.remove('network', network);
    }
    for (const table of ['privategateway', 'staticroute'] as const) {
      for (const { id } of await tx.db.selectFrom(table).select('id').where('vpc', '=', vpc).execute())
        await tx.remove(table, id);
    }
    await tx.remove('vpc', vpc);
  },
  async (tx, a, b) => {
    const host = idOf(await pick(tx, 'host', a));
    if (host !== undefined)
      await tx.update(
        'host',
        host,
        [
          { state: 'Down' },
          { underlayip: `192.0.2.${b % 250}` },
          { serial: null },
          { serial: 's' },
          { name: `x${serial++}` },
        ][b % 5]!,
      );
  },
  async (tx, a) => {
    const host = idOf(await pick(tx, 'host', a));
    if (host === undefined) return;
    for (const { id } of await tx.db.selectFrom('instance').select('id').where('lasthost', '=', host).execute())
      await tx.update('instance', id, { host: null, lasthost: null });
    for (const { id } of await tx.db.selectFrom('switchport').select('id').where('host', '=', host).execute())
      await tx.update('switchport', id, { host: null });
    await tx.remove('host', host);
  },
  async (tx, a, b) => {
    const network = idOf(await pick(tx, 'network', a));
    if (network !== undefined)
      await tx.update(
        'network',
        network,
        [
          { name: `n${b}` },
          { dns1: '8.8.8.8' },
          { networkdomain: 'own.example' },
          { acl: WORLD.deny },
          { acl: null },
          { segment: 'overlay' },
        ][b % 6]!,
      );
  },
  async (tx, a) => {
    const vpc = idOf(await pick(tx, 'vpc', a));
    if (vpc !== undefined) await tx.update('vpc', vpc, { name: `v${serial++}`, networkdomain: `d${a}.example` });
  },
  (tx, a) => tx.insert('switch', switchRow(`s${serial++}`, a % 3 === 0 ? { apply: 0 } : {})),
  async (tx, a, b) => {
    const on = idOf(await pick(tx, 'switch', a));
    if (on === undefined) return;
    const host = idOf(await pick(tx, 'host', b)) ?? null;
    const role = b % 2 === 0 && host !== null ? { role: 'hypervisor', host } : {};
    await tx.insert('switchport', portRow(on, `p${serial++}`, { managed: a % 2 === 0 ? 1 : 0, ...role }));
  },
  async (tx, a, b) => {
    const network = idOf(await pick(tx, 'network', a));
    const port = idOf(await pick(tx, 'switchport', b, (row) => row['role'] === 'access'));
    if (network === undefined || port === undefined) return;
    const device = deviceRow(`d${serial++}`, port);
    await tx.insert('device', device);
    await tx.insert('member', memberRow(network, device.id, port, a % 2 === 0 ? {} : { tagged: 1 }));
  },
  async (tx, a, b) => {
    const member = idOf(await pick(tx, 'member', a));
    if (member === undefined) return;
    if (b % 3 === 0) await tx.update('member', member, { state: 'Detaching' });
    else if (b % 3 === 1) await tx.update('member', member, { mac: '02:00:00:00:00:02' });
    else await tx.remove('member', member);
  },
  async (tx, a) => {
    const device = idOf(await pick(tx, 'device', a));
    if (device !== undefined) await tx.update('device', device, { name: `e${serial++}` });
  },
  async (tx, a, b) => {
    const port = idOf(await pick(tx, 'switchport', a, (row) => row['role'] === 'hypervisor'));
    if (port === undefined) return;
    if (b % 2 === 0) await tx.remove('switchport', port);
    else await tx.update('switchport', port, { host: idOf(await pick(tx, 'host', b)) ?? null });
  },
  async (tx, a, b) => {
    const on = idOf(await pick(tx, 'switch', a));
    if (on !== undefined)
      await tx.update('switch', on, b % 2 === 0 ? { nativevlan: 900 + (b % 90) } : { confirmed: b });
  },
  async (tx, a) => {
    const table = (['vpc', 'network', 'host', 'zone'] as const)[a % 4]!;
    const id = idOf(await pick(tx, table, a));
    if (id !== undefined) await tx.touch(table, id);
  },
  (tx, a) => tx.update('zone', WORLD.zone, { dns1: `9.9.9.${a % 250}`, dns2: a % 2 === 0 ? null : '8.8.4.4' }),
  (tx, a) => tx.update('physicalnetwork', WORLD.physical, { name: `phys${a}` }),
  (tx) => tx.update('acl', WORLD.deny, { name: `deny${serial++}` }),
  (tx) => tx.insert('aclitem', itemRow(WORLD.deny, ++serial)),
  async (tx, a) => {
    const item = idOf(await pick(tx, 'aclitem', a));
    if (item !== undefined)
      await (a % 2 === 0 ? tx.remove('aclitem', item) : tx.update('aclitem', item, { action: 'Deny' }));
  },
  async (tx, a) => {
    await tx.db
      .insertInto('configuration')
      .values({
        name: 'network.underlay.mtu',
        value: `${1500 + (a % 3)}`,
        category: '',
        description: '',
        defaultvalue: '',
        isdynamic: 1,
      })
      .onConflict((on) => on.column('name').doUpdateSet({ value: `${1500 + (a % 3)}` }))
      .execute();
  },
];
