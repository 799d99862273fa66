// Receipts of addresses that moved: when it was announced, who knows it since, and what to do where somebody does not.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import type { ReceiptTable } from '../../store/schema/wire.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { type Room, listCommand } from '../room.ts';

export const receiptView = z.object({
  id: field.string('id of the receipt'),
  networkid: field.string('the network'),
  networkname: field.string('name of that network'),
  nicid: field.string('the network interface the address came to'),
  virtualmachineid: field.string('its instance'),
  virtualmachinename: field.string('name of that instance'),
  ipaddress: field.string('the address that moved'),
  macaddress: field.string('the MAC address it is at now'),
  cause: field.string('why it was announced: start, address, migration, takeover'),
  hostname: field.string('the node that announced it; for root'),
  announced: field.date('when it was announced'),
  upstream: field.string('the gateway that was asked whether it learnt'),
  result: field.string('learnt, stale (it keeps an old entry), mute (it cannot be seen), silent (it does not answer)'),
  answeredby: field.string('the MAC address that the gateway uses for the address'),
  afterms: field.integer('milliseconds from the announcement to the first answer to that MAC address'),
  outagems: field.integer('milliseconds the address was away, where both places could be seen'),
  description: field.string('all of it as a sentence, and what to do where the gateway did not learn'),
  ...ownerFields,
});

type ReceiptView = z.infer<typeof receiptView>;

/** Shows receipts, in the order given. */
export async function showReceipts(room: Room, rows: readonly ReceiptTable[]): Promise<ReceiptView[]> {
  if (rows.length === 0) return [];
  const { db, call } = room;
  const networks = await namesOf(
    db,
    'network',
    rows.map((row) => row.network),
  );
  const nicIds = [...new Set(rows.flatMap(({ nic }) => nic ?? []))];
  const nics =
    nicIds.length === 0
      ? []
      : await db
          .selectFrom('nic')
          .innerJoin('instance', 'instance.id', 'nic.instance')
          .select(['nic.id', 'instance.id as instance', 'instance.displayname as name'])
          .where('nic.id', 'in', nicIds)
          .execute();
  const instances = new Map(nics.map((nic) => [nic.id, nic]));
  const owner = await ownersOf(db, rows);
  return rows.map((row) => {
    const instance = row.nic === null ? undefined : instances.get(row.nic);
    return field.compact<ReceiptView>({
      id: row.id,
      networkid: row.network,
      networkname: networks.get(row.network),
      nicid: row.nic,
      virtualmachineid: instance?.instance,
      virtualmachinename: instance?.name,
      ipaddress: row.ip,
      macaddress: row.mac,
      cause: row.cause,
      hostname: call.caller.role === 'admin' ? row.node : undefined,
      announced: field.clientDate(row.announced),
      upstream: row.upstream,
      result: row.verdict,
      answeredby: row.answeredby,
      afterms: row.afterms,
      outagems: row.outagems,
      description: row.text,
      ...owner(row),
    });
  });
}

/** The receipts of what a job moved: they come a moment after it is done. */
export async function receiptsOfJob(room: Room, generation: number): Promise<ReceiptView[]> {
  const rows = await room.db
    .selectFrom('receipt')
    .selectAll()
    .where('moved', '=', generation)
    .orderBy('created')
    .orderBy('ip')
    .execute();
  return showReceipts(room, rows);
}

export const listAddressReceipts = listCommand({
  name: 'listAddressReceipts',
  summary:
    'Lists what became of addresses that moved: when announced, who answers to the new place since, newest first',
  roles: EVERYBODY,
  params: z.object({
    id: param.ref('receipt', 'The receipt with this id').optional(),
    networkid: param.ref('network', 'Receipts of this network').optional(),
    virtualmachineid: param.ref('instance', 'Receipts of this instance').optional(),
    nicid: param.ref('nic', 'Receipts of this network interface').optional(),
    ipaddress: param.address('Receipts of this address').optional(),
    result: param.text('learnt, stale, mute or silent').optional(),
    jobid: param.ref('job', 'What this job moved').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  key: 'addressreceipt',
  view: receiptView,
  async list(room, want) {
    await knownIds(room, want, { networkid: 'network', virtualmachineid: 'instance', jobid: 'job' });
    let query = room.db
      .selectFrom('receipt')
      .selectAll()
      .where(await ownedRows(room, 'receipt', want))
      .orderBy('announced', 'desc')
      .orderBy('ip');
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.networkid !== undefined) query = query.where('network', '=', want.networkid);
    if (want.nicid !== undefined) query = query.where('nic', '=', want.nicid);
    if (want.virtualmachineid !== undefined)
      query = query.where(
        'nic',
        'in',
        room.db.selectFrom('nic').select('id').where('instance', '=', want.virtualmachineid),
      );
    if (want.ipaddress !== undefined) query = query.where('ip', '=', want.ipaddress);
    if (want.result !== undefined) query = query.where('verdict', '=', want.result);
    if (want.jobid !== undefined)
      query = query.where('moved', 'in', room.db.selectFrom('job').select('generation').where('id', '=', want.jobid));
    if (want.keyword !== undefined) query = query.where(containing('text', want.keyword));
    const { count, rows } = await page(query, want);
    return { count, rows: await showReceipts(room, rows) };
  },
});
