// Switches that speak NETCONF: all changes go into the candidate, are validated, and committed for a short while only. The review
// reads them back and confirms; if we lose the switch in between, it undoes the commit by itself (RFC 6241, 8.3 to 8.6).
import { SWITCH_OPTIONS } from '../protocol/switch-options.ts';
import { type SwitchDriver, SwitchFault } from './driver.ts';
import { type NetconfSession, openNetconf } from './netconf-session.ts';
import type { PortChange } from './plan.ts';
import { editOf, FILTER, portsOf, stepOf } from './openconfig.ts';
import { optionsOf } from './options.ts';
import { openSsh } from './ssh.ts';
import { child, element } from './xml.ts';

/** Seconds a commit lasts unless it is confirmed: enough to read back twice. */
const CONFIRM_SECONDS = 30;
/** RFC 6242, 3: the port of NETCONF over SSH. */
const PORT = 830;

export const netconfDriver: SwitchDriver = {
  name: 'netconf',
  portName: /^[A-Za-z][A-Za-z0-9/.:_-]{0,63}$/,
  portExample: 'letters, digits and / . : _ -, such as ethernet-1/7',
  commandsFor: (document, change) => [stepOf(change, document.nativeVlan)],
  async open(document, signal) {
    const { user, hostKey, validate } = optionsOf(document, SWITCH_OPTIONS.netconf);
    const link = await openSsh(document, { user, hostKey }, PORT, signal);
    const session = await openNetconf(link.subsystem('netconf'));
    let locked = false;
    let unconfirmed = false;
    const prepare = async (changes: readonly PortChange[]): Promise<void> => {
      if (!session.can('candidate'))
        throw new SwitchFault(
          'it has no candidate configuration, without which a change cannot be tried out and undone',
        );
      // Refused while somebody else holds it or has left something uncommitted in it. Not running as well: netconfd 2.13 would not
      // roll back a configuration that is locked.
      await session.request(element('lock', {}, target('candidate')));
      locked = true;
      await session.request(
        element(
          'edit-config',
          {},
          target('candidate'),
          element('error-option', {}, session.can('rollback-on-error') ? 'rollback-on-error' : 'stop-on-error'),
          element('config', {}, editOf(changes, document.nativeVlan)),
        ),
      );
      if (validate && session.can('validate'))
        await session.request(element('validate', {}, element('source', {}, '<candidate/>')));
    };
    return {
      async read() {
        const reply = await session.request(element('get', {}, element('filter', { type: 'subtree' }, FILTER)));
        return { ports: portsOf(child(reply, 'data')), neighbours: [], macs: [] };
      },
      async run(changes) {
        await prepare(changes).catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          // Whatever is in the candidate, it was not committed.
          throw new SwitchFault(why, { cause: error, ran: 0 });
        });
        unconfirmed = session.can('confirmed-commit');
        await session.request(
          unconfirmed
            ? element('commit', {}, '<confirmed/>', element('confirm-timeout', {}, `${CONFIRM_SECONDS}`))
            : '<commit/>',
        );
      },
      async keep() {
        if (unconfirmed) await session.request('<commit/>');
        unconfirmed = false;
        if (session.can('startup'))
          await session.request(element('copy-config', {}, target('startup'), element('source', {}, '<running/>')));
      },
      async close() {
        if (unconfirmed) await session.request('<cancel-commit/>').catch(() => undefined);
        if (locked) await release(session);
        await session.close();
      },
    };
  },
};

function target(store: string): string {
  return element('target', {}, `<${store}/>`);
}

/** Gives the lock back and leaves no half-written candidate. What is not confirmed is undone when the session ends. */
async function release(session: NetconfSession): Promise<void> {
  await session.request('<discard-changes/>').catch(() => undefined);
  await session.request(element('unlock', {}, target('candidate'))).catch(() => undefined);
}
