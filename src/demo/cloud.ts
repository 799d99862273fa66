// A whole small cloud for the demo and for tests: the lab, the server over it, and the agent of every node joined.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createClient } from '../client/client.ts';
import { labPaths } from '../lab/layout.ts';
import { type Lab, startLab } from '../lab/start.ts';
import { sleep } from '../lib/sleep.ts';
import { agentNodes, apiUrl } from '../lab/topology.ts';
import { field, rows, text } from './answer.ts';
import { type Door, openApiDoor } from './api-door.ts';
import { type Access, type Server, startServer } from './server.ts';

/** Makes a request as one account, waits for its job, and returns the answer's object. */
export type Caller = (command: string, params?: Readonly<Record<string, string>>) => Promise<object>;

export interface CloudOptions {
  /** An absolute folder. */
  readonly state: string;
  /** 0: any free one. */
  readonly port: number;
  readonly topologyFile?: string;
  readonly log: (text: string) => void;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
}

export interface Cloud {
  readonly state: string;
  readonly lab: Lab;
  readonly access: Access;
  /** Requests as one of the accounts of `access.json`. */
  as(account: string): Caller;
  stop(): Promise<void>;
}

const JOIN_MS = 30_000;

/** Starts lab and server at the same time and joins the agents. Nothing is left running when it throws. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { state, port, log, topologyFile } = options;
  const labStart = startLab({ state, log, ...(topologyFile === undefined ? {} : { topologyFile }) });
  const serverStart = startServer(state, port, log).then((server) => {
    log(`API at ${server.access.endpoint}`);
    return server;
  });
  const [lab, server] = await Promise.allSettled([labStart, serverStart]);
  let door: Door | undefined;
  const stop = async (): Promise<void> => {
    door?.close();
    if (server.status === 'fulfilled') await server.value.stop();
    if (lab.status === 'fulfilled') await lab.value.stop();
  };
  try {
    if (lab.status === 'rejected') throw lab.reason;
    if (server.status === 'rejected') throw server.reason;
    const cloud = { state, lab: lab.value, access: server.value.access, as: callers(server.value), stop };
    const url = apiUrl(lab.value.topology);
    if (url !== undefined) {
      door = await openApiDoor(state);
      log(`inside the lab, and from its outside, the API is at ${url}`);
    }
    await joinNodes(cloud, options.signal);
    log(`agents on ${agentNodes(lab.value.topology).join(', ')} joined`);
    if (lab.value.sandbox.rootless)
      log(
        'instances have no SSH without root: its server cannot change groups in a user namespace; use trunkline lab exec',
      );
    return cloud;
  } catch (error) {
    await stop();
    throw error;
  }
}

function callers({ access }: Server): Cloud['as'] {
  return (name) => {
    const account = access.accounts[name];
    if (account === undefined)
      throw new Error(`no account ${name}; there are ${Object.keys(access.accounts).join(', ')}`);
    const { apikey, secretkey } = account;
    const client = createClient({ endpoint: access.endpoint, apikey, secretkey });
    return (command, params = {}) => client.call(command, params);
  };
}

/** Gives each node that is not known yet a token to join with, and waits until all of them are up. */
async function joinNodes(
  { state, lab, as }: Pick<Cloud, 'state' | 'lab' | 'as'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const admin = as('admin');
  const { hypervisors, gateways, witnesses, routers } = lab.topology;
  const hosts = async (): Promise<object[]> => rows(await admin('listHosts'), 'host');
  const zoneid = text(rows(await admin('listZones'), 'zone')[0], 'id');
  const known = new Set((await hosts()).map((host) => text(host, 'name')));
  const admit = async (name: string, address: string, more: Readonly<Record<string, string>>): Promise<void> => {
    if (known.has(name)) return;
    const answer = await admin('createJoinToken', { name, zoneid, ipaddress: address, ...more });
    writeToken(join(labPaths(state).node(name), 'agent', 'token'), text(field(answer, 'jointoken'), 'token'));
  };
  await Promise.all([
    ...hypervisors.map(({ name, address }) => admit(name, address, {})),
    ...gateways.map(({ name, address }) => admit(name, address, { kind: 'gateway' })),
    ...witnesses.map(({ name, address }) => admit(name, address, { kind: 'witness' })),
    ...routers.map(({ name, address }) => admit(name, address, { kind: 'router' })),
  ]);
  const until = Date.now() + JOIN_MS;
  for (;;) {
    const up = new Set(
      (await hosts()).filter((host) => text(host, 'state') === 'Up').map((host) => text(host, 'name')),
    );
    const missing = agentNodes(lab.topology).filter((name) => !up.has(name));
    if (missing.length === 0) return;
    if (Date.now() > until) {
      const logs = missing.map((name) => join(labPaths(state).node(name), 'agent.log'));
      throw new Error(`${missing.join(', ')} did not join within ${JOIN_MS / 1000} s; see ${logs.join(', ')}`);
    }
    await sleep(50, signal);
    signal?.throwIfAborted();
  }
}

/** Readable by its owner only, and whole from the moment it is there: the agent waits for it. */
function writeToken(file: string, token: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${token}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
