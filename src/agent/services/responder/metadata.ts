// What an instance is told by HTTP: metadata and user data under CloudStack's paths, and its password by CloudStack's one-word
// protocol. Who asks is known by the address it asks from, which port security vouches for. Pure.
import type { GuestSpec } from './config.ts';

/** Status and body. */
export interface Told {
  readonly status: number;
  readonly body: string | Buffer;
}

const NOTHING: Told = { status: 404, body: 'not found\n' };

/** cloud-init asks for `latest`; others for the versions that Amazon's service had. */
const VERSION = /^(latest|1\.0|[0-9]{4}-[0-9]{2}-[0-9]{2})$/;

/** The answer to a GET of `path` by the instance at `address`. */
export function metadata(guest: GuestSpec, address: string, path: string): Told {
  const [first, second, third, ...more] = path
    .split('?')[0]!
    .split('/')
    .filter((part) => part !== '');
  if (first === undefined) return list(['latest']);
  if (!VERSION.test(first) || more.length > 0) return NOTHING;
  if (second === undefined) return list(['user-data', 'meta-data']);
  if (second === 'user-data' && third === undefined)
    return { status: 200, body: Buffer.from(guest.firstBoot.userData ?? '', 'base64') };
  if (second !== 'meta-data') return NOTHING;
  const entries = entriesOf(guest, address);
  if (third === undefined) return list([...entries.keys()]);
  const body = entries.get(third);
  return body === undefined ? NOTHING : { status: 200, body };
}

function list(names: readonly string[]): Told {
  return { status: 200, body: `${names.join('\n')}\n` };
}

/** CloudStack's names. */
export function entriesOf(
  { id, hostname, domain, firstBoot }: GuestSpec,
  address: string,
): ReadonlyMap<string, string> {
  const { publicIp, publicKeys } = firstBoot;
  return new Map([
    ['availability-zone', firstBoot.zone],
    ['cloud-identifier', 'CloudStack-{trunkline}'],
    ['instance-id', id],
    ['local-hostname', domain === '' ? hostname : `${hostname}.${domain}`],
    ['local-ipv4', address],
    ...(publicIp === undefined
      ? []
      : ([
          ['public-hostname', publicIp],
          ['public-ipv4', publicIp],
        ] as const)),
    ['public-keys', publicKeys.join('\n')],
    ['service-offering', firstBoot.offering],
    ['vm-id', id],
  ]);
}

export type PasswordRequest = 'give' | 'taken' | 'unknown';

/** What the header `DomU_Request` asks for: the password, or for it to be forgotten. */
export function passwordRequest(header: string | readonly string[] | undefined): PasswordRequest {
  switch (header) {
    case 'send_my_password':
      return 'give';
    case 'saved_password':
      return 'taken';
    default:
      return 'unknown';
  }
}
