// A NETCONF session (RFC 6241) over an SSH subsystem: hello, then one request at a time, each with a time limit.
import type { ChildProcess } from 'node:child_process';
import { ANSWER_MS, SwitchFault } from './driver.ts';
import { createDeframer, frame } from './netconf-frame.ts';
import { at, child, element, parseXml, type XmlElement } from './xml.ts';

export const NETCONF = 'urn:ietf:params:xml:ns:netconf:base:1.0';
/** How long the first request waits for an answer before it is asked again, and the last one at all, in milliseconds. */
const GREETING_MS = 300;
const FAREWELL_MS = 1000;
const BASE = ['urn:ietf:params:netconf:base:1.0', 'urn:ietf:params:netconf:base:1.1'];

export interface NetconfSession {
  /** Whether the switch announced a capability: `candidate`, `confirmed-commit`, in whatever version. */
  can(capability: string): boolean;
  /** Sends one operation, as XML, and returns the reply. Throws what the switch refused it with. */
  request(operation: string): Promise<XmlElement>;
  /** Ends the session; a commit that was not confirmed in it is undone by the switch. */
  close(): Promise<void>;
}

class NoAnswer extends SwitchFault {}

/** Says hello on the streams of `ssh -s … netconf`. Throws when the other side is no NETCONF server, or takes too long. */
export async function openNetconf(channel: ChildProcess): Promise<NetconfSession> {
  const deframer = createDeframer();
  const messages: XmlElement[] = [];
  let wake: (() => void) | undefined;
  let broken: string | undefined;
  let said = '';
  let number = 0;

  const breakOff = (why: string): void => {
    broken ??= why;
    wake?.();
  };
  channel.stdout!.on('data', (bytes: Buffer) => {
    try {
      for (const text of deframer.push(bytes)) {
        messages.push(parseXml(text));
        if (messages.length === 1 && number === 0) greeted(messages[0]!);
      }
      wake?.();
    } catch (error) {
      breakOff((error as Error).message);
      channel.kill();
    }
  });
  channel.stderr!.on('data', (bytes: Buffer) => (said = `${said}${bytes.toString()}`.slice(-500)));
  channel.stdin!.on('error', () => undefined); // the end of the process tells
  channel.on('error', (error) => breakOff(`ssh: ${error.message}`));
  channel.on('close', () =>
    breakOff(`the session ended${said.trim() === '' ? '' : `: ${said.trim().split('\n').at(-1)}`}`),
  );

  const capabilities: string[] = [];
  const hello = element(
    'hello',
    { xmlns: NETCONF },
    element('capabilities', {}, ...BASE.map((uri) => element('capability', {}, uri))),
  );
  channel.stdin!.write(frame(hello, false));
  let chunked = false;

  /** Chunks begin right after the hello, maybe in the same bytes: so this is done where the hello is cut out. */
  function greeted(message: XmlElement): void {
    for (const each of child(message, 'capabilities')?.children ?? []) capabilities.push(each.text);
    chunked = capabilities.includes(BASE[1]!);
    if (chunked) deframer.useChunks();
  }

  async function next(what: string, ms = ANSWER_MS): Promise<XmlElement> {
    const until = Date.now() + ms;
    for (;;) {
      const message = messages.shift();
      if (message !== undefined) return message;
      if (broken !== undefined) throw new SwitchFault(`${what}: ${broken}`);
      const left = until - Date.now();
      if (left <= 0) throw new NoAnswer(`${what}: no answer within ${ms / 1000} s`);
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  async function request(operation: string, ms?: number): Promise<XmlElement> {
    const id = ++number;
    const name = /^<([a-z-]+)/.exec(operation)?.[1] ?? 'rpc';
    channel.stdin!.write(frame(element('rpc', { xmlns: NETCONF, 'message-id': `${id}` }, operation), chunked));
    let reply = await next(name, ms);
    while (Number(reply.attributes['message-id']) < id) reply = await next(name, ms); // late, to a greeting sent twice
    if (reply.name !== 'rpc-reply' || reply.attributes['message-id'] !== `${id}`)
      throw new SwitchFault(`${name}: the answer is not one to this request`);
    const errors = reply.children.filter(
      (each) => each.name === 'rpc-error' && child(each, 'error-severity')?.text !== 'warning',
    );
    if (errors.length > 0)
      throw new SwitchFault(`${name} was refused: ${errors.map(errorText).join('; ')}`, { ran: 0 });
    return reply;
  }

  /**
   * A server may lose a request that arrives in one piece with our hello (netconfd 2.13 does), and nothing tells when it has read that.
   * So the first request asks for nothing, and is asked again.
   */
  async function greet(): Promise<void> {
    const until = Date.now() + ANSWER_MS;
    for (;;)
      try {
        await request('<get><filter type="subtree"/></get>', GREETING_MS);
        return;
      } catch (error) {
        if (!(error instanceof NoAnswer) || Date.now() > until) throw error;
      }
  }

  async function close(): Promise<void> {
    if (broken === undefined) await request('<close-session/>', FAREWELL_MS).catch(() => undefined);
    channel.stdin!.end();
    channel.kill();
  }

  try {
    const first = await next('hello');
    if (first.name !== 'hello' || !BASE.some((uri) => capabilities.includes(uri)))
      throw new SwitchFault('it did not say a NETCONF hello');
    await greet();
  } catch (error) {
    channel.kill();
    throw error;
  }
  return {
    can: (capability) =>
      capabilities.some((uri) => uri.startsWith(`urn:ietf:params:netconf:capability:${capability}:`)),
    request: (operation) => request(operation),
    close,
  };
}

/** RFC 6241, 4.3: the message, or the tag where there is none, and where in the configuration. */
function errorText(error: XmlElement): string {
  const message = child(error, 'error-message')?.text ?? child(error, 'error-tag')?.text ?? 'no reason given';
  const holder = at(error, 'error-info', 'session-id')?.text;
  const path = child(error, 'error-path')?.text ?? '';
  return `${message}${holder === undefined ? '' : ` (session ${holder})`}${path === '' ? '' : ` (${path})`}`;
}
