// A client of the query API: what the demo and the command line talk through, the same way any other client would.
import { sleep } from '../lib/sleep.ts';
import { type Param, flatten, signedBody } from './sign.ts';

export type Params = Readonly<Record<string, Param>>;
export type Body = Record<string, unknown>;

/** The server refused, or a job failed. */
export class ApiError extends Error {
  readonly command: string;
  /** The API's error code; the HTTP status where the answer was none of the API's. */
  readonly errorcode: number;
  constructor(command: string, errorcode: number, text: string) {
    super(text);
    this.command = command;
    this.errorcode = errorcode;
  }
}

export interface Client {
  /** Makes a call and waits for its job, if it has one: gives the job's result then (`{ vpc: {…} }`), the answer otherwise. */
  call(command: string, params?: Params): Promise<Body>;
  /** Makes one call and gives what stands in the envelope; waits for nothing. */
  raw(command: string, params?: Params): Promise<Body>;
}

export interface ClientOptions {
  /** Such as http://127.0.0.1:8080/client/api. */
  readonly endpoint: string;
  readonly apikey: string;
  readonly secretkey: string;
  /** How long a job may take, in milliseconds (default 120,000). */
  readonly jobTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

const FIRST_POLL_MS = 10;
const LAST_POLL_MS = 1000;
const SIGNED_FOR_MS = 600_000;
const ANSWER_MS = 60_000;

/** A client that signs as one user. */
export function createClient({ endpoint, apikey, secretkey, jobTimeoutMs = 120_000, signal }: ClientOptions): Client {
  async function raw(command: string, params: Params = {}): Promise<Body> {
    const body = signedBody(
      [['command', command], ...flatten(params)],
      { apikey, secretkey },
      new Date(Date.now() + SIGNED_FOR_MS),
    );
    const limit = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    }).catch((cause: unknown) => {
      throw new ApiError(command, 0, `${command}: no answer from ${endpoint}: ${reason(cause)}`);
    });
    return unwrap(command, response.status, await response.text());
  }

  async function wait(command: string, jobid: string): Promise<Body> {
    const deadline = Date.now() + jobTimeoutMs;
    for (let pause = FIRST_POLL_MS; ; pause = Math.min(pause * 1.5, LAST_POLL_MS)) {
      const job = await raw('queryAsyncJobResult', { jobid });
      const result = (job['jobresult'] ?? {}) as Body;
      if (job['jobstatus'] === 1) return result;
      if (job['jobstatus'] === 2)
        throw new ApiError(
          command,
          Number(result['errorcode'] ?? 530),
          String(result['errortext'] ?? 'the job failed'),
        );
      if (Date.now() > deadline)
        throw new ApiError(command, 0, `${command}: job ${jobid} was not done after ${jobTimeoutMs} ms`);
      await sleep(pause, signal);
      signal?.throwIfAborted();
    }
  }

  return {
    raw,
    async call(command, params) {
      const answer = await raw(command, params);
      const jobid = answer['jobid'];
      // A look at a job is no job of its own.
      if (typeof jobid !== 'string' || command === 'queryAsyncJobResult') return answer;
      return wait(command, jobid);
    },
  };
}

function unwrap(command: string, status: number, text: string): Body {
  let envelope: Body;
  try {
    envelope = JSON.parse(text) as Body;
  } catch {
    throw new ApiError(command, status, `${command}: HTTP status ${status} and no JSON: is this the API's address?`);
  }
  const body = (Object.values(envelope)[0] ?? {}) as Body;
  if (status !== 200)
    throw new ApiError(
      command,
      Number(body['errorcode'] ?? status),
      String(body['errortext'] ?? `HTTP status ${status}`),
    );
  return body;
}

/** The innermost cause: fetch itself only says that it failed. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reason(error.cause);
}
