// Wraps answers and errors the way clients take them apart: one top-level key, the HTTP status equal to the error code.
import { type Command, envelopeOf } from './command.ts';
import { Refusal } from './error.ts';
import { toXml } from './xml.ts';

export type Format = 'json' | 'xml';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json; charset=UTF-8',
  xml: 'text/xml; charset=UTF-8',
};

/** The name of the envelope where no command of ours was recognised. */
export const UNKNOWN = 'errorresponse';

/** A command's answer. */
export function success(command: Command, body: Readonly<Record<string, unknown>>, format: Format): Reply {
  return reply(200, envelopeOf(command), body, format);
}

/** A refusal as the client sees it. `command` names the envelope. */
export function failure(command: Command | undefined, refusal: Refusal, format: Format): Reply {
  const { status, cserrorcode, message } = refusal;
  const name = command === undefined ? UNKNOWN : envelopeOf(command);
  const body = { uuidList: [], errorcode: status, cserrorcode, errortext: message };
  return reply(status, name, body, format, { 'X-Description': headerText(message) });
}

/** What is said of an error of our own: nothing but that there was one. The log has the rest, under the request's id. */
export function internal(): Refusal {
  return new Refusal('internal', 'Internal error executing command, please contact your system administrator');
}

function reply(
  status: number,
  name: string,
  body: Readonly<Record<string, unknown>>,
  format: Format,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status,
    headers: {
      ...headers,
      'Content-Type': TYPES[format],
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    },
    body: format === 'json' ? JSON.stringify({ [name]: body }) : toXml(name, body),
  };
}

/** A header holds Latin text in one line. */
function headerText(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]/g, '?').slice(0, 1000);
}
