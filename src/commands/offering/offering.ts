// What offerings of all kinds have in common: they are for everybody, and clients list them with parameters meant for owned things.
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';

/** On create: asking to keep an offering for some is refused, never ignored. */
export const limitParams = {
  domainid: param.list('Not offered: offerings are for all domains', 'domain').optional(),
  zoneid: param.list('Not offered: offerings are for all zones', 'zone').optional(),
};

/** On list: offerings are everybody's, so whose and where makes no difference. */
export const sharedListParams = {
  zoneid: param.ref('zone', 'Offerings of this zone: all of them').optional(),
  domainid: param.ref('domain', 'Offerings of this domain: all of them').optional(),
  isrecursive: param.flag('Makes no difference').optional(),
  listall: param.flag('Makes no difference').optional(),
};

export function refuseLimits(
  want: { readonly domainid?: readonly string[] | undefined; readonly zoneid?: readonly string[] | undefined },
  what: string,
): void {
  if ((want.domainid?.length ?? 0) > 0) {
    throw refuse(
      'parameter',
      `A ${what} for some domains only is not offered: every tenant sees it. Leave domainid out`,
    );
  }
  if ((want.zoneid?.length ?? 0) > 0) {
    throw refuse(
      'parameter',
      `A ${what} for some zones only is not offered: it is good in every zone. Leave zoneid out`,
    );
  }
}

/** Enabled or Disabled by its name in any case. */
export function offeringState(text: string | undefined): 'Enabled' | 'Disabled' | undefined {
  if (text === undefined) return undefined;
  const state = (['Enabled', 'Disabled'] as const).find((name) => name.toLowerCase() === text.toLowerCase());
  if (state === undefined)
    throw refuse('parameter', `Incorrect state value: ${text}. Supported are: Enabled, Disabled`);
  return state;
}

/** `details[0].key=a&details[0].value=b` and `details[0].a=b` both mean {a: b}: as the column keeps it, null where there are none. */
export function detailsText(entries: readonly Readonly<Record<string, string>>[] | undefined): string | null {
  if (entries === undefined || entries.length === 0) return null;
  const pairs = entries.flatMap((entry) => {
    const { key, value } = entry as { readonly key?: string; readonly value?: string };
    return key !== undefined && value !== undefined ? [[key, value]] : Object.entries(entry);
  });
  return JSON.stringify(Object.fromEntries(pairs));
}
