// Structured logs: one JSON line an event on standard output, so that journald or a file keeps them and `jq` follows one
// request from its id to its job, its generation and its targets. Secrets are removed here, whatever a caller passes.
import { pino, type Logger } from 'pino';

export type Log = Logger;

const SECRET = [
  'password',
  'secret',
  'secretkey',
  'privatekey',
  'privateKey',
  'signature',
  'sessionkey',
  'token',
  'apikey',
  'userdata',
  'cookie',
];

/** The program's log. `name` says which program of ours writes (server, agent, lab). */
export function createLog(name: string, level = process.env['TRUNKLINE_LOG'] ?? 'info', file?: string): Log {
  return pino(
    {
      name,
      level,
      redact: { paths: SECRET.flatMap((key) => [key, `*.${key}`]), censor: '(hidden)' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination(file === undefined ? { dest: 1, sync: true } : { dest: file, mkdir: true, sync: true }),
  );
}

/** A log that says nothing, for tests. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
