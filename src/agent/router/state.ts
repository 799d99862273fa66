// What can be said of a network on this node: who holds its gateway, and what keeps it from being well. Pure.
import { cidr, formatCidr, formatHost, ip, isPrivate } from '../../lib/ip.ts';
import type { RouterSpec, RouterStatus } from '../../protocol/document.ts';
import { insideDevice, instanceOf, isPair, outsideDevices, spoken, type RouterContext } from './names.ts';
import { wayOut } from './item.ts';
import type { Actual } from './read.ts';
import { byNft } from './translation.ts';

export type State = RouterStatus['state'];

/** MASTER is who holds the gateway; keepalived's own word counts only for what cannot be seen. */
export function stateOf(spec: RouterSpec, actual: Actual, context: RouterContext): State {
  const device = insideDevice(spec.vlan, context);
  if ([context.inside, device, ...outsideDevices(spec, context)].some((name) => !works(name, actual))) return 'FAULT';
  const host = formatHost(ip(spec.gateway), cidr(spec.cidr));
  const here = actual.addresses.some((one) => one.device === device && one.address === host);
  if (!isPair(spec)) return here ? 'MASTER' : 'FAULT';
  if (!keepalivedRuns(actual)) return 'FAULT';
  if (here) return 'MASTER';
  const said = actual.notes.get(`state.${instanceOf(spec)}`)?.trim();
  return said === 'FAULT' || said === 'STOP' ? 'FAULT' : 'BACKUP';
}

export function keepalivedRuns(actual: Actual): boolean {
  return (actual.daemons.get('keepalived')?.pids.length ?? 0) > 0;
}

function works(device: string, actual: Actual): boolean {
  const link = actual.links.get(device);
  return link?.up === true && link.carrier;
}

/** What is wrong and is nothing the node can put right: sentences that begin with its name. */
export function lasting(spec: RouterSpec, actual: Actual, context: RouterContext): string[] {
  const { node, inside } = context;
  const found: string[] = [];
  for (const device of new Set([inside, ...outsideDevices(spec, context)])) {
    const link = actual.links.get(device);
    const what =
      link === undefined ? 'does not exist' : !link.up ? 'is set down' : link.carrier ? undefined : 'has no carrier';
    const effect = device === inside ? 'no network is reached through it' : 'nothing gets outside or in';
    if (what !== undefined) found.push(`${node}: ${device} ${what}: ${effect}`);
  }
  if (wayOut(spec, context) === undefined && spec.mode === 'NATTED')
    found.push(`${node}: network ${spoken(spec.name)} has no public address: nothing of it gets outside`);
  if (spec.six !== undefined && spec.six.uplink === undefined)
    found.push(
      `${node}: network ${spoken(spec.name)} has IPv6 and no way out in it: no public range has an IPv6 prefix (createVlanIpRange with ip6cidr and ip6gateway)`,
    );
  if (spec.mode === 'ROUTED' && isPrivate(cidr(spec.cidr)))
    found.push(
      `${node}: network ${spoken(spec.name)} is routed and nobody translates it, but its addresses ${formatCidr(cidr(spec.cidr))} are private (RFC 1918): who is outside has no way to them unless the routers there are told that they are behind ${node}`,
    );
  for (const { ip: address, balancers } of spec.publicAddresses)
    for (const balancer of balancers.filter((one) => byNft(one, context.ipvs))) {
      const where = `${node}: the balancer ${address}:${balancer.publicPort}/udp`;
      if (balancer.algorithm === 'leastconn')
        found.push(`${where} takes turns: without IPVS in the kernel nobody counts its connections`);
      if (balancer.check !== undefined)
        found.push(`${where} checks nobody's health: without IPVS in the kernel its members are taken as they are`);
    }
  return found;
}
