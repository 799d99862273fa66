// What strongSwan's log says of connections that were refused: vici tells what is there, and not why something is not. Pure.

/** Notifications (RFC 7296 3.10.1, RFC 2408 3.14.1) and what they mean to whoever described the other end. */
const MEANINGS: Readonly<Record<string, string>> = {
  AUTHENTICATION_FAILED: 'refuses the key, or does not know our address',
  NO_PROPOSAL_CHOSEN: 'refuses the IKE or the ESP policy',
  INVALID_KE_PAYLOAD: 'refuses the group of the policy',
  TS_UNACCEPTABLE: 'refuses the networks',
};

/**
 * By connection, what the peer did last, as the end of a sentence. Nothing of those that were established since, or got no answer. Lines
 * look like `TIME 09[IKE] <CONNECTION|NUMBER> TEXT` (filelog's ike_name).
 */
export function parseRefusals(log: string): ReadonlyMap<string, string> {
  const refusals = new Map<string, string>();
  for (const line of log.split('\n')) {
    const [, name, text] = /^\S+ [0-9]+\[[A-Z]+\] <([^<>|]+)\|[0-9]+> (.*)$/.exec(line) ?? [];
    if (name === undefined || text === undefined) continue;
    const notify = /^received ([A-Z_]+) (?:error )?notify/.exec(text)?.[1];
    const meaning = notify === undefined ? undefined : MEANINGS[notify];
    if (meaning !== undefined) refusals.set(name, meaning);
    else if (/^tried [0-9]+ shared keys? .* MAC mismatched/.test(text)) refusals.set(name, 'comes with another key');
    else if (/^(?:IKE_SA|CHILD_SA) .* established/.test(text) || text.startsWith('giving up after'))
      refusals.delete(name);
  }
  return refusals;
}
