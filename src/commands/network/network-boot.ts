// What a network's DHCP tells machines that start from the network: the server and the file (options 66 and 67). Cosmic's parameters.
import * as param from '../../api/param.ts';
import type { DhcpOptions } from '../../model/dhcp-option.ts';
import type { Tables } from '../../store/schema.ts';
import { checkedOption, refuseOthersDhcp } from '../instance/dhcp-options.ts';

export const bootParams = {
  dhcptftpserver: param
    .text('Boot server that DHCP names to instances whose default network it is (option 66); empty for none')
    .optional(),
  dhcpbootfilename: param.text('Boot file that it names (option 67); empty for none').optional(),
};

interface BootWant {
  readonly dhcptftpserver?: string | undefined;
  readonly dhcpbootfilename?: string | undefined;
}

/** The network's options as its row keeps them, with what is wanted: an empty text takes one away. */
export function bootOptions(
  network: Pick<Tables['network'], 'name' | 'dhcpoptions'>,
  offering: Pick<Tables['networkoffering'], 'name' | 'services'>,
  { dhcptftpserver, dhcpbootfilename }: BootWant,
): string | null {
  const options: Record<string, string> = { ...optionsOf(network) };
  for (const [code, value] of [
    ['66', dhcptftpserver],
    ['67', dhcpbootfilename],
  ] as const) {
    if (value === undefined) continue;
    if (value === '') {
      delete options[code];
      continue;
    }
    refuseOthersDhcp(network.name, offering);
    options[code] = checkedOption(code, value);
  }
  return Object.keys(options).length === 0 ? null : JSON.stringify(options);
}

/** The same, as answers show them. */
export function bootFields(network: Pick<Tables['network'], 'dhcpoptions'>): BootWant {
  const options = optionsOf(network);
  return { dhcptftpserver: options['66'], dhcpbootfilename: options['67'] };
}

function optionsOf({ dhcpoptions }: Pick<Tables['network'], 'dhcpoptions'>): DhcpOptions {
  return dhcpoptions === null ? {} : (JSON.parse(dhcpoptions) as DhcpOptions);
}
