// keepalived's file: one VRRP instance a network that two nodes share, and the kernel's balancers where it has IPVS. Pure.
import { cidr, formatHost, ip } from '../../lib/ip.ts';
import type { BalancerSpec, PublicAddressSpec, RouterSpec } from '../../protocol/document.ts';
import { DEFAULT_CHECK } from '../haproxy.ts';
import { OURS6 } from './ip-words.ts';
import {
  insideDevice,
  instanceOf,
  isPair,
  labelOf,
  outsideDevice,
  outsideDevices,
  type RouterContext,
} from './names.ts';
import { type Address6, addresses6 } from './six.ts';
import { byHaproxy } from './translation.ts';

/** Every network has its own VLAN, so the number need not differ between them; 250 is far from what tenants take for theirs. */
const VIRTUAL_ROUTER = 250;

/** The file; undefined when nothing needs keepalived. */
export function keepalivedConf(specs: readonly RouterSpec[], context: RouterContext): string | undefined {
  const pairs = specs.filter(isPair);
  const servers = context.ipvs ? specs.flatMap((spec) => spec.publicAddresses.flatMap(virtualServers)) : [];
  if (pairs.length === 0 && servers.length === 0) return undefined;
  return [
    '# Written by trunkline; changes are undone.',
    'global_defs {',
    `  router_id ${context.node}`,
    '  script_user root',
    '  enable_script_security',
    '  dynamic_interfaces allow_if_changes',
    '  vrrp_version 3',
    '  vrrp_garp_master_delay 1',
    '  vrrp_garp_master_repeat 3',
    '  vrrp_garp_master_refresh 30',
    '  max_auto_priority 50',
    '}',
    ...pairs.flatMap((spec) => instance(spec, context)),
    ...servers,
    '',
  ].join('\n');
}

/**
 * The gateway alone is announced: keepalived drops advertisements whose addresses differ from its own, and while the public
 * addresses of a network change the two nodes differ, which would make both masters.
 */
function instance(spec: RouterSpec, context: RouterContext): string[] {
  const device = insideDevice(spec.vlan, context);
  // One election for both families: they never part.
  const excluded = [
    ...spec.publicAddresses.map((address) => publicLine(address, context)),
    ...addresses6(spec, context).map(sixLine),
  ];
  const tracked = [...new Set([context.inside, context.outside, ...outsideDevices(spec, context)])];
  return [
    `vrrp_instance ${instanceOf(spec)} {`,
    '  state BACKUP',
    `  interface ${device}`,
    `  virtual_router_id ${VIRTUAL_ROUTER}`,
    `  priority ${spec.priority}`,
    '  advert_int 0.1',
    // Time for conntrackd to have the sessions before the old master takes its addresses back.
    '  preempt_delay 3',
    `  unicast_src_ip ${spec.ip}`,
    '  unicast_peer {',
    ...spec.peers.map((peer) => `    ${peer}`),
    '  }',
    '  track_interface {',
    ...tracked.map((name) => `    ${name}`),
    '  }',
    '  virtual_ipaddress {',
    `    ${formatHost(ip(spec.gateway), cidr(spec.cidr))} dev ${device}`,
    '  }',
    ...(excluded.length === 0 ? [] : ['  virtual_ipaddress_excluded {', ...excluded, '  }']),
    `  notify ${context.directory}/notify`,
    '}',
  ];
}

function publicLine({ ip: address, vlan }: PublicAddressSpec, context: RouterContext): string {
  const device = outsideDevice(vlan, context);
  return `    ${address}/32 dev ${device} label ${labelOf(device)}`;
}

function sixLine({ host, device, words }: Address6): string {
  return [`    ${host} dev ${device}`, ...(words.includes(' label ') ? OURS6 : [])].join(' ');
}

const ALGORITHMS = { roundrobin: 'rr', leastconn: 'lc', source: 'sh' } as const;
const STICKY_SECONDS = 1800;

function virtualServers(address: PublicAddressSpec): string[] {
  return address.balancers
    .filter((balancer) => !byHaproxy(balancer, true))
    .flatMap((balancer) => virtualServer(address.ip, balancer));
}

function virtualServer(address: string, balancer: BalancerSpec): string[] {
  const { publicPort, protocol, algorithm, sticky, stickySeconds = STICKY_SECONDS, members } = balancer;
  if (members.length === 0) return [];
  const { intervalSeconds, timeoutSeconds, unhealthy } = { ...DEFAULT_CHECK, ...balancer.check };
  return [
    `virtual_server ${address} ${publicPort} {`,
    `  delay_loop ${intervalSeconds}`,
    `  lb_algo ${ALGORITHMS[algorithm]}`,
    '  lb_kind NAT',
    ...(sticky ? [`  persistence_timeout ${stickySeconds}`] : []),
    `  protocol ${protocol.toUpperCase()}`,
    ...members.flatMap(({ ip: member, port }) => [
      `  real_server ${member} ${port} {`,
      ...(protocol === 'udp'
        ? []
        : [
            '    TCP_CHECK {',
            `      connect_timeout ${timeoutSeconds}`,
            `      retry ${unhealthy - 1}`,
            `      delay_before_retry ${Math.min(intervalSeconds, 0.1)}`,
            '    }',
          ]),
      '  }',
    ]),
    '}',
  ];
}
