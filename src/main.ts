// The program: serve · agent · lab · demo · call. The only file that knows the command line; `serve.ts` puts the layers together.
// Each command loads its own layers only when it is given: an agent need not carry the server.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { DemoOptions } from './demo/demo.ts';
import { CHECKOUT, DEFAULT_STATE } from './lab/layout.ts';
import type { ServeOptions } from './serve.ts';

const VERSION = (JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }).version;

function port(text: string): number {
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (value >= 0 && value <= 65535) return value;
  throw new InvalidArgumentError('a port is a number from 0 (any free one) to 65535');
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
  .option(...stateOption)
  .option('--port <number>', 'port of the API on 127.0.0.1', port, 8080)
  .option('--metrics-port <number>', 'port of health and metrics on 127.0.0.1', port, 0)
  .requiredOption('--nb <address>', 'OVN northbound database: unix:PATH or tcp:HOST:PORT')
  .requiredOption('--sb <address>', 'OVN southbound database')
  .requiredOption('--agents <address>', 'where agents reach the server: unix:PATH or HOST:PORT')
  .option('--database <url>', 'postgres://… (default: a SQLite file in the state folder)')
  .option('--demo-accounts', "make the demo's domains and accounts and write access.json", false)
  .action(async (options: ServeOptions) => (await import('./serve.ts')).serve(options));

const agent = program.command('agent').description("a node's own program");
agent
  .command('run')
  .description('make this node as the server wants it, until ended')
  .requiredOption('--config <file>', 'the configuration, JSON')
  .action(async ({ config }: { config: string }) => (await import('./agent/agent.ts')).runAgent(resolve(config)));
agent
  .command('join')
  .description('get a certificate for this node')
  .requiredOption('--config <file>', 'the configuration, JSON')
  .requiredOption('--token <token>', 'the join token (createJoinToken)')
  .action(async ({ config, token }: { config: string; token: string }) => {
    await (await import('./agent/agent.ts')).joinAgent({ configFile: resolve(config), token });
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

program
  .command('demo')
  .description('start a small cloud and play: three VPCs become one')
  .option('--once', 'end after the story; exit status 0 only if every expectation held', false)
  .option('--empty', 'stay up without playing anything', false)
  .option('--port <number>', 'port of the API on 127.0.0.1', port, 8080)
  .option(...stateOption)
  .option('--keep', 'keep the state folder at the end, and go on from it the next time', false)
  .option('--topology <file>', 'another lab than lab/three-hypervisors.json', (text: string) => resolve(text))
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

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`trunkline: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// A server or a demo that ended may leave timers of libraries behind; what matters was closed.
process.exit();
