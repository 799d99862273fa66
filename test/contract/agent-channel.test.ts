// The agent and the server's channel together: joining, documents, reports, restarts. Across layers, hence not beside either.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../../src/lib/log.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { encodeToken, type NodeDocument, type NodeReport } from '../../src/protocol/document.ts';
import { createChannel, type Channel } from '../../src/reconcile/channel.ts';
import { openPki, type Pki } from '../../src/reconcile/pki.ts';
import { createAgent, joinAgent, type Agent } from '../../src/agent/agent.ts';
import { readConfig, type AgentConfig } from '../../src/agent/config.ts';
import { startOvsdb, type Ovsdb } from '../../src/agent/ovsdb.test-support.ts';

let folder: string;
let ovsdb: Ovsdb;
let pki: Pki;
const documents = new Map<string, NodeDocument>();
const serials = new Map<string, string>();
const reports = new Map<string, NodeReport>();
const used = new Set<string>();
const open: { close(): Promise<void> }[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-'));
  ovsdb = await startOvsdb(folder);
  pki = await openPki(join(folder, 'pki'));
});
after(async () => {
  for (const one of open) await one.close();
  await ovsdb.kill();
  await rm(folder, { recursive: true });
});

async function serve(): Promise<Channel> {
  const channel = await createChannel({
    listen: `unix:${join(folder, 'server.sock')}`,
    pki,
    log: silentLog(),
    documents: {
      get: (node) => documents.get(node),
      async wait(node, have, ms) {
        for (const until = Date.now() + ms; Date.now() < until; await sleep(5)) {
          const now = documents.get(node);
          if (now !== undefined && now.generation > have) return now;
        }
        return undefined;
      },
    },
    hosts: {
      async acceptJoin(node, secret, serial) {
        if (secret !== `secret of ${node}` || used.has(node)) return false;
        used.add(node);
        serials.set(node, serial);
        return true;
      },
      isCurrent: async (node, serial) => serials.get(node) === serial,
      async report(report) {
        reports.set(report.node, report);
      },
    },
  });
  open.push(channel);
  return channel;
}

async function configure(node: string, changes: object = {}): Promise<{ file: string; config: AgentConfig }> {
  const file = join(folder, `${node}.json`);
  const state = join(folder, node);
  const config = {
    node,
    server: `unix:${join(folder, 'server.sock')}`,
    state,
    tokenFile: join(state, 'token'),
    ovs: { database: ovsdb.remote, rundir: folder },
    underlay: { device: 'br-ex', ip: '192.0.2.11' },
    datapath: 'netdev',
    instances: { driver: 'netns', directory: join(folder, 'instances') },
    ...changes,
  };
  await mkdir(state, { recursive: true });
  await writeFile(file, JSON.stringify(config));
  return { file, config: readConfig(file) };
}

const token = (node: string): string => encodeToken({ node, secret: `secret of ${node}`, ca: pki.fingerprint });
const documentOf = (node: string, generation: number): NodeDocument => ({ node, generation, instances: [], peers: [] });

async function until(holds: () => boolean, what: string, ms = 8000): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(5)) if (holds()) return;
  assert.fail(`not within ${ms} ms: ${what}`);
}

async function start(node: string): Promise<Agent> {
  const agent = await createAgent((await configure(node)).config, silentLog());
  open.push(agent);
  return agent;
}

const realized = (node: string): number | undefined => reports.get(node)?.generation;

test('two agents wait for their tokens, join, and each makes its own document true', async () => {
  const channel = await serve();
  documents.set('h1', documentOf('h1', 4)).set('h2', documentOf('h2', 7));
  const agents = [await start('h1'), await start('h2')];
  await sleep(50);
  assert.equal(reports.size, 0, 'nothing before a token is there');
  for (const node of ['h1', 'h2']) await writeFile(join(folder, node, 'token'), token(node));
  await until(() => realized('h1') === 4 && realized('h2') === 7, 'both report');
  assert.equal((await stat(join(folder, 'h1/key.pem'))).mode & 0o777, 0o600);
  assert.equal(reports.get('h1')!.facts.underlayIp, '192.0.2.11');
  assert.match(reports.get('h1')!.facts.ovs, /^[0-9]|unknown/);

  documents.set('h1', documentOf('h1', 5));
  // A poll ends after 25 s only.
  await until(() => realized('h1') === 5, 'the next document, without waiting for a poll to end');

  // The server goes and comes back: the agents go on.
  await channel.close();
  documents.set('h1', documentOf('h1', 6));
  const second = await serve();
  await until(() => realized('h1') === 6, 'after the restart of the server');

  // The agent comes back without a token being asked for again, and with the control plane away.
  await Promise.all(agents.map((agent) => agent.close()));
  await second.close();
  const kept = JSON.parse(await readFile(join(folder, 'h1/document.json'), 'utf8')) as NodeDocument;
  assert.equal(kept.generation, 6);
  await start('h1');
  reports.clear();
  await serve();
  await until(() => realized('h1') === 6, 'a restarted agent reports what it kept');
});

