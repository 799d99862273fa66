// What a driver of switches needs to know besides an address: checked by name and form where it enters, sealed where it is secret.
import { refuse } from '../../api/error.ts';
import { seal } from '../../store/seal.ts';
import type { Room } from '../room.ts';

interface DriverKind {
  /** What its address looks like. */
  readonly address: string;
  readonly reads: RegExp;
  /** Names of its options. */
  readonly options: readonly string[];
}

/** HOST or HOST:PORT. */
const HOST = String.raw`[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?`;

/** The drivers there are. Who sets the ports with them is the reconciler's to know. */
export const SWITCH_DRIVERS: Readonly<Record<string, DriverKind>> = {
  ovsdb: {
    address: 'unix:PATH or tcp:IP:PORT of its database',
    reads: /^(unix:\/[\w./-]{1,200}|tcp:\[?[0-9A-Fa-f.:]+\]?:[0-9]{1,5})$/,
    options: ['bridge', 'rundir'],
  },
  linux: {
    address: 'HOST or HOST:PORT of its ssh server',
    reads: new RegExp(`^${HOST}(:[0-9]{1,5})?$`),
    options: ['user', 'bridge', 'hostKey', 'sudo'],
  },
  netconf: {
    address: 'HOST or HOST:PORT of its ssh server',
    reads: new RegExp(`^${HOST}(:[0-9]{1,5})?$`),
    options: ['user', 'port', 'hostKey', 'model'],
  },
  instructions: {
    address: 'its name or address, for the network team; may be left out',
    reads: /^[\w.:/ -]{0,200}$/,
    options: ['dialect'],
  },
};

const DIALECTS = ['cisco-ios', 'arista-eos', 'junos', 'sonic'] as const;

export function readDriver(text: string): string {
  const driver = text.toLowerCase();
  if (SWITCH_DRIVERS[driver] !== undefined) return driver;
  throw refuse(
    'parameter',
    `There is no switch driver ${text}. There are ${Object.keys(SWITCH_DRIVERS).join(', ')}; instructions prints the lines for people to type and needs no connection`,
  );
}

export function readAddress(driver: string, url: string | undefined): string {
  const { address, reads } = SWITCH_DRIVERS[driver]!;
  const text = url ?? '';
  if (reads.test(text) && (text !== '' || driver === 'instructions')) return text;
  throw refuse(
    'parameter',
    text === ''
      ? `Driver ${driver} needs url: ${address}`
      : `Driver ${driver} cannot connect to ${text}: it wants ${address}`,
  );
}

/**
 * The `details` of a call and the user name as the JSON that the driver reads: `details[0].bridge=sw` and
 * `details[0].key=bridge&details[0].value=sw` mean the same.
 */
export function readOptions(
  driver: string,
  details: readonly Record<string, string>[] | undefined,
  username: string | undefined,
): string {
  const { options } = SWITCH_DRIVERS[driver]!;
  const given: Record<string, string> = username === undefined ? {} : { user: username };
  for (const [key, value] of (details ?? []).flatMap(entriesOf)) {
    const name = options.find((option) => option.toLowerCase() === key.toLowerCase());
    if (name === undefined) {
      throw refuse(
        'parameter',
        `Driver ${driver} has no option ${key}. It has ${options.join(', ')}; passwords and keys are given as password and privatekey`,
      );
    }
    if (/\p{Cc}/u.test(value)) throw refuse('parameter', `Option ${name} must not hold control characters`);
    given[name] = value;
  }
  const { dialect } = given;
  if (options.includes('dialect') && !DIALECTS.some((known) => known === dialect))
    throw refuse(
      'parameter',
      `Driver ${driver} needs details[0].dialect, the language of the lines: ${DIALECTS.join(', ')}${dialect === undefined ? '' : `; ${dialect} is none of them`}`,
    );
  if (given['user'] !== undefined && !options.includes('user'))
    throw refuse('parameter', `Driver ${driver} logs in nowhere: leave username out`);
  return JSON.stringify(given);
}

function entriesOf(record: Record<string, string>): [string, string][] {
  const { key, value, ...others } = record;
  return [
    ...Object.entries(others),
    ...(key === undefined || value === undefined ? [] : [[key, value] as [string, string]]),
  ];
}

/** Lines cannot be sent in a parameter, so a key comes in base64, as user data does. */
function readKey(text: string): string {
  const key = Buffer.from(text, 'base64').toString('utf8').replaceAll('\r\n', '\n');
  if (/^-----BEGIN [A-Z ]*PRIVATE KEY-----\n[\x20-\x7e\n]*$/.test(key)) return key;
  throw refuse(
    'parameter',
    'privatekey is no private key: encode the PEM file (-----BEGIN … PRIVATE KEY-----) in base64',
  );
}

/** The private key, sealed; null when there is none. A password is refused: switches are logged in to by key. */
export function sealSecret(
  room: Room,
  driver: string,
  { password, privatekey }: { readonly password?: string | undefined; readonly privatekey?: string | undefined },
): string | null {
  if (password === undefined && privatekey === undefined) return null;
  if (!SWITCH_DRIVERS[driver]!.options.includes('user'))
    throw refuse('parameter', `Driver ${driver} logs in nowhere: leave password and privatekey out`);
  if (password !== undefined)
    throw refuse('parameter', `Driver ${driver} logs in by key, never by password: give privatekey instead`);
  return seal(room.store.sealKey, JSON.stringify({ privateKey: readKey(privatekey ?? '') }));
}
