// conntrackd's file: tracked connections go to the peers' kernels at once, so that sessions survive a takeover. Pure.
import type { RouterSpec } from '../../protocol/document.ts';
import type { RouterContext } from './names.ts';
import { withSix } from './six.ts';

const PORT = 3780;
/** Where there is more than one peer (conntrackd(8) speaks to one address, or to a group). */
const GROUP = '225.0.0.50';

/** The file; undefined without peers. */
export function conntrackdConf(specs: readonly RouterSpec[], context: RouterContext): string | undefined {
  const peers = [...new Set(specs.flatMap((spec) => spec.peerNodes.map(({ underlayIp }) => underlayIp)))].toSorted();
  const [peer] = peers;
  if (peer === undefined) return undefined;
  const { directory, underlay } = context;
  const six = withSix(specs).length > 0;
  const channel =
    peers.length === 1
      ? ['  UDP {', `    IPv4_address ${underlay.ip}`, `    IPv4_Destination_Address ${peer}`, `    Port ${PORT}`]
      : ['  Multicast {', `    IPv4_address ${GROUP}`, `    Group ${PORT}`, `    IPv4_interface ${underlay.ip}`];
  return [
    '# Written by trunkline; changes are undone.',
    'Sync {',
    '  Mode FTFW {',
    '    DisableExternalCache on',
    '    StartupResync on',
    '  }',
    ...channel,
    `    Interface ${underlay.device}`,
    ...(context.privileged ? ['    SndSocketBuffer 1249280', '    RcvSocketBuffer 1249280'] : []),
    '    Checksum on',
    '  }',
    '}',
    'General {',
    '  HashSize 32768',
    '  HashLimit 131072',
    `  LogFile ${directory}/conntrackd.log`,
    `  LockFile ${directory}/conntrackd.lock`,
    '  UNIX {',
    `    Path ${directory}/conntrackd.ctl`,
    '  }',
    '  NetlinkBufferSize 2097152',
    '  NetlinkBufferSizeMaxGrowth 8388608',
    '  Filter From Userspace {',
    '    Protocol Accept {',
    '      TCP',
    '      UDP',
    '      ICMP',
    ...(six ? ['      IPv6-ICMP'] : []),
    '    }',
    '    Address Ignore {',
    '      IPv4_address 127.0.0.1',
    ...(six ? ['      IPv6_address ::1'] : []),
    ...[underlay.ip, ...peers].map((address) => `      IPv4_address ${address}`),
    '    }',
    '  }',
    '}',
    '',
  ].join('\n');
}
