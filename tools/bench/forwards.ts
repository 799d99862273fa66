// A thousand port forwards on one network: how long 16 clients need to ask for them, and the network to have them all.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from '../../src/demo/answer.ts';
import { createClient, type Client } from '../../src/client/client.ts';
import type { Cloud } from '../../src/demo/cloud.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { type Row, ms, rate } from './measure.ts';

const RULES = 1_000;
const CLIENTS = 16;
const FIRST_PORT = 20_000;

/** Where the forwards lead to. */
export interface Forwarded {
  readonly ipaddressid: string;
  readonly networkid: string;
  readonly virtualmachineid: string;
}

/** Makes the rules as fast as they are taken, waits for every job, and removes none. */
export async function benchForwards(
  { access, state }: Pick<Cloud, 'access' | 'state'>,
  where: Forwarded,
): Promise<Row[]> {
  const { apikey, secretkey } = access.accounts['acme-admin']!;
  const clients = Array.from({ length: CLIENTS }, () => createClient({ endpoint: access.endpoint, apikey, secretkey }));
  const jobs: string[] = [];
  const before = cpuOfServer(state);
  const began = performance.now();
  await rate(CLIENTS, RULES, async (piece) => {
    const port = String(FIRST_PORT + piece);
    const answer = await clients[piece % CLIENTS]!.raw('createPortForwardingRule', {
      ...where,
      protocol: 'tcp',
      publicport: port,
      privateport: port,
    });
    jobs.push(text(answer, 'jobid'));
  });
  const accepted = performance.now();
  // Jobs are done in the order of their changes; to ask for each of them takes longer than what is measured.
  await done(clients[0]!, jobs.at(-1)!);
  const realized = performance.now();
  const cpu = cpuOfServer(state) - before;
  for (const jobid of jobs) await done(clients[0]!, jobid);
  const whole = realized - began;
  const tail = realized - accepted;
  return [
    { what: `${RULES} port forwards on one network: processor time of the server, all of it`, value: ms(cpu) },
    { what: `the same, ${CLIENTS} clients: first call to the last one accepted`, value: ms(accepted - began) },
    { what: 'the last of them accepted to all of them realized', value: ms(tail), aim: '2 s', held: tail < 2_000 },
    { what: 'the first call to the last job done', value: ms(whole), aim: '2 s', held: whole < 2_000 },
  ];
}

async function done(client: Client, jobid: string): Promise<void> {
  for (;;) {
    const { jobstatus, jobresult } = await client.raw('queryAsyncJobResult', { jobid });
    if (jobstatus === 1) return;
    if (jobstatus === 2) throw new Error(`a port forward failed: ${JSON.stringify(jobresult)}`);
    await sleep(10);
  }
}

/** Milliseconds a processor has worked for the server; what else runs on this machine does not count. */
function cpuOfServer(state: string): number {
  const pid = readFileSync(join(state, 'server', 'pid'), 'utf8').split(' ')[0]!;
  // proc_pid_stat(5): utime and stime are fields 14 and 15, in hundredths of a second; the name may hold anything but ends with ")".
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
