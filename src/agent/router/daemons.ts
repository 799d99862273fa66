// Which daemons a router node runs for its networks, with their files and how they are started: at most one of each, however many
// networks there are.
import type { RouterSpec } from '../../protocol/document.ts';
import { conntrackdConf } from './conntrackd.ts';
import type { Daemon, DaemonFile } from './daemon.ts';
import { dnsmasqFiles } from './dnsmasq.ts';
import { haproxyConf } from './haproxy.ts';
import { keepalivedConf } from './keepalived.ts';
import type { RouterContext } from './names.ts';

export function daemonsOf(specs: readonly RouterSpec[], context: RouterContext): Daemon[] {
  const { directory } = context;
  const path = (name: string): string => `${directory}/${name}`;
  const files = (text: string | undefined, file: Omit<DaemonFile, 'content'>): DaemonFile[] | undefined =>
    text === undefined ? undefined : [{ ...file, content: text }];
  const dnsmasq = dnsmasqFiles(specs, context);
  const haproxy = haproxyConf(specs, context);
  return [
    {
      name: 'keepalived',
      purpose: 'gateways that go from node to node',
      files: files(keepalivedConf(specs, context), {
        path: path('keepalived.conf'),
        check: ['keepalived', '-t', '-f'],
        load: 'signal',
      }),
      // Without IPVS in the kernel its second half ends the whole (keepalived 2.2: "FATAL").
      start: [path('guard'), 'start', ...(context.ipvs ? [] : ['--vrrp'])],
      signal: 'HUP',
    },
    {
      name: 'dnsmasq',
      purpose: 'addresses and names',
      files:
        dnsmasq === undefined
          ? undefined
          : [
              { path: path('dnsmasq.hosts'), content: dnsmasq.hosts, load: 'signal' },
              { path: path('dnsmasq.names'), content: dnsmasq.names, load: 'signal' },
              {
                path: path('dnsmasq.conf'),
                content: dnsmasq.conf,
                check: ['dnsmasq', '--test', '-C'],
                load: 'restart',
              },
            ],
      // Where nobody may change groups, only its debugging mode leaves them alone; it stays in the foreground then.
      ...(context.privileged ? {} : { output: path('dnsmasq.log') }),
      start: [
        'dnsmasq',
        ...(context.privileged ? [] : ['--no-daemon']),
        '-C',
        path('dnsmasq.conf'),
        `--pid-file=${path('dnsmasq.pid')}`,
      ],
      signal: 'HUP',
    },
    {
      name: 'haproxy',
      purpose: 'balancers of connections',
      files: files(haproxy?.content, {
        path: path('haproxy.conf'),
        check: ['haproxy', '-c', '-f'],
        load: 'signal',
      }),
      start: ['haproxy', '-W', '-D', '-f', path('haproxy.conf'), '-p', path('haproxy.pid')],
      signal: 'USR2',
      ...(haproxy === undefined ? {} : { ready: haproxy.ready }),
    },
    {
      name: 'conntrackd',
      purpose: 'sessions that survive a takeover',
      files: files(conntrackdConf(specs, context), { path: path('conntrackd.conf'), load: 'restart' }),
      start: ['conntrackd', '-d', '-C', path('conntrackd.conf')],
      signal: undefined,
    },
  ];
}

/** Files of the daemons, whatever is wanted now: what to look at and what to remove. */
export const DAEMON_FILES = {
  keepalived: ['keepalived.conf'],
  dnsmasq: ['dnsmasq.conf', 'dnsmasq.hosts', 'dnsmasq.names'],
  haproxy: ['haproxy.conf'],
  conntrackd: ['conntrackd.conf'],
} as const;
