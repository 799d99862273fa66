// A router node's agent without a server: takes documents as lines on standard input, makes them true, says on standard output what
// came of each pass. Runs inside the node's network namespace.
import { createInterface } from 'node:readline';
import { readAbilities } from '../../src/agent/ability.ts';
import { readConfig } from '../../src/agent/config.ts';
import { createLoop } from '../../src/agent/loop.ts';
import { createRouterDriver, routerContext } from '../../src/agent/router/driver.ts';
import { createStepLog } from '../../src/agent/step.ts';
import { createBell } from '../../src/lib/bell.ts';
import { createLog } from '../../src/lib/log.ts';
import type { NodeDocument } from '../../src/protocol/document.ts';
import { nodeDocument } from '../../src/protocol/schema.ts';

const config = readConfig(process.argv[2]!);
const bell = createBell();
const stop = new AbortController();
const abilities = await readAbilities();
const driver = createRouterDriver(routerContext(config, config.router!, { abilities }), { bell, signal: stop.signal });
const log = createLog('router', 'info', `${config.state}/agent.log`);
const loop = createLoop([driver], bell, createStepLog(config.state, config.node), log);
let document: NodeDocument | undefined;
createInterface(process.stdin)
  .on('line', (line) => {
    document = nodeDocument.parse(JSON.parse(line));
    bell.ring();
  })
  .on('close', () => process.exit(0));
await loop.run(
  () => document,
  (outcome) => process.stdout.write(`${JSON.stringify(outcome)}\n`),
  stop.signal,
);
