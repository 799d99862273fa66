// The Linux routers of a network as the API shows them: which node is master, and what it says it found wrong. Apart from the stories,
// since all that have router nodes ask the same.
import { rows, text } from './answer.ts';
import type { World } from './story.ts';

export interface NetworkRouter {
  /** The name of its node. */
  readonly node: string;
  /** MASTER, BACKUP, FAULT or UNKNOWN. */
  readonly state: string;
  /** Its own address in the network. */
  readonly address: string;
  readonly findings: readonly string[];
}

/** A takeover and two reports, on a busy machine. */
const TOLD_MS = 30_000;

/** The routers of a network, the preferred master first. */
export async function routersOf(world: World, networkid: string): Promise<NetworkRouter[]> {
  return rows(await world.operator('listRouters', { networkid, listall: 'true' }), 'router').map((router) => ({
    node: text(router, 'hostname'),
    state: text(router, 'redundantstate'),
    address: text(router, 'guestipaddress'),
    findings: (router as { readonly findings?: readonly string[] }).findings ?? [],
  }));
}

/** Waits until listRouters shows these states (`r1 MASTER, r2 BACKUP`); throws what it shows instead. */
export async function routersAre(world: World, networkid: string, wanted: string): Promise<void> {
  let seen = '';
  const asWanted = async (): Promise<boolean> => {
    seen = (await routersOf(world, networkid))
      .map(({ node, state }) => `${node} ${state}`)
      .toSorted()
      .join(', ');
    return seen === wanted;
  };
  await world.waitFor(`${wanted} in listRouters`, asWanted, TOLD_MS).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}; it shows ${seen}`, { cause: error });
  });
}

/** Waits for an event of what a router node found wrong and that matches, prints and returns it. */
export async function routerFinding(world: World, says: RegExp): Promise<string> {
  const found = async (): Promise<string | undefined> =>
    rows(
      await world.operator('listEvents', { type: 'ROUTER.FINDING', listall: 'true', page: '1', pagesize: '500' }),
      'event',
    )
      .map((event) => text(event, 'description'))
      .find((description) => says.test(description));
  const said = await world.waitFor(`an event ROUTER.FINDING that says ${says.source}`, found, TOLD_MS);
  world.say(`       event ROUTER.FINDING: "${said}"`);
  return said;
}

/** The processes of a node, as a person at it sees them: pid and command. */
export async function processesOf(world: World, node: string): Promise<{ pid: string; command: string }[]> {
  const { stdout: pids } = await world.exec(node, ['ip', 'netns', 'pids', node]);
  const list = ['ps', '-ww', '-o', 'pid=,args=', '-p', pids.trim().split(/\s+/).join(',')];
  const { stdout } = await world.exec(node, list);
  // Those that asked are gone by now.
  return stdout.split('\n').flatMap((line) => {
    const [, pid, command] = /^\s*([0-9]+) (.+)$/.exec(line) ?? [];
    return pid === undefined || command === undefined || command.startsWith('ps ') ? [] : [{ pid, command }];
  });
}

/** Holds a node's agent still meanwhile: what it would put right within two seconds stays for long enough to look at it. */
export async function withoutAgent<T>(world: World, node: string, during: () => Promise<T>): Promise<T> {
  const agent = (await processesOf(world, node)).find(({ command }) => / agent run /.test(command));
  if (agent === undefined) throw new Error(`no agent runs on ${node}`);
  await signal(world, 'STOP', [agent.pid]);
  try {
    return await during();
  } finally {
    await signal(world, 'CONT', [agent.pid]);
  }
}

/** Sends processes of the lab a signal; throws what was said instead. */
export async function signal(world: World, name: 'STOP' | 'CONT', pids: readonly string[]): Promise<void> {
  const { code, stderr } = await world.exec(world.lab.topology.switch.name, ['kill', `-${name}`, ...pids]);
  if (code !== 0) throw new Error(`kill -${name}: ${stderr.trim()}`);
}
