// Cuts a byte stream into JSON messages. OVSDB's JSON-RPC (RFC 7047 §4) puts nothing between two messages, so their ends
// are found by counting braces; bytes are decoded only when a message is whole, so that no character is ever split.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Node cannot hold longer strings; no OVN database comes near it. */
const LARGEST = 500 * 1024 * 1024;

/** Returns a function to push chunks into; `deliver` gets each message, parsed. Throws on anything that is no message. */
export function createFramer(deliver: (message: unknown) => void): (chunk: Buffer) => void {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;

  const finish = (last: Buffer): void => {
    const whole = held.length === 0 ? last : Buffer.concat([...held, last]);
    held = [];
    heldBytes = 0;
    deliver(JSON.parse(whole.toString('utf8')));
  };

  return (chunk) => {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE && depth > 0) {
        inString = true;
      } else if (byte === OPEN_BRACE || (byte === OPEN_BRACKET && depth > 0)) {
        if (depth === 0) start = at;
        depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth -= 1;
        if (depth < 0) throw new Error('the peer does not speak JSON-RPC: a brace too many');
        if (depth === 0) finish(chunk.subarray(start, at + 1));
      } else if (depth === 0 && !SPACES.has(byte)) {
        throw new Error(`the peer does not speak JSON-RPC: byte 0x${byte.toString(16)} between two messages`);
      }
    }
    if (depth === 0) return;
    const rest = held.length === 0 ? chunk.subarray(start) : chunk;
    heldBytes += rest.length;
    if (heldBytes > LARGEST) throw new Error(`a message of more than ${LARGEST} bytes`);
    held.push(rest);
  };
}
