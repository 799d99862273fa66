// Writes docs/reference: every command with its parameters and answer, and who may give it, drawn from the registry and nothing
// else. `node tools/generate-reference.ts`; with --check it only says whether the pages are as they should be (exit status 1 if not).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Command, Role } from '../src/api/command.ts';
import { fieldMeta } from '../src/api/field.ts';
import { isOptional, paramMeta } from '../src/api/param.ts';
import { createRegistry } from '../src/commands/index.ts';
import type { House } from '../src/commands/room.ts';
import { silentLog } from '../src/lib/log.ts';

const FOLDER = new URL('../docs/reference/', import.meta.url).pathname;
const ROLES: readonly Role[] = ['admin', 'domain-admin', 'user', 'readonly'];

// Declarations only: nothing is called, so no store is needed behind them.
const house: House = { log: silentLog(), store: undefined as never };
const commands = [...createRegistry(house).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));

const pages: Readonly<Record<string, string>> = { 'commands.md': commandPage(), 'roles.md': rolePage() };
let stale = 0;
for (const [name, text] of Object.entries(pages)) {
  const file = join(FOLDER, name);
  if (process.argv.includes('--check')) {
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
      stale++;
      process.stderr.write(
        `docs/reference/${name} is not what the commands say: run node tools/generate-reference.ts\n`,
      );
    }
  } else {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, text);
  }
}
if (stale > 0) process.exitCode = 1;

function commandPage(): string {
  const head = `# Commands\n\n${commands.length} commands. Generated from their declarations (tools/generate-reference.ts). *async*: answers a job id at once; the job is done\nwhen every target concerned has the change. Parameters in bold are required.\n`;
  return `${head}${commands.map(section).join('')}`;
}

function section(command: Command): string {
  const parameters = Object.entries(command.params.shape as Record<string, z.ZodType>).map(([name, schema]) => {
    const meta = paramMeta(schema);
    return `| ${isOptional(schema) ? name : `**${name}**`} | ${meta?.type ?? ''} | ${meta?.description ?? ''} |`;
  });
  const { answer } = command;
  const fields = answer.kind === 'success' ? [] : Object.entries(answer.view.shape as Record<string, z.ZodType>);
  const shown = fields.map(([name, schema]) => {
    const meta = fieldMeta(schema);
    return `| ${name} | ${meta?.type ?? ''} | ${meta?.description ?? ''} |`;
  });
  const kind = `${command.async ? 'async, ' : ''}for ${command.roles.join(', ')}${command.event === undefined ? '' : `; event ${command.event}`}`;
  const under =
    answer.kind === 'success'
      ? 'Answers success.'
      : answer.kind === 'flat'
        ? 'Answers:'
        : `Answers ${answer.kind === 'list' ? 'a list of ' : ''}\`${answer.key}\`:`;
  return [
    `\n## ${command.name}\n\n${command.summary} (${kind})\n`,
    parameters.length === 0
      ? '\nNo parameters.\n'
      : `\n| parameter | type | |\n|---|---|---|\n${parameters.join('\n')}\n`,
    `\n${under}\n`,
    shown.length === 0 ? '' : `\n| field | type | |\n|---|---|---|\n${shown.join('\n')}\n`,
  ].join('');
}

function rolePage(): string {
  const lines = commands.map(
    (command) =>
      `| ${command.name} | ${ROLES.map((role) => (command.roles.includes(role) ? 'yes' : '')).join(' | ')} |`,
  );
  return `# Who may give which command\n\nGenerated from the commands' declarations. What is not marked is refused.\n\n| command | ${ROLES.join(' | ')} |\n|---|${'---|'.repeat(ROLES.length)}\n${lines.join('\n')}\n`;
}
