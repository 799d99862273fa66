// The routes that a network behind a device takes, each as a fact of its own: what the VPN tells its client, what the device knows and
// forwards, what is behind the client, and the way back from the instance. Any one that lacks is enough for silence. Pure.
import type { ProbeReport } from '../../protocol/document.ts';
import { cidr, contains, ip, netmask } from '../../lib/ip.ts';
import type { RouteNames } from './route-judgement.ts';

export interface RouteFact {
  readonly name: 'device' | 'pushedroute' | 'forwarding' | 'iroute' | 'returnroute';
  /** Where it has to be. */
  readonly hop: string;
  /** unknown: it cannot be seen from here. */
  readonly state: 'good' | 'bad' | 'unknown';
  readonly text: string;
  readonly repair?: string;
}

/** What an answer of a node says of each. */
export function factsOf(seen: ProbeReport, names: RouteNames): RouteFact[] {
  return [
    deviceFact(seen, names),
    pushedFact(seen, names),
    forwardingFact(seen, names),
    irouteFact(seen, names),
    returnFact(seen, names),
  ];
}

/** Whether something came back from behind the device: then all routes there and back up to that point hold. */
function cameBack({ targetAnswers, unreachableBy }: ProbeReport, { routeCidr }: RouteNames): boolean {
  return targetAnswers || (unreachableBy !== undefined && contains(cidr(routeCidr), ip(unreachableBy)));
}

function deviceFact({ viaMac }: ProbeReport, { device, via, network, place }: RouteNames): RouteFact {
  const base = { name: 'device', hop: place } as const;
  if (viaMac === undefined) return { ...base, state: 'bad', text: `${device} (${via}) is not on network ${network}` };
  return { ...base, state: 'good', text: `${device} (${via}) is on network ${network}` };
}

function pushedFact(seen: ProbeReport, names: RouteNames): RouteFact {
  const { routeCidr, networkCidr, network, device } = names;
  const base = { name: 'pushedroute', hop: `the other end, in ${routeCidr}` } as const;
  if (cameBack(seen, names))
    return {
      ...base,
      state: 'good',
      text: `the other end sends what is for ${networkCidr} into the tunnel: an answer came back`,
    };
  const prefix = cidr(networkCidr);
  return {
    ...base,
    state: 'unknown',
    text: `whether the other end was told that ${networkCidr} (network ${network}) is behind ${device} is only seen there. An OpenVPN server tells its clients so`,
    repair: `push "route ${networkCidr.split('/')[0]} ${netmask(prefix)}" in the server's configuration on ${device}`,
  };
}

function forwardingFact(seen: ProbeReport, names: RouteNames): RouteFact {
  const { device, via, routeCidr } = names;
  const base = { name: 'forwarding', hop: `device ${device}` } as const;
  if (seen.unreachableBy === via)
    return {
      ...base,
      state: 'bad',
      text: `${device} says that it has no way into ${routeCidr}`,
      repair: `ip route add ${routeCidr} dev TUNNEL on ${device}`,
    };
  if (cameBack(seen, names) || seen.unreachableBy !== undefined)
    return { ...base, state: 'good', text: `${device} passes on what is for ${routeCidr}` };
  return {
    ...base,
    state: 'unknown',
    text: `nothing came back through ${device}: whether it forwards between network and tunnel is only seen there`,
    repair: `sysctl net.ipv4.ip_forward=1 on ${device}`,
  };
}

function irouteFact(seen: ProbeReport, names: RouteNames): RouteFact {
  const { device, routeCidr } = names;
  const base = { name: 'iroute', hop: `the VPN server on ${device}` } as const;
  if (cameBack(seen, names))
    return { ...base, state: 'good', text: `the VPN server knows which client ${routeCidr} is at` };
  return {
    ...base,
    state: 'unknown',
    text: `where ${routeCidr} is not the VPN's own range but a network behind one of its clients, the server must be told which client that is`,
    repair: `iroute ${routeCidr.split('/')[0]} ${netmask(cidr(routeCidr))} in that client's file on ${device} (WireGuard: AllowedIPs)`,
  };
}

function returnFact({ cardAnswers, cardSendsTo, viaMac }: ProbeReport, names: RouteNames): RouteFact {
  const { instance, device, via, routeCidr, isGateway, router, byDhcp } = names;
  const base = { name: 'returnroute', hop: `instance ${instance}` } as const;
  const repair = `ip route replace ${isGateway ? 'default' : routeCidr} via ${via} in ${instance}, or the same route on the network's router`;
  if (cardSendsTo !== undefined && cardSendsTo === viaMac)
    return { ...base, state: 'good', text: `${instance} sends what is for ${routeCidr} to ${device}` };
  const on = router?.state === 'good' ? `, and has the route to ${device}` : '';
  if (cardSendsTo !== undefined && router !== undefined && !isGateway)
    return {
      ...base,
      state: router.state,
      text: `${instance} sends what is for ${routeCidr} to its gateway (${cardSendsTo}): ${router.text}${on}`,
    };
  if (cardSendsTo !== undefined)
    return {
      ...base,
      state: isGateway ? 'bad' : 'unknown',
      text: `${instance} sends what is for ${routeCidr} to its gateway (${cardSendsTo}), which needs the route to ${device}`,
      repair: `ip route add ${routeCidr} via ${via} on the network's router`,
    };
  if (cardAnswers)
    return {
      ...base,
      state: 'bad',
      text: `no return route: ${instance} answers ${device}, and has no way to ${routeCidr}`,
      repair,
    };
  if (router !== undefined && byDhcp === true && !isGateway)
    return {
      ...base,
      state: router.state,
      text: `${instance} lets no ping in, so its own routes are not seen; DHCP tells it to send what is for ${routeCidr} to its gateway or to ${device} itself: ${router.text}${on}`,
    };
  return {
    ...base,
    state: 'unknown',
    text: `${instance} lets no ping in, so it cannot be seen whether it knows the way to ${routeCidr}`,
    repair,
  };
}
