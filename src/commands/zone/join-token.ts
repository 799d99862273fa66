// Join tokens: what lets a new host in, once. It names the host, proves the server to it, and holds a secret of which only
// a hash is kept here. What the host is for, hypervisor or router, is said with its first token and stays.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { encodeToken } from '../../protocol/document.ts';
import { hashSecret } from '../../store/hosts.ts';
import { existing } from '../access.ts';
import { type Plan, writeCommand } from '../room.ts';

export const joinTokenView = z.object({
  token: field.string('the token: shown this once; give it to the agent of the host'),
  name: field.string('the host it lets in'),
  kind: field.string('what the host is for: hypervisor, router, gateway or witness'),
  expires: field.date('until when it can be used'),
});

const TOKEN_MINUTES = 60;

/** What a host can be for. A router carries no instances: it routes for networks whose offering says LinuxRouter. */
const KINDS = ['hypervisor', 'router', 'gateway', 'witness'] as const;

/** Bound to the house by hand: the token names the agent channel's certificate, which only the house knows. */
export const createJoinToken: Plan = (house) =>
  writeCommand({
    name: 'createJoinToken',
    summary: 'Makes a token that lets a host join; again for the same host, it replaces the one before',
    roles: ROOT,
    event: 'HOST.JOINTOKEN.CREATE',
    answer: { kind: 'object', key: 'jointoken', view: joinTokenView },
    params: z.object({
      name: param.text('Name of the host: lower-case letters, digits, dash and dot', 63),
      zoneid: param.ref('zone', 'Its zone').optional(),
      ipaddress: param.address('Address of its tunnel endpoint').optional(),
      kind: param
        .text(
          'What it is for: hypervisor (where it is left out); router: routes for networks with Linux alone; gateway: carries the public side of OVN routers; witness: lets a group of two gateways know which of them is cut off',
        )
        .optional(),
    }),
    async write(room, want) {
      if (house.caFingerprint === undefined) {
        throw refuse('unavailable', 'This server has no agent channel, so no host can join it. Start it with one');
      }
      if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(want.name)) {
        throw refuse(
          'parameter',
          `Invalid host name ${want.name}: use lower-case letters, digits, dashes and dots, and begin and end with a letter or digit`,
        );
      }
      const kind = want.kind === undefined ? undefined : readKind(want.kind);
      const secret = randomBytes(32).toString('base64url');
      const expires = new Date(Date.now() + TOKEN_MINUTES * 60_000).toISOString();
      const known = await room.db.selectFrom('host').selectAll().where('name', '=', want.name).executeTakeFirst();
      const other =
        want.ipaddress === undefined
          ? undefined
          : await room.db
              .selectFrom('host')
              .select('name')
              .where('underlayip', '=', want.ipaddress)
              .where('name', '!=', want.name)
              .executeTakeFirst();
      if (other !== undefined)
        throw refuse('parameter', `${want.ipaddress} is the address of host ${other.name}; each host has its own`);
      const kept = { secret: hashSecret(secret), secretexpires: expires };
      if (known === undefined) {
        if (want.ipaddress === undefined) throw missing('ipaddress');
        if (want.zoneid === undefined) throw missing('zoneid');
        const zone = await existing(room, 'zone', want.zoneid, 'zoneid');
        await room.tx.insert('host', {
          id: newId(),
          zone: zone.id,
          name: want.name,
          underlayip: want.ipaddress,
          state: 'Connecting',
          resourcestate: 'Enabled',
          ...kept,
          serial: null,
          facts: null,
          lastseen: null,
          kind: kind ?? 'hypervisor',
          created: new Date().toISOString(),
        });
      } else {
        if (kind !== undefined && kind !== known.kind) {
          throw refuse(
            'parameter',
            `Host ${known.name} is a ${known.kind} and cannot become a ${kind}: delete it first, or leave kind out`,
          );
        }
        if (want.zoneid !== undefined && want.zoneid !== known.zone) {
          throw refuse(
            'parameter',
            `Host ${known.name} is in zone ${known.zone} and cannot move to zone ${want.zoneid}: delete it there first`,
          );
        }
        // A token alone changes nothing on the network: no generation for it.
        await room.db.updateTable('host').set(kept).where('id', '=', known.id).execute();
        if (want.ipaddress !== undefined && want.ipaddress !== known.underlayip) {
          await room.tx.update('host', known.id, { underlayip: want.ipaddress });
        }
      }
      const token = encodeToken({ node: want.name, secret, ca: house.caFingerprint });
      return {
        jointoken: {
          token,
          name: want.name,
          kind: known?.kind ?? kind ?? 'hypervisor',
          expires: field.clientDate(expires),
        },
      };
    },
  })(house);

function readKind(text: string): (typeof KINDS)[number] {
  const kind = KINDS.find((name) => name === text.toLowerCase());
  if (kind === undefined) throw refuse('parameter', `Invalid kind ${text}: a host is one of ${KINDS.join(', ')}`);
  return kind;
}

function missing(name: string): Error {
  return refuse(
    'parameter',
    `Unable to execute API command createjointoken due to missing parameter ${name}: the host is new here`,
  );
}
