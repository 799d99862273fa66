// The method and parameters of a stickiness policy as a client gives them, with the refusals.
import { refuse } from '../../api/error.ts';
import { METHODS, STICKINESS_GONE, STICKINESS_PARAMS, type StickinessMethod } from '../../model/stickiness.ts';
import type { LoadBalancer } from './balancer-view.ts';

type Refused = ReturnType<typeof refuse>;

function refused(text: string): Refused {
  return refuse('parameter', `Failed to create Stickiness policy: ${text}`);
}

/** `given`: entries with `name` and `value`. */
export function readStickiness(
  method: string,
  given: readonly Readonly<Record<string, string>>[],
  rule: Pick<LoadBalancer, 'name' | 'protocol'>,
): { readonly methodname: StickinessMethod; readonly params: Readonly<Record<string, string>> } {
  const methodname = METHODS.find((name) => name.toLowerCase() === method.toLowerCase());
  if (methodname === undefined) throw refused(`Invalid method ${method}. It can be ${METHODS.join(', ')}`);
  if (methodname !== 'SourceBased' && rule.protocol === 'udp')
    throw refused(`${methodname} needs HTTP, and load balancer rule ${rule.name} is for udp. Use SourceBased`);
  const params: Record<string, string> = {};
  for (const entry of given) {
    const name = (entry['name'] ?? '').toLowerCase();
    const value = entry['value'] ?? '';
    const gone = STICKINESS_GONE[name];
    if (gone !== undefined && methodname === 'AppCookie')
      throw refused(`parameter ${name} is not offered: ${gone}. Leave it out`);
    const known = STICKINESS_PARAMS[methodname].find((one) => one.name === name);
    if (known === undefined) {
      const names = STICKINESS_PARAMS[methodname].map((one) => one.name);
      throw refused(`parameter ${name.slice(0, 80)} is unknown for ${methodname}. It can have ${names.join(', ')}`);
    }
    const wrong = value === '' ? undefined : known.refuses(value);
    if (wrong !== undefined) throw refused(`parameter ${name} ${wrong}, not ${value.slice(0, 80)}`);
    params[name] = value;
  }
  if (params['mode'] === 'rewrite' && params['indirect']?.toLowerCase() === 'true')
    throw refused(
      'mode rewrite and indirect exclude each other: members set the cookie that is rewritten, so they see it',
    );
  return { methodname, params };
}
