// A Linux switch over SSH: a VLAN-aware bridge, as on Cumulus, SONiC or DENT, read and set with iproute2's `bridge` (bridge(8)).
import { LINUX_DEVICE, SWITCH_OPTIONS } from '../protocol/switch-options.ts';
import type { SwitchDocument, SwitchStep } from '../protocol/switch.ts';
import { type SwitchDriver, SwitchFault } from './driver.ts';
import { addressesOf, checkFilters, portsOf } from './linux-read.ts';
import { neighboursOf } from './lldp.ts';
import { optionsOf } from './options.ts';
import type { PortChange } from './plan.ts';
import { differenceOf, needs, noLonger } from './reason.ts';
import { type Answer, lineOf } from './remote.ts';
import { openSsh } from './ssh.ts';
import { rangeWords } from './vlans.ts';

export const linuxDriver: SwitchDriver = {
  name: 'linux',
  portName: LINUX_DEVICE,
  portExample: 'an interface of at most 15 letters, digits, dots and dashes, such as swp1',
  commandsFor,
  async open(document, signal) {
    const { bridge, sudo, ...login } = optionsOf(document, SWITCH_OPTIONS.linux);
    const link = await openSsh(document, login, 22, signal);
    const own = sudo ? ['sudo', '-n'] : [PATH];
    const ask = async (commands: readonly (readonly string[])[], stop: boolean): Promise<readonly Answer[]> => {
      const { answers, said } = await link.run(
        commands.map((words) => [...own, ...words]),
        stop,
      );
      const failed = commands.findIndex((words, index) => answers[index]?.code !== 0 && words[0] !== LLDP);
      if (failed < 0) return answers;
      throw new SwitchFault(
        `"${lineOf(commands[failed]!)}" failed there: ${said || `exit status ${answers[failed]?.code}`}`,
        { ran: failed },
      );
    };
    return {
      async read() {
        const [self] = await ask([['ip', '-j', '-d', 'link', 'show', 'dev', bridge]], true);
        checkFilters(self!.stdout, bridge);
        const questions = [
          ['ip', '-j', 'link', 'show', 'master', bridge],
          ['bridge', '-j', 'vlan', 'show'],
          ['bridge', '-j', 'fdb', 'show', 'br', bridge],
          [LLDP, '-f', 'json0', 'show', 'neighbors'],
        ];
        const [links = '', vlans = '', addresses = '', neighbours = ''] = (await ask(questions, false)).map(
          ({ stdout }) => stdout,
        );
        return { ports: portsOf(links, vlans), neighbours: neighboursOf(neighbours), macs: addressesOf(addresses) };
      },
      async run(changes) {
        await ask(
          changes.flatMap((change) => commandsFor(document, change)).map(({ argv }) => argv),
          true,
        );
      },
      close: () => Promise.resolve(),
    };
  },
};

/** New VLANs first, so that a port is never without any in between. */
function commandsFor(_document: SwitchDocument, change: PortChange): readonly SwitchStep[] {
  const port = change.spec.name;
  const { untagged, add, remove } = differenceOf(change);
  const step = (words: readonly string[], reason: string): SwitchStep => ({
    port,
    argv: ['bridge', 'vlan', ...words],
    reason,
  });
  return [
    ...(untagged === undefined
      ? []
      : [step(['add', 'dev', port, 'vid', `${untagged}`, 'pvid', 'untagged'], needs(change, untagged, 'untagged'))]),
    ...add.map((vlan) => step(['add', 'dev', port, 'vid', `${vlan}`], needs(change, vlan, 'tagged'))),
    ...rangeWords(remove).map((range) => step(['del', 'dev', port, 'vid', range], noLonger(remove))),
  ];
}

/**
 * Folders of system programs, which the shell of a plain SSH login often lacks. An assignment in front, not `env`: BusyBox's would run
 * its own applets instead of iproute2.
 */
const PATH = 'PATH=/usr/sbin:/sbin:/usr/bin:/bin';

/** A switch without it has no neighbours to tell of: the one command that may fail. */
const LLDP = 'lldpcli';
