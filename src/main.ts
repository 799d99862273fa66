// The program: serve · agent · lab · demo · call. The only file that knows the command line; `serve.ts` puts the layers together.
// Each command loads its own layers only when it is given: an agent need not carry the server.
import { existsSync, readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { SetupOptions } from './agent/setup.ts';
import type { DemoOptions } from './demo/demo.ts';
import { CHECKOUT, DEFAULT_STATE, type NodeAction } from './lab/layout.ts';
import type { ServeOptions } from './serve.ts';

const VERSION = (JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }).version;

function port(text: string): number {
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (value >= 0 && value <= 65535) return value;
  throw new InvalidArgumentError('a port is a number from 0 (any free one) to 65535');
}

function storyNumber(text: string): number {
  if (/^[0-9]{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a story is named by its number; --list shows them');
}

const program = new Command('trunkline')
  .description('Open, multi-tenant network orchestrator: OVN underneath, the CloudStack query API on top')
  .version(VERSION)
  .enablePositionalOptions()
  .showHelpAfterError('(trunkline --help shows what there is)');

const stateOption = ['--state <folder>', 'state folder', (text: string) => resolve(text), DEFAULT_STATE] as const;

program
  .command('serve')
  .description('run the server')
  .option('--config <file>', 'configuration, JSON; what the command line says wins')
  .option(...stateOption)
  .option('--port <number>', 'port of the API on 127.0.0.1', port, 8080)
  .option('--metrics-port <number>', 'port of health and metrics on 127.0.0.1', port, 0)
  .option('--nb <address>', 'OVN northbound database: unix:PATH or tcp:HOST:PORT')
  .option('--sb <address>', 'OVN southbound database')
  .option('--agents <address>', 'where agents reach the server: unix:PATH or HOST:PORT')
  .option('--database <url>', 'postgres://… (default: a SQLite file in the state folder)')
  .option('--demo-accounts', "make the demo's domains and accounts and write access.json", false)
  .action(async (options: ServeOptions & { config?: string }, command: Command) =>
    (await import('./serve.ts')).serve(await serveOptions(options, command)),
  );

program
  .command('backup')
  .description("write a server's state into one file, whether it runs or not; whoever has the file is the server")
  .argument('<file>')
  .option(...stateOption)
  .action(async (file: string, { state }: { state: string }) =>
    (await import('./backup.ts')).backUp(state, resolve(file)),
  );
program
  .command('restore')
  .description('make a state folder from a backup; what was realized since then is put back')
  .argument('<file>')
  .option(...stateOption)
  .action(async (file: string, { state }: { state: string }) =>
    (await import('./backup.ts')).restore(state, resolve(file)),
  );

program
  .command('doctor')
  .description('what this machine can and cannot do, and what to do about it')
  .option('--role <role...>', 'server, hypervisor, gateway, witness, router', ['server', 'hypervisor', 'router'])
  .option('--ovs <database>', 'the local Open vSwitch', 'unix:/run/openvswitch/db.sock')
  .option('--underlay-device <name>', "the interface with the tunnels' address")
  .option('--json', 'for machines', false)
  .action(async (options: { role: string[]; ovs: string; underlayDevice?: string; json: boolean }) => {
    const { doctor } = await import('./doctor/doctor.ts');
    process.exitCode = await doctor(options);
  });

const agent = program.command('agent').description("a node's own program");
agent
  .command('run')
  .description('make this node as the server wants it, until ended')
  .requiredOption('--config <file>', 'the configuration, JSON')
  .action(async ({ config }: { config: string }) => {
    const { runAgent } = await import('./agent/agent.ts');
    flushCompileCache(); // an agent that ends with its node's power leaves its successor what it compiled all the same
    await runAgent(resolve(config));
  });
agent
  .command('join')
  .description('set this node up and get a certificate for it')
  .requiredOption('--token <token>', 'the join token (createJoinToken)')
  .option(
    '--config <file>',
    'the configuration, JSON: where it is there, what is named here is changed in it',
    '/etc/trunkline/agent.json',
  )
  .option('--server <address>', 'https://HOST:PORT of the server, where the configuration is to be written')
  .option('--role <role>', 'hypervisor or router', 'hypervisor')
  .option('--underlay-device <name>', "the interface with the tunnels' address")
  .option('--underlay-ip <address>', "that address (default: the interface's first)")
  .option('--state <folder>', "the agent's folder", '/var/lib/trunkline-agent')
  .option('--ovs-rundir <folder>', "Open vSwitch's sockets", '/run/openvswitch')
  .option('--ovn-remote <address>', "OVN's southbound database (default: tcp:SERVER:6642)")
  .option('--mapping <mapping>', 'physical network and its bridge', 'physnet1:br-ex')
  .option('--instances <driver>', 'netns (labs) or libvirt', 'libvirt')
  .option('--inside <name>', 'router nodes: the card with the VLANs')
  .option('--outside <name>', 'router nodes: the card to the world')
  .action(async (options: Partial<SetupOptions> & { config: string; token: string }, command: Command) => {
    const { config, token, ...rest } = options;
    const configFile = resolve(config);
    const typed = new Set(Object.keys(rest).filter((name) => command.getOptionValueSource(name) === 'cli'));
    if (!existsSync(configFile) || typed.size > 0) {
      const { setUp } = await import('./agent/setup.ts');
      for (const line of await setUp(configFile, { ...rest, token }, typed)) process.stdout.write(`${line}\n`);
    }
    const { joinAgent } = await import('./agent/agent.ts');
    const how = await joinAgent({ configFile, token });
    process.stdout.write(`${how}; start the agent: systemctl enable --now trunkline-agent\n`);
  });

const lab = program
  .command('lab')
  .enablePositionalOptions()
  .description('the small cloud in a sandbox on this machine');
lab
  .command('exec')
  .description('run a command inside a node or an instance of the lab, by name or id')
  .option(...stateOption)
  .argument('<name>')
  .argument('<command...>')
  .passThroughOptions()
  .action(async (name: string, argv: string[], { state }: { state: string }) => {
    // `lab exec vm1 -- ping` and `lab exec vm1 ping` are the same: with options passed through, the dashes arrive here.
    const { labExec } = await import('./lab/exec.ts');
    process.exitCode = await labExec({ state, name, argv: argv[0] === '--' ? argv.slice(1) : argv });
  });
lab
  .command('status')
  .description('nodes, processes, links and instances of the lab')
  .option(...stateOption)
  .option('--json', 'for machines', false)
  .action(async ({ state, json }: { state: string; json: boolean }) => {
    const { formatStatus, labStatus } = await import('./lab/status.ts');
    const status = await labStatus(state);
    process.stdout.write(json ? `${JSON.stringify(status, undefined, 2)}\n` : formatStatus(status));
  });

const happenings: readonly [NodeAction, string][] = [
  ['power-off', 'take the power from a node: all that runs on it is killed, its cables are dead'],
  ['power-on', 'give a node its power back'],
  ['freeze', 'let all processes of a node stand still, its instances included'],
  ['thaw', 'let them go on'],
  ['cut', "cut a node's cables"],
  ['mend', "mend a node's cables"],
];
for (const [action, description] of happenings) {
  lab
    .command(action)
    .description(description)
    .option(...stateOption)
    .argument('<name>')
    .action(async (name: string, { state }: { state: string }) => {
      const { labPerform } = await import('./lab/control.ts');
      await labPerform(state, action, name);
    });
}

program
  .command('demo')
  .description('start a small cloud and play a story in it')
  .option('--story <number>', 'which story; --list shows them', storyNumber, 1)
  .option('--list', 'print the stories and end', false)
  .option('--once', 'end after the story; exit status 0 only if every expectation held', false)
  .option('--empty', 'stay up without playing anything', false)
  .option('--port <number>', 'port of the API on 127.0.0.1', port, 8080)
  .option(...stateOption)
  .option('--keep', 'keep the state folder at the end, and go on from it the next time', false)
  .option('--topology <file>', "another lab than the story's own", (text: string) => resolve(text))
  .action(async (options: DemoOptions) => {
    const { runDemo } = await import('./demo/demo.ts');
    process.exitCode = await runDemo(options);
  });

program
  .command('call')
  .description('make a signed request and wait for its job')
  .argument('<command>', 'such as listVPCs; listApis shows all there are')
  .argument('[key=value...]', "the request's parameters")
  .option('--as <account>', 'one of the accounts in access.json', 'admin')
  .option('--no-wait', 'print the first answer of an asynchronous command instead of its result')
  .option(...stateOption)
  .action(async (command: string, parameters: string[], options: { as: string; wait: boolean; state: string }) => {
    const { call } = await import('./client/call.ts');
    process.exitCode = await call({
      command,
      parameters,
      account: options.as,
      wait: options.wait,
      state: options.state,
    });
  });

/** What the file says, and over it what was given on the command line. */
async function serveOptions(given: ServeOptions & { config?: string }, command: Command): Promise<ServeOptions> {
  const { config, ...options } = given;
  if (config !== undefined) {
    const { readServerConfig } = await import('./server-config.ts');
    const typed = Object.entries(options).filter(([key]) => command.getOptionValueSource(key) === 'cli');
    return { ...readServerConfig(resolve(config)), ...Object.fromEntries(typed) };
  }
  for (const key of ['nb', 'sb', 'agents'] as const)
    if (options[key] === undefined)
      throw new Error(`serve needs --${key}, or a configuration that says it (--config FILE)`);
  return options;
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`trunkline: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// A server or a demo that ended may leave timers of libraries behind; what matters was closed.
process.exit();
