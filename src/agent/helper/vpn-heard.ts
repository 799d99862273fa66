// When a WireGuard peer was heard last. WireGuard itself tells of handshakes only, two minutes apart, and a peer without anything to say says
// nothing: so one that is silent is sent a packet, which WireGuard at the other end has to answer, and which goes no further.

/** Milliseconds since 1970. */
interface Memory {
  readonly received: number;
  readonly heard: number;
  readonly asked: number;
}

/** What `wg show` says of a peer. */
interface Counted {
  /** Seconds since 1970; 0: never. */
  readonly handshake: number;
  readonly received: number;
}

/** Silence after which a peer is asked, and again. Its answer takes ten seconds (WireGuard's KEEPALIVE_TIMEOUT). */
const ASK_MS = 4_000;
/** Silence of a peer that is gone: long enough for one question or answer to be lost. */
export const GONE_MS = 25_000;
/** After that WireGuard takes a session for over (its REJECT_AFTER_TIME): there is nobody to ask. */
const SESSION_MS = 180_000;

const known = new Map<string, Memory>();

/**
 * `who`: names the peer on this node. What was received before we came we do not know the time of: with a session that may be alive it was
 * now. `ask`: send it something now.
 */
export function hear(who: string, { handshake, received }: Counted, now: number): { heard: number; ask: boolean } {
  const before = known.get(who);
  const alive = handshake > 0 && now - handshake * 1000 < SESSION_MS;
  if (!alive) {
    known.delete(who);
    return { heard: 0, ask: false };
  }
  const heard = before === undefined || before.received !== received ? now : before.heard;
  const ask = now - Math.max(heard, before?.asked ?? 0) >= ASK_MS;
  known.set(who, { received, heard, asked: ask ? now : (before?.asked ?? 0) });
  return { heard, ask };
}
