// How NETCONF messages are cut out of a stream (RFC 6242, 4): an end mark in version 1.0 and in every hello, chunks with their
// length in version 1.1. Works on bytes, since the lengths count bytes. Pure but for what it remembers of the stream.

const END = Buffer.from(']]>]]>');
/** A message larger than this is a fault of the other side: nothing we ask for comes near it. */
const LARGEST = 64 * 1024 * 1024;

export interface Deframer {
  /** Takes bytes as they come; gives the messages that are whole now. Throws when the stream breaks the rules. */
  push(bytes: Buffer): readonly string[];
  /** From now on chunks (1.1) are expected instead of end marks. */
  useChunks(): void;
}

/** The message as bytes to send. */
export function frame(message: string, chunked: boolean): Buffer {
  const body = Buffer.from(message);
  return chunked
    ? Buffer.concat([Buffer.from(`\n#${body.length}\n`), body, Buffer.from('\n##\n')])
    : Buffer.concat([body, END]);
}

export function createDeframer(): Deframer {
  let rest: Buffer = Buffer.alloc(0);
  let chunked = false;
  let parts: Buffer[] = [];

  function marked(): string | undefined {
    const end = rest.indexOf(END);
    if (end < 0) return undefined;
    const message = rest.subarray(0, end).toString();
    rest = rest.subarray(end + END.length);
    return message;
  }

  /** Takes chunks until a message is whole or bytes are wanting. */
  function fromChunks(): string | undefined {
    for (;;) {
      const head = rest.subarray(0, 16).toString('latin1');
      const [all, size] = /^\n#(?:([1-9]\d{0,9})|#)\n/.exec(head) ?? [];
      if (all === undefined) {
        if (!/^(\n(#([1-9]\d{0,9}|#)?)?)?$/.test(head))
          throw new Error('the NETCONF stream broke its framing (RFC 6242, 4.2)');
        return undefined;
      }
      if (size === undefined) {
        rest = rest.subarray(all.length);
        const message = Buffer.concat(parts).toString();
        parts = [];
        return message;
      }
      const length = Number(size);
      if (length > LARGEST) throw new Error(`the switch announced ${length} bytes at once`);
      if (rest.length < all.length + length) return undefined;
      parts.push(rest.subarray(all.length, all.length + length));
      rest = rest.subarray(all.length + length);
    }
  }

  return {
    push(bytes) {
      rest = Buffer.concat([rest, bytes]);
      if (rest.length + parts.reduce((sum, part) => sum + part.length, 0) > LARGEST)
        throw new Error(`the switch sent more than ${LARGEST} bytes in one message`);
      const messages: string[] = [];
      for (let next = chunked ? fromChunks() : marked(); next !== undefined; next = chunked ? fromChunks() : marked())
        messages.push(next);
      return messages;
    },
    useChunks: () => {
      chunked = true;
    },
  };
}
