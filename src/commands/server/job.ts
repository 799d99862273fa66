// Asynchronous jobs as clients poll them. A job's result is the object as it is at the moment of asking, not a copy of back then.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import type { JobTable } from '../../store/schema/record.ts';
import { visible } from '../access.ts';
import { receiptView, receiptsOfJob } from '../network/receipt.ts';
import { ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { type Plan, type Room, listCommand, readCommand } from '../room.ts';
import type { Views } from '../view.ts';

export const jobView = z.object({
  jobid: field.string('id of the job'),
  accountid: field.string('who asked for it: the account'),
  userid: field.string('who asked for it: the user'),
  cmd: field.string('the command'),
  jobstatus: field.integer('0 pending, 1 done, 2 failed'),
  jobprocstatus: field.integer('always 0'),
  jobresultcode: field.integer('0, or the error code'),
  jobresulttype: field.string('object, once there is a result'),
  jobresult: field.object('the result: the object it was about, success, or an error code and text'),
  jobinstancetype: field.string('kind of the object it is about'),
  jobinstanceid: field.string('id of the object it is about'),
  created: field.date('when it was asked for'),
  completed: field.date('when it was done'),
  receipts: field.list('what became of the addresses it moved, as soon as that is known', receiptView),
});

type JobView = z.infer<typeof jobView>;

function showJob(row: JobTable, result: Record<string, unknown> | undefined): JobView {
  return field.compact<JobView>({
    jobid: row.id,
    accountid: row.account,
    userid: row.user,
    cmd: row.cmd,
    jobstatus: row.status,
    jobprocstatus: 0,
    jobresultcode: row.resultcode,
    jobresulttype: result === undefined ? undefined : 'object',
    jobresult: result,
    jobinstancetype: row.instancetype,
    jobinstanceid: row.instanceid,
    created: field.clientDate(row.created),
    completed: row.completed === null ? undefined : field.clientDate(row.completed),
  });
}

/** The result of a job that has ended; undefined while it runs. */
async function resultOf(room: Room, row: JobTable, views: Views): Promise<Record<string, unknown> | undefined> {
  if (row.status === 0) return undefined;
  if (row.status === 1 && row.view !== null && row.instanceid !== null) {
    const object = await views[row.view]?.(room, row.instanceid, row.cmd);
    if (object !== undefined) return { [row.view]: object };
  }
  // The object is gone meanwhile, or there never was one to show.
  return row.result === null ? { success: true } : (JSON.parse(row.result) as Record<string, unknown>);
}

/** The command that shows one job, over the views of all kinds. */
export function queryAsyncJobResult(views: Views): Plan {
  return readCommand({
    name: 'queryAsyncJobResult',
    summary: 'Tells how a job stands, and its result when it is done',
    roles: WRITERS,
    params: z.object({ jobid: param.ref('job', 'The job') }),
    answer: { kind: 'flat', view: jobView },
    async read(room, want) {
      const row = await visible(room, 'job', want.jobid, 'jobid');
      const receipts = row.status === 0 ? [] : await receiptsOfJob(room, row.generation);
      const shown = showJob(row, await resultOf(room, row, views));
      return receipts.length === 0 ? shown : { ...shown, receipts };
    },
  });
}

export const listAsyncJobs = listCommand({
  name: 'listAsyncJobs',
  summary: 'Lists jobs, newest first, without their results (errors are shown)',
  roles: EVERYBODY,
  params: z.object({
    startdate: param.date('Jobs asked for since').optional(),
    ...pageParams,
    account: ownerParams.account,
    domainid: ownerParams.domainid,
    isrecursive: ownerParams.isrecursive,
    listall: ownerParams.listall,
  }),
  key: 'asyncjobs',
  view: jobView,
  async list(room, want) {
    let query = room.db
      .selectFrom('job')
      .selectAll()
      .where(await ownedRows(room, 'job', want))
      .orderBy('created', 'desc')
      .orderBy('generation', 'desc');
    if (want.startdate !== undefined) query = query.where('created', '>=', want.startdate);
    if (want.keyword !== undefined) query = query.where('cmd', '=', want.keyword);
    const { count, rows } = await page(query, want);
    return {
      count,
      rows: rows.map((row) =>
        showJob(
          row,
          row.status === 2 && row.result !== null ? (JSON.parse(row.result) as Record<string, unknown>) : undefined,
        ),
      ),
    };
  },
});
