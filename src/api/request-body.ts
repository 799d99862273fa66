// Reads a request's form body, up to a limit: a stream that goes on for ever must not fill the memory.
import { MAX_BODY } from './decode.ts';
import { refuse } from './error.ts';

/** What comes in by Node's own HTTP server (http.IncomingMessage): read several times faster than through a web stream. */
export interface Incoming {
  iterator(options: { readonly destroyOnReturn: boolean }): AsyncIterable<Uint8Array>;
}

/** The body as text; empty for a request without one. Refuses what is too large, what is no form, and what is no UTF-8. */
export async function bodyOf(request: Request, incoming?: Incoming): Promise<string> {
  const tooLarge = (): Error => refuse('tooLarge', `The request body is larger than ${MAX_BODY} bytes`);
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY) throw tooLarge();
  if (request.method !== 'POST') return '';
  // Not destroyed when it is too large: the connection still has to carry the refusal.
  const body = incoming?.iterator({ destroyOnReturn: false }) ?? request.body;
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > MAX_BODY) throw tooLarge();
    chunks.push(chunk);
  }
  if (size === 0) return '';
  const type = request.headers.get('content-type') ?? '';
  if (type !== '' && !type.toLowerCase().startsWith('application/x-www-form-urlencoded')) {
    throw refuse('malformed', 'Send the parameters as application/x-www-form-urlencoded, or in the query string');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw refuse('malformed', 'The request body is no UTF-8 text');
  }
}
