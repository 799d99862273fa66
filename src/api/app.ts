// The API as an HTTP application: one path, GET and POST. What comes in is decoded, proven, checked and handed to a command;
// what comes out is wrapped. Nothing thrown below ever reaches a client but as a refusal or as one fixed sentence.
import { Hono } from 'hono';
import { newId } from '../lib/id.ts';
import type { Log } from '../lib/log.ts';
import type { Accounts } from './accounts.ts';
import { authenticate } from './authenticate.ts';
import type { Caller, Command, Registry } from './command.ts';
import { type Wire, decode, printable } from './decode.ts';
import { type Format, type Reply, failure, internal, success } from './envelope.ts';
import { Refusal, refuse } from './error.ts';
import { mayUse, unavailable } from './list-apis.ts';
import { createLoginLimit } from './login-limit.ts';
import { checkParameters } from './parameters.ts';
import { type Incoming, bodyOf } from './request-body.ts';
import { type SessionReply, closeSession, cookieOf, openSession } from './session.ts';
import { createThrottle } from './throttle.ts';

export interface AppOptions {
  readonly registry: Registry;
  readonly accounts: Accounts;
  readonly log: Log;
  /** Told of each answer, for the metrics: `unknown` where no command was understood. */
  readonly onRequest?: (command: string, status: number, seconds: number) => void;
}

interface HttpBindings {
  readonly incoming?: Incoming & { readonly socket?: { readonly remoteAddress?: string } };
}

/** What a request turned out to be, filled in as it is understood: for the answer's envelope and for the log. */
interface Course {
  readonly id: string;
  readonly address: string;
  format: Format;
  /** What was asked for, as typed. */
  name?: string;
  command?: Command;
  caller?: Caller;
  error?: unknown;
}

/** Wrong signatures for one key from one address. */
const FAILURES = 10;
const FAILURE_WINDOW_MS = 60_000;

/** The API of all commands in the registry at `/client/api`. Needs no port: `app.request('/client/api?…')` is a call. */
export function createApp({ registry, accounts, log, onRequest }: AppOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const throttle = createThrottle(FAILURES, FAILURE_WINDOW_MS);
  const logins = createLoginLimit();

  async function answer(
    request: Request,
    course: Course,
    incoming?: Incoming,
  ): Promise<{ reply: Reply; cookies: readonly string[] }> {
    const query = queryOf(request.url);
    course.format = formatOf(query);
    if (request.method !== 'GET' && request.method !== 'POST') {
      throw refuse(
        'methodNotAllowed',
        `${printable(request.method)} is not supported here: send GET, or POST with a form body`,
      );
    }
    const body = await bodyOf(request, incoming);
    if (body !== '') course.format = formatOf(`${query}&${body}`);
    const wire = decode(query, body);
    course.format = textOf(wire, 'response')?.toLowerCase() === 'json' ? 'json' : 'xml';
    const name = textOf(wire, 'command');
    if (name === undefined || name === '') throw refuse('unsupported', 'Invalid request, no command sent');
    course.name = printable(name);
    const cookie = cookieOf(request.headers.get('cookie') ?? undefined, 'JSESSIONID');
    const named = registry.get(name);
    if (name === 'login' || name === 'logout') {
      if (named === undefined) throw refuse('unsupported', unavailable(name));
      course.command = named;
      const done = await session(named, request.method, wire, cookie, course);
      return { reply: success(named, done.body, course.format), cookies: done.cookies };
    }
    // Named before the caller is known: a bad signature is answered under the command's own key, as CloudStack does.
    if (named !== undefined) course.command = named;
    course.caller = await authenticate(accounts, throttle, { wire, cookie, address: course.address });
    if (named === undefined || !mayUse(named, course.caller.role)) {
      delete course.command;
      throw refuse('unsupported', unavailable(printable(name)));
    }
    const { want, given } = checkParameters(named, wire);
    const result = await named.run({ caller: course.caller, request: course.id, command: named.name, given }, want);
    return { reply: success(named, result, course.format), cookies: [] };
  }

  async function session(
    command: Command,
    method: string,
    wire: Wire,
    cookie: string | undefined,
    course: Course,
  ): Promise<SessionReply> {
    if (command.name === 'logout') return closeSession(accounts, cookie);
    // A password in a query string would end up in logs and histories.
    if (method !== 'POST') throw refuse('methodNotAllowed', 'Please use HTTP POST to authenticate using this API');
    const { want } = checkParameters(command, wire);
    const opened = await openSession(accounts, logins, want, course.address);
    course.caller = opened.login.caller;
    return opened;
  }

  const handle = async (request: Request, incoming: HttpBindings['incoming']): Promise<Response> => {
    const started = performance.now();
    const address = incoming?.socket?.remoteAddress ?? 'local';
    const course: Course = { id: newId(), address, format: 'xml' };
    let answered: { reply: Reply; cookies: readonly string[] };
    try {
      answered = await answer(request, course, incoming);
    } catch (error) {
      if (!(error instanceof Refusal)) course.error = error;
      answered = {
        reply: failure(course.command, error instanceof Refusal ? error : internal(), course.format),
        cookies: [],
      };
    }
    const { reply, cookies } = answered;
    const headers = new Headers({ ...reply.headers, 'X-Request-Id': course.id });
    for (const cookie of cookies) headers.append('Set-Cookie', cookie);
    record(course, reply.status, performance.now() - started);
    return new Response(request.method === 'HEAD' ? null : reply.body, { status: reply.status, headers });
  };

  function record(course: Course, status: number, ms: number): void {
    const { id, name, caller, address, error } = course;
    onRequest?.(course.command?.name ?? 'unknown', status, ms / 1000);
    const entry = {
      request: id,
      command: name,
      caller: caller?.username,
      account: caller?.accountId,
      address,
      status,
      ms: Math.round(ms * 10) / 10,
    };
    if (error === undefined) log.info(entry, 'request');
    else log.error({ ...entry, err: error }, 'request failed');
  }

  for (const path of ['/client/api', '/client/api/'])
    // Without a port, as in tests, there is no environment at all.
    app.all(path, ({ req, env }) => handle(req.raw, (env as HttpBindings | undefined)?.incoming));
  app.notFound((context) =>
    context.text('Nothing is here. The API is at /client/api.\n', 404, { 'X-Request-Id': newId() }),
  );
  return app;
}

/** The query as it was sent: a parsed URL would have re-encoded some of what was signed. */
function queryOf(url: string): string {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}

/** A guess for errors that come before anything is decoded. */
function formatOf(text: string): Format {
  return /(?:^|&)response=json(?:&|$)/i.test(text) ? 'json' : 'xml';
}

function textOf(wire: Wire, name: string): string | undefined {
  const value = wire.values.get(name);
  return typeof value === 'string' ? value : undefined;
}
