// What a driver of switches needs to know besides an address: checked by name and form where it enters, sealed where it is secret.
import type { z } from 'zod';
import { refuse } from '../../api/error.ts';
import { SWITCH_OPTIONS } from '../../protocol/switch-options.ts';
import { seal } from '../../store/seal.ts';
import type { Room } from '../room.ts';

interface DriverKind {
  /** What its address looks like. */
  readonly address: string;
  readonly reads: RegExp;
  readonly options: z.ZodObject;
}

const SSH_ADDRESS = {
  address: 'HOST, HOST:PORT or [IPV6]:PORT of its ssh server, or unix:PATH of a socket that leads there',
  reads:
    /^(([A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?|unix:\/[A-Za-z0-9_./-]{1,200})$/,
};

/** The drivers there are. Who sets the ports with them is the reconciler's to know. */
export const SWITCH_DRIVERS: Readonly<Record<string, DriverKind>> = {
  ovsdb: {
    address: 'unix:PATH or tcp:IP:PORT of its database',
    reads: /^(unix:\/[\w./-]{1,200}|tcp:\[?[0-9A-Fa-f.:]+\]?:[0-9]{1,5})$/,
    options: SWITCH_OPTIONS.ovsdb,
  },
  linux: { ...SSH_ADDRESS, options: SWITCH_OPTIONS.linux },
  netconf: { ...SSH_ADDRESS, options: SWITCH_OPTIONS.netconf },
  instructions: {
    address: 'its name or address, for the network team; may be left out',
    reads: /^[\w.:/ -]{0,200}$/,
    options: SWITCH_OPTIONS.instructions,
  },
};

/** Names of the options that come as `details`, of all drivers; the user has a parameter of his own. */
export const DETAILS = [...new Set(Object.values(SWITCH_DRIVERS).flatMap(namesOf))].filter((name) => name !== 'user');

function namesOf({ options }: DriverKind): string[] {
  return Object.keys(options.shape);
}

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
  const kind = SWITCH_DRIVERS[driver]!;
  const options = namesOf(kind);
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
  if (given['user'] !== undefined && !options.includes('user'))
    throw refuse('parameter', `Driver ${driver} logs in nowhere: leave username out`);
  if (driver === 'instructions' && given['dialect'] === undefined) {
    const dialects = SWITCH_OPTIONS.instructions.shape.dialect.options;
    throw refuse(
      'parameter',
      `Driver ${driver} needs details[0].dialect, the language of the lines: ${dialects.join(', ')}`,
    );
  }
  // What is left out may come later: until then the switch is Down and says what it needs.
  const [wrong] = kind.options.partial().safeParse(given).error?.issues ?? [];
  if (wrong !== undefined) {
    const name = String(wrong.path[0]);
    throw refuse('parameter', `Option ${name} of driver ${driver} cannot be ${given[name]}: ${wrong.message}`);
  }
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
  if (!namesOf(SWITCH_DRIVERS[driver]!).includes('user'))
    throw refuse('parameter', `Driver ${driver} logs in nowhere: leave password and privatekey out`);
  if (password !== undefined)
    throw refuse('parameter', `Driver ${driver} logs in by key, never by password: give privatekey instead`);
  return seal(room.store.sealKey, JSON.stringify({ privateKey: readKey(privatekey ?? '') }));
}
