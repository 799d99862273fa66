// Four machines installed from scratch by the guide's own lines: the server, two hypervisors, the first network without a router
// between them, then a router node and a network with a way out. Their folders and namespaces are their own; systemd is stood in for
// (it cannot run in a namespace).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { readAbilities } from '../../src/agent/ability.ts';
import { run, tryRun } from '../../src/lib/run.ts';
import { type BareMachine, bareMachine } from '../support/bare-machine.ts';
import { guideBlocks } from '../support/guide.ts';
import { afterwards, eventually } from '../support/lab.ts';

const BLOCKS = guideBlocks('03-real-machines.md');
/** Lines that only make sense once per machine, and later sections that are played one by one. */
const [BACKUP] = BLOCKS.filter(({ text }) => text.includes('trunkline backup'));

/** All blocks for these machines, as one script: what a person types in one terminal, variables and all. */
function script(...on: readonly string[]): string {
  return BLOCKS.filter((block) => on.includes(block.marks['on'] ?? '') && block !== BACKUP)
    .map(({ marks, text }) => (marks['file'] === undefined ? text : fileOf(marks['file'], text)))
    .join('\n');
}

function fileOf(path: string, text: string): string {
  return `mkdir -p "$(dirname ${path})"\ncat >${path} <<'END'\n${text}END\n`;
}

/** The blocks up to and including the one that holds `text`, and those after it. */
function cut(whole: string, text: string): [string, string] {
  const at = whole.indexOf(text);
  assert.ok(at > 0, `the guide still says: ${text}`);
  const end = whole.indexOf('\n', at) + 1;
  return [whole.slice(0, end), whole.slice(end)];
}

