// Who may come in at an OpenVPN server, and how long a "no" takes: a guess at a password is answered late and few are open at once, each
// client's apart, so that nobody who guesses holds up anybody else. Apart from the gate, which knows OpenVPN's socket and nothing of this.
import { scrypt, timingSafeEqual } from 'node:crypto';
import { isDeepStrictEqual, promisify } from 'node:util';
import { sleep } from '../../lib/sleep.ts';
import type { GateClient } from './vpn-openvpn.ts';

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** Milliseconds, but for `open`. */
export interface DoorLimits {
  /** How long a profile may be ahead of the document that names its certificate, and how often it is looked for. */
  readonly early: number;
  readonly look: number;
  /** The first wrong password's answer; each one after doubles it, up to `slowest`. */
  readonly slow: number;
  readonly slowest: number;
  /** After so long without another, wrong passwords are forgotten. */
  readonly forgiven: number;
  /** Questions of one client that may be open at once. */
  readonly open: number;
}

const LIMITS: DoorLimits = { early: 5000, look: 500, slow: 1000, slowest: 8000, forgiven: 60_000, open: 3 };

/** What OpenVPN says of somebody who wants to come in: environment variables by name. */
export type Caller = Readonly<Record<string, string>>;

/** A client who is welcome; or why not, for OpenVPN's log: what a caller may know is said nowhere. */
export type Verdict = { readonly client: GateClient } | { readonly refused: string };

export interface Door {
  ask(caller: Caller): Promise<Verdict>;
}

/** `find` looks at the list as it is now. */
export function createDoor(find: (id: string) => Promise<GateClient | undefined>, limits: DoorLimits = LIMITS): Door {
  const open = new Map<string, number>();
  const wrong = new Map<string, { times: number; until: number }>();

  /** The client whose certificate it is, once the document has it: only who has one of the authority's gets this far. */
  async function known(caller: Caller): Promise<GateClient | undefined> {
    const until = Date.now() + limits.early;
    for (;;) {
      const client = await find(caller['common_name'] ?? '');
      if (isItsOwn(client, caller) || Date.now() >= until) return client;
      await sleep(limits.look);
    }
  }

  async function judged(caller: Caller): Promise<Verdict> {
    for (;;) {
      const client = await known(caller);
      if (client === undefined) return { refused: 'certificate of nobody here' };
      if (!isItsOwn(client, caller)) return { refused: 'not the certificate it has now' };
      // The time it takes says nothing of which of both was wrong.
      const right = await matches(caller['password'] ?? '', client.passwordHash);
      if (!right || caller['username'] !== client.username) return { refused: await slowly(client.id) };
      // Changed or revoked in the meantime: it is judged by what holds now.
      if (!isDeepStrictEqual(client, await find(client.id))) continue;
      wrong.delete(client.id);
      return { client };
    }
  }

  async function slowly(id: string): Promise<string> {
    const now = Date.now();
    for (const [other, { until }] of wrong) if (until < now) wrong.delete(other);
    const times = (wrong.get(id)?.times ?? 0) + 1;
    wrong.set(id, { times, until: now + limits.forgiven });
    await sleep(Math.min(limits.slowest, limits.slow * 2 ** Math.min(times - 1, 20)));
    return 'wrong user name or password';
  }

  return {
    async ask(caller) {
      const name = caller['common_name'] ?? '';
      const before = open.get(name) ?? 0;
      if (before >= limits.open) return { refused: 'too many attempts at once' };
      open.set(name, before + 1);
      try {
        return await judged(caller);
      } catch (error) {
        return { refused: (error as Error).message };
      } finally {
        const left = open.get(name)! - 1;
        if (left === 0) open.delete(name);
        else open.set(name, left);
      }
    },
  };
}

function isItsOwn(client: GateClient | undefined, caller: Caller): boolean {
  return client !== undefined && plainSerial(caller['tls_serial_hex_0'] ?? '') === plainSerial(client.serial);
}

function plainSerial(text: string): string {
  return text.replaceAll(':', '').toUpperCase().replace(/^0+/, '');
}

/** `scrypt$N$r$p$salt$hash`, base64url. */
async function matches(password: string, hash: string): Promise<boolean> {
  const [kind, n, r, p, salt, wanted] = hash.split('$');
  if (kind !== 'scrypt' || wanted === undefined || salt === undefined) return false;
  const expected = Buffer.from(wanted, 'base64url');
  const options = { N: Number(n), r: Number(r), p: Number(p), maxmem: 256 * 1024 * 1024 };
  const found = await derive(password, Buffer.from(salt, 'base64url'), expected.length, options);
  return found.length === expected.length && timingSafeEqual(found, expected);
}
