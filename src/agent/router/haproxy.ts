// haproxy's file: balancers of connections where the kernel has no IPVS. Members see the router's address as the client's. Pure.
import type { BalancerSpec, PublicAddressSpec, RouterSpec } from '../../protocol/document.ts';
import { DEFAULT_CHECK } from './keepalived.ts';
import type { RouterContext } from './names.ts';
import { byHaproxy } from './translation.ts';

/** The file; undefined without balancers. */
export function haproxyConf(specs: readonly RouterSpec[], context: RouterContext): string | undefined {
  const sections = specs.flatMap((spec) =>
    spec.publicAddresses.flatMap((address) =>
      address.balancers.filter((one) => byHaproxy(one, context.ipvs)).flatMap((one) => section(address, one)),
    ),
  );
  if (sections.length === 0) return undefined;
  return [
    '# Written by trunkline; changes are undone.',
    'global',
    ...(context.canDropRoot ? ['  user haproxy', '  group haproxy'] : []),
    // As many connections as the limit of open files allows, but no more than this: where that is very high it costs memory.
    '  fd-hard-limit 50000',
    // Connections of before a reload may last this long with the old members.
    '  hard-stop-after 1h',
    `  stats socket ${context.directory}/haproxy.sock mode 600 level admin expose-fd listeners`,
    'defaults',
    '  mode tcp',
    '  timeout connect 2s',
    '  timeout client 1h',
    '  timeout server 1h',
    '  retries 2',
    '  option redispatch 1',
    ...sections,
    '',
  ].join('\n');
}

function section(address: PublicAddressSpec, balancer: BalancerSpec): string[] {
  const { id, publicPort, algorithm, sticky, members } = balancer;
  const check = { ...DEFAULT_CHECK, ...balancer.check };
  const every = ms(check.intervalSeconds);
  const soon = ms(Math.min(check.intervalSeconds, 0.1));
  const health = `check inter ${every} fastinter ${soon} downinter ${every} fall ${check.unhealthy} rise ${check.healthy}`;
  return [
    `listen lb-${id}`,
    `  bind ${address.ip}:${publicPort}`,
    `  balance ${algorithm}`,
    `  timeout check ${ms(check.timeoutSeconds)}`,
    ...(sticky ? ['  stick-table type ip size 100k expire 30m', '  stick on src'] : []),
    ...members.map(({ ip, port }) => `  server m-${ip}-${port} ${ip}:${port} ${health}`),
  ];
}

function ms(seconds: number): string {
  return `${Math.max(1, Math.round(seconds * 1000))}ms`;
}