test("an agent refuses an older generation and another node's document, and says so", async () => {
  const { config } = await configure('h8');
  // A server without the channel's own checks, with the same authority.
  let offered: NodeDocument = documentOf('h8', 9);
  let said: NodeReport | undefined;
  const raw = createServer(
    { key: pki.server.key, cert: pki.server.certificate, ca: pki.ca, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const answer = async (): Promise<string | undefined> => {
          if (request.url === '/v1/join') {
            const { csr } = JSON.parse(body) as { csr: string };
            return JSON.stringify({ certificate: await pki.sign(csr, 'h8', await pki.serialOf(csr)), ca: pki.ca });
          }
          if (request.url === '/v1/report') {
            said = JSON.parse(body) as NodeReport;
            return undefined;
          }
          await sleep(30);
          return JSON.stringify(offered);
        };
        void answer().then((text) => response.writeHead(text === undefined ? 204 : 200).end(text));
      });
    },
  );
  const path = join(folder, 'raw.sock');
  raw.listen(path);
  await once(raw, 'listening');
  await writeFile(join(folder, 'h8/token'), token('h8'));
  const agent = await createAgent({ ...config, server: `unix:${path}` }, silentLog());
  await until(() => said?.generation === 9, 'generation 9');
  offered = documentOf('h8', 8);
  await until(() => said?.error?.includes('older than 9') === true, 'the refusal of generation 8');
  assert.equal(said!.generation, 9);
  offered = documentOf('h9', 10);
  await until(() => said?.error?.includes('the document of h9') === true, 'the refusal of a foreign document');
  offered = { ...documentOf('h8', 11), instances: [{ id: '$(reboot)' } as never] };
  await until(
    () => said?.error?.includes('not as agreed: instances.0.id') === true,
    'the refusal of a malformed document',
  );
  assert.equal((JSON.parse(await readFile(join(folder, 'h8/document.json'), 'utf8')) as NodeDocument).generation, 9);
  offered = documentOf('h8', 12);
  await until(() => said?.generation === 12 && said.error === undefined, 'a newer one is taken');
  await agent.close();
  raw.closeAllConnections();
  raw.close();
});

test('joinAgent() sends nothing to a server of another authority, and says which token is wrong', async () => {
  const { file } = await configure('h6');
  const foreign = encodeToken({ node: 'h6', secret: 'secret of h6', ca: '00'.repeat(32) });
  await assert.rejects(joinAgent({ configFile: file, token: foreign }), /not the one the join token is for/);
  assert.equal(used.has('h6'), false);
  await assert.rejects(joinAgent({ configFile: file, token: token('h5') }), /for node h5, and this is h6/);
  await assert.rejects(joinAgent({ configFile: file, token: 'nonsense' }), /damaged/);
  const lying = join(folder, 'h6', 'token');
  await writeFile(lying, 'a token of before');
  assert.equal(await joinAgent({ configFile: file, token: token('h6') }), 'joined');
  assert.equal(used.has('h6'), true);
  assert.equal(
    (await readFile(lying, 'utf8')).trim(),
    token('h6'),
    'the agent would join with the one that lies there',
  );
  const certificate = () => readFile(join(folder, 'h6', 'certificate.pem'), 'utf8');
  const first = await certificate();
  assert.match(await joinAgent({ configFile: file, token: token('h6') }), /^joined already/);
  assert.equal(await certificate(), first);
  await rm(join(folder, 'h6', 'joined'));
  // As after a crash in between: the same key again.
  assert.equal(await joinAgent({ configFile: file, token: token('h6') }), 'joined');
  const wrong = encodeToken({ node: 'h6', secret: 'guessed', ca: pki.fingerprint });
  await assert.rejects(joinAgent({ configFile: file, token: wrong }), /unknown, used or expired/);
});

test('createAgent() refuses a state folder that another agent uses', async () => {
  const { config } = await configure('h4');
  const agent = await createAgent(config, silentLog());
  await assert.rejects(createAgent(config, silentLog()), /another agent runs with the state folder/);
  await agent.close();
  await (await createAgent(config, silentLog())).close();
});

test('an agent reports an OVS database that does not answer, and recovers', async () => {
  documents.set('h3', documentOf('h3', 1));
  const own = join(folder, 'own');
  await mkdir(own);
  const { config } = await configure('h3', { ovs: { database: `unix:${join(own, 'db.sock')}`, rundir: own } });
  await writeFile(join(folder, 'h3/token'), token('h3'));
  const agent = await createAgent(config, silentLog());
  open.push(agent);
  await until(() => reports.get('h3')?.error?.includes('the OVS database') === true, 'the error');
  assert.equal(realized('h3'), 0);
  open.push({ close: (await startOvsdb(own)).kill });
  await until(() => realized('h3') === 1 && reports.get('h3')?.error === undefined, 'recovery');
});

test('readConfig() names the file and the first thing wrong', async () => {
  const { file, config } = await configure('bad');
  const refused = async (changes: object, says: RegExp): Promise<void> => {
    await writeFile(file, JSON.stringify({ ...config, ...changes }));
    assert.throws(() => readConfig(file), says);
  };
  await refused({ colour: 'red' }, new RegExp(`${file} is wrong: .*colour`));
  await refused({ datapath: 'magic' }, /datapath/);
  await refused({ server: 'http://plain:80' }, /server: is to be unix:PATH or https:\/\/HOST:PORT/);
  await refused({ state: 'relative' }, /state: is to be an absolute path/);
  await writeFile(file, '{');
  assert.throws(() => readConfig(file), new RegExp(`cannot read the agent's configuration ${file}`));
});
