// Who may use a switch port: granted to a domain with all below it, or to one account; taken back when nothing is attached by it.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import { type Room, type WriteRoom, writeCommand } from '../room.ts';
import { detach } from './member-detach.ts';
import { refuseAttached } from './switch-port.ts';
import { showSwitchPorts, switchPortView } from './switch-port-view.ts';

type Port = Tables['switchport'];

export const grantSwitchPort = writeCommand({
  name: 'grantSwitchPort',
  summary: 'Lets a domain, or one account, attach devices by a switch port',
  roles: ROOT,
  event: 'SWITCH.PORT.GRANT',
  answer: { kind: 'object', key: 'switchport', view: switchPortView },
  params: z.object({
    id: param.ref('switchport', 'The port'),
    domainid: param.ref('domain', 'The domain; those below it may use the port, too'),
    account: param.text('One account of that domain, and nobody else').optional(),
  }),
  async write(room, want) {
    const port = await existing(room, 'switchport', want.id);
    if (port.role !== 'access') {
      throw refuse(
        'parameter',
        `Port ${port.name} cannot be granted: its role is ${port.role}, and only access ports are for tenants' devices`,
      );
    }
    const domain = await existing(room, 'domain', want.domainid, 'domainid');
    const account = want.account === undefined ? null : await accountIn(room, domain, want.account);
    if (port.domain === domain.id && port.account === account)
      return { switchport: (await showSwitchPorts(room, [port]))[0] };
    await refuseAttached(room, port, 'grant it to somebody else');
    await unplugDevices(room, port);
    const patch = { domain: domain.id, account };
    await room.tx.update('switchport', port.id, patch);
    return { switchport: (await showSwitchPorts(room, [{ ...port, ...patch }]))[0] };
  },
});

async function accountIn(room: Room, domain: Tables['domain'], name: string): Promise<string> {
  const account = await room.db
    .selectFrom('account')
    .select('id')
    .where('domain', '=', domain.id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (account === undefined) throw refuse('parameter', `Unable to find account ${name} in domain ${domain.id}`);
  return account.id;
}

export const revokeSwitchPort = writeCommand({
  name: 'revokeSwitchPort',
  summary: 'Takes a switch port back from those it was granted to',
  roles: ROOT,
  event: 'SWITCH.PORT.REVOKE',
  answer: { kind: 'object', key: 'switchport', view: switchPortView },
  params: z.object({
    id: param.ref('switchport', 'The port'),
    forced: param.flag('Detach what is attached by it, whatever needs it').optional(),
  }),
  async write(room, want) {
    const port = await existing(room, 'switchport', want.id);
    if (port.domain === null) throw refuse('parameter', `Port ${port.name} is granted to nobody`);
    if (want.forced !== true) await refuseAttached(room, port, 'take it back');
    const members = await room.db.selectFrom('member').selectAll().where('switchport', '=', port.id).execute();
    for (const member of members) await detach(room, member);
    await unplugDevices(room, port);
    await room.tx.update('switchport', port.id, { domain: null, account: null });
    return { switchport: (await showSwitchPorts(room, [{ ...port, domain: null, account: null }]))[0] };
  },
});

/** Devices that were said to be plugged in at the port: whoever has it now must not learn of them. */
async function unplugDevices({ tx }: WriteRoom, port: Port): Promise<void> {
  const devices = await tx.db.selectFrom('device').select('id').where('switchport', '=', port.id).execute();
  for (const { id } of devices) await tx.update('device', id, { switchport: null });
}
