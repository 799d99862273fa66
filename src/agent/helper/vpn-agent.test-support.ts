// As much of an agent as a helper's VPNs need, as a process that can be killed: `node vpn-agent.test-support.ts FILE` makes the VPNs of
// the file true, says `settled`, and waits for its end.
import { readFile } from 'node:fs/promises';
import { sleep } from '../../lib/sleep.ts';
import type { HelperSpec } from '../../protocol/helper.ts';
import { createStepLog, runSteps } from '../step.ts';
import { type HelperContext, keyOf } from './names.ts';
import { planVpns } from './vpn.ts';
import { NO_VPNS } from './vpn-part.ts';
import { readVpns } from './vpn-read.ts';

export interface AgentFile {
  readonly spec: HelperSpec;
  readonly context: HelperContext;
  readonly netns: number;
  readonly home: string;
}

/** Plans and runs until nothing is left to do. */
export async function settleVpns({ spec, context, netns, home }: AgentFile): Promise<void> {
  let last: unknown;
  for (let turn = 0; turn < 300; turn++) {
    const found = (await readVpns(keyOf(spec.id), context)) ?? NO_VPNS;
    const { steps, waits } = planVpns(spec, found, true, netns, context);
    if (steps.length === 0 && waits.length === 0) return;
    last = { steps, waits };
    await runSteps(steps, createStepLog(home, context.node));
    if (steps.length === 0) await sleep(50);
  }
  throw new Error(`no end of steps: ${JSON.stringify(last)}`);
}

if (import.meta.main) {
  await settleVpns(JSON.parse(await readFile(process.argv[2]!, 'utf8')) as AgentFile);
  process.stdout.write('settled\n');
  setInterval(() => undefined, 1000);
}