test('the guide leads from bare machines to instances that talk and get out, and a backup brings the server back (H)', async (t) => {
  const folder = mkdtempSync('/tmp/tl-bare-');
  afterwards(t, () => Promise.resolve(rmSync(folder, { recursive: true, force: true })));
  const bridge = `tlb${process.pid % 100_000}`;
  await run(['ip', 'link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0']);
  afterwards(t, async () => void (await run(['ip', 'link', 'del', bridge])));
  await run(['ip', 'link', 'set', bridge, 'up']);
  const machine = async (name: string, ...devices: string[]): Promise<BareMachine> => {
    const made = await bareMachine(t, folder, name);
    for (const device of devices) {
      const port = `${bridge}-${name}${device}`.slice(-15);
      await made.plug(device, port);
      afterwards(t, async () => void (await tryRun(['ip', 'link', 'del', port])));
      await run(['ip', 'link', 'set', port, 'master', bridge, 'up']);
    }
    return made;
  };
  const [mgmt, h1, h2] = [await machine('mg', 'eth0'), await machine('h1', 'eth1'), await machine('h2', 'eth1')];
  const r1 = await machine('r1', 'eth0', 'eth1', 'eth2');
  await mgmt.sh('ip address add 192.0.2.1/24 dev eth0');
  await r1.sh('ip address add 192.0.2.21/24 dev eth0');

  // The server, up to the tokens; its terminal stays open for the variables of the later lines.
  const [install, later] = cut(script('all', 'mgmt'), 'createJoinToken name=h2');
  const [first, tokens] = cut(install, 'systemctl enable --now trunkline-server');
  await mgmt.sh(first);
  await eventually('the server has made its administrator', async () =>
    (await mgmt.try(['test', '-e', '/var/lib/trunkline/access.json'])).code === 0 ? true : undefined,
  );
  assert.equal((await mgmt.sh('stat -c %a /var/lib/trunkline/access.json')).trim(), '600');
  const printed = await mgmt.sh(tokens);
  const [token1, token2] = [...printed.matchAll(/"token": "([^"]+)"/g)].map((match) => match[1]!);
  assert.ok(token1 && token2, printed);

  const hypervisor = script('all', 'hypervisor', 'hypervisor-userspace');
  const [said] = await Promise.all([
    h1.sh(hypervisor, { TOKEN: token1, ADDRESS: '192.0.2.11' }),
    h2.sh(hypervisor, { TOKEN: token2, ADDRESS: '192.0.2.12' }),
  ]);
  assert.match(said, /external_ids:ovn-remote=tcp:192\.0\.2\.1:6642/);
  assert.match(said, /wrote \/etc\/trunkline\/agent\.json/);
  /** Lines that were typed into the terminal before and hold on there. */
  const typed = (line: RegExp): string =>
    `${tokens}${later}`
      .split('\n')
      .filter((one) => line.test(one))
      .join('\n');
  const head = typed(/^(call|id)\(\)/);
  const up = async (hosts: number): Promise<true | undefined> =>
    (await mgmt.sh(`${head}\ncall listHosts state=Up`)).includes(`"count": ${hosts},`) ? true : undefined;
  await eventually('both hypervisors are Up', () => up(2), 30_000);

  const [network, routed] = cut(later, 'createJoinToken name=r1');
  const token3 = /"token": "([^"]+)"/.exec(await mgmt.sh(`${head}\n${typed(/^zone=/)}\n${network}`))?.[1];
  assert.ok(token3);
  const listed = JSON.parse(await mgmt.sh(`${head}\ncall listVirtualMachines listall=true`)) as {
    virtualmachine: { id: string; hostname: string; state: string; nic: { ipaddress: string }[] }[];
  };
  const [one, two] = listed.virtualmachine.toSorted((a, b) => a.hostname.localeCompare(b.hostname));
  assert.deepEqual([one?.hostname, two?.hostname], ['h1', 'h2']);
  // Nobody serves DHCP in a network without services: its addresses are published, and guests are told theirs by hand.
  const inside = (host: BareMachine, id: string, line: string): Promise<string> =>
    host.sh(`nsenter --net=/run/netns/i-${id.slice(0, 8)} -- ${line}`);
  await inside(h1, one!.id, `ip address add ${one!.nic[0]!.ipaddress}/24 dev eth0`);
  await inside(h2, two!.id, `ip address add ${two!.nic[0]!.ipaddress}/24 dev eth0`);
  const ping = (): Promise<string> => inside(h1, one!.id, `ping -c 3 -i 0.2 -W 1 ${two!.nic[0]!.ipaddress}`);
  assert.match(await ping(), / 0% packet loss/);

  // The router node; the provider's router, which knows nothing of networks behind it, is played by the server's machine.
  await run(['ip', 'link', 'set', `${bridge}-r1eth2`, 'netns', String(mgmt.pid), 'name', 'world']);
  await mgmt.sh('ip address add 203.0.113.1/24 dev world; ip link set world up');
  const [doctor] = BLOCKS.filter(({ marks }) => marks['on'] === 'router-doctor');
  const { stdout: visit } = await r1.try(['sh', '-c', doctor!.text]);
  assert.doesNotMatch(visit, /CANNOT/);
  const kernelVlans = (await readAbilities())['vlan'] === true;
  await r1.sh(script('all', 'router', ...(kernelVlans ? [] : ['router-openvswitch'])), { TOKEN: token3 });
  await eventually('the router node is Up', () => up(3), 30_000);
  const made = await mgmt.sh(`${head}\n${typed(/^(zone|size|image)=/)}\n${routed}`);
  assert.match(made, /"hostname": "r1"[^}]*"state": "Running"|"state": "Running"[^}]*"hostname": "r1"/s);
  const guests = [...made.matchAll(/"virtualmachine": \{\s*"id": "([^"]+)"/g)].map((match) => match[1]!);
  assert.equal(guests.length, 2, made);
  const out = (host: BareMachine, id: string): Promise<string> => inside(host, id, 'ping -c 3 -i 0.2 -W 1 203.0.113.1');
  for (const answers of await Promise.all([out(h1, guests[0]!), out(h2, guests[1]!)]))
    assert.match(answers, / 0% packet loss/);

  // Backup, loss of the machine's state, restore: the nodes come back by themselves and packets flow all the while.
  await mgmt.sh(BACKUP!.text);
  await mgmt.sh('systemctl stop trunkline-server; mv /var/lib/trunkline /var/lib/trunkline.old');
  assert.match(await ping(), / 0% packet loss/);
  await mgmt.sh(
    '/opt/trunkline/trunkline restore /root/trunkline-backup.tar --state /var/lib/trunkline; systemctl start trunkline-server',
  );
  await eventually('the restored server answers with all nodes', async () => up(3).catch(() => undefined), 30_000);
  await mgmt.sh(`${head}\ncall stopVirtualMachine id=${two!.id}`);
  assert.match(await mgmt.sh(`${head}\ncall listVirtualMachines id=${two!.id}`), /"state": "Stopped"/);
});

test('the units of the guide are units systemd takes', async () => {
  const units = ['trunkline-server', 'trunkline-agent'].map((name) => `tools/systemd/${name}.service`);
  const root = new URL('../../', import.meta.url).pathname;
  const { stdout } = await run(['sed', '-n', 's/^KillMode=//p', `${root}${units[1]}`]);
  assert.equal(stdout.trim(), 'process', 'what the agent started outlives it');
  const { stdout: own } = await run([
    'grep',
    '-cE',
    '^(PrivateTmp|ProtectSystem|PrivateMounts)=',
    `${root}${units[0]}`,
  ]);
  assert.ok(Number(own) >= 2, 'the server is locked down');
});
