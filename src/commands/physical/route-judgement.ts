// What the answers to a probe mean: which hop between an instance and a host behind a device is broken, on the way there or back, and
// what repairs it. Pure, apart from the command that asks, so that each sentence can be tested.
import type { ProbeReport } from '../../protocol/document.ts';
import { cidr, contains, ip, netmask } from '../../lib/ip.ts';
import type { RouterWay } from './router-way.ts';

/** The names the sentences are made of. */
export interface RouteNames {
  readonly instance: string;
  /** Address of the instance in the network. */
  readonly from: string;
  readonly network: string;
  readonly networkCidr: string;
  readonly device: string;
  /** Address and switch port of the device. */
  readonly via: string;
  readonly place: string;
  readonly isGateway: boolean;
  /** The network behind the device. */
  readonly routeCidr: string;
  /** The host in it that was asked. */
  readonly host: string;
  /** What is known of the network's router, where it is ours, and of the route to the device there. */
  readonly router?: RouterWay;
  /** Whether the instance was told, by DHCP, that this network's gateway is its own. */
  readonly byDhcp?: true;
  /** What is known to be wrong with the device's port. */
  readonly portFault?: string;
}

export type RouteResult = 'answered' | 'devicesilent' | 'unreachable' | 'hostsilent' | 'instanceroute';

export interface RouteVerdict {
  readonly result: RouteResult;
  /** Where the fault is, or most likely is; absent where there is none. */
  readonly hop?: string;
  readonly text: string;
  /** A line that repairs it where it is typed, as far as one can be given. */
  readonly repair?: string;
}

/** The first thing that is wrong, from the instance on. */
export function judgeRoute(seen: ProbeReport, names: RouteNames): RouteVerdict {
  const { instance, from, device, via, host } = names;
  if (seen.viaMac === undefined) return deviceSilent(names);
  const own = instanceFault(seen, names);
  if (seen.targetAnswers) {
    const through = `${host} answers ${instance} (${from}) through ${device} (${via})`;
    if (own !== undefined)
      return {
        ...own,
        result: 'instanceroute',
        text: `${through}, asked in its name; but ${own.text}: what ${host} sends is not answered`,
      };
    return { result: 'answered', text: `${through}: the way there and the way back hold${itself(seen, names)}` };
  }
  const verdict = seen.unreachableBy === undefined ? hostSilent(names) : unreachable(seen.unreachableBy, names);
  if (own === undefined) return verdict;
  return { ...verdict, text: `${verdict.text}. Besides, ${own.text}` };
}

/** What is known of the instance's own way, where there is nothing wrong with it. */
function itself(seen: ProbeReport, { instance, device, host, router }: RouteNames): string {
  if (seen.cardSendsTo === undefined)
    return `. ${instance} itself lets no ping in, so it cannot be seen whether it knows the way`;
  if (seen.cardSendsTo === seen.viaMac) return `, and ${instance} answers ${host}`;
  const gateway = `, and ${instance} answers ${host} by its gateway (${seen.cardSendsTo})`;
  if (router?.state === 'good') return `${gateway}, which is ours and sends that on to device ${device}`;
  return `${gateway}, which has to send that on to device ${device}${router === undefined ? '' : `; but ${router.text}`}`;
}

function deviceSilent(names: RouteNames): RouteVerdict {
  const { device, via, network, networkCidr, instance, from, place, portFault } = names;
  const length = networkCidr.split('/')[1];
  return {
    result: 'devicesilent',
    hop: place,
    text: `Device ${device} does not answer ${instance} (${from}) when asked who has ${via} (ARP): it is not on network ${network}. It is to be at ${place}${
      portFault === undefined
        ? `, untagged unless it was attached with tagged=true: see that it is switched on and plugged in there, and has ${via}/${length}`
        : `, where something is wrong: ${portFault}`
    }`,
    ...(portFault === undefined ? { repair: `ip address add ${via}/${length} dev INTERFACE` } : {}),
  };
}

/** The device answers, the host behind it does not, and nobody says why: the archive's S30. An office and VPN clients look alike from here. */
function hostSilent({ device, via, host, networkCidr, routeCidr }: RouteNames): RouteVerdict {
  const repair = `ip route add ${networkCidr} via VPN_DEVICE`;
  return {
    result: 'hostsilent',
    hop: `the gateway of ${routeCidr}`,
    text:
      `Device ${device} (${via}) answers, ${host} behind it does not, and nobody says why. As a rule the other end has no route back. ` +
      `If ${routeCidr} is a network, at its gateway what is for ${networkCidr} must go to the VPN device there (${repair}). If it is the ` +
      `range of VPN clients, the server on ${device} must tell them of ${networkCidr} (push "route ${networkCidr.split('/')[0]} ${netmask(cidr(networkCidr))}"). ` +
      `If that is there: the tunnel is down, or ${device} does not send ${routeCidr} into it, or ${host} is off or lets no ping in`,
    repair,
  };
}

function unreachable(by: string, { device, via, host, routeCidr }: RouteNames): RouteVerdict {
  if (by === via) {
    const repair = `ip route add ${routeCidr} dev TUNNEL`;
    return {
      result: 'unreachable',
      hop: `device ${device}`,
      text: `Device ${device} (${via}) says that it has no way to ${host}: the tunnel is down, or ${device} has no route to ${routeCidr} into it (${repair})`,
      repair,
    };
  }
  if (contains(cidr(routeCidr), ip(by))) {
    return {
      result: 'unreachable',
      hop: host,
      text: `${by} says that it does not find ${host}. That this came back shows that tunnel and routes hold in both directions: ${host} is off, or has another address`,
    };
  }
  return {
    result: 'unreachable',
    hop: by,
    text: `${by} says that it has no way to ${host}: it is where device ${device} (${via}) sends what is for ${routeCidr}. If it is the other end of the tunnel, ${host} is off, or has another address; if it is not, ${device} lacks the route to ${routeCidr} into the tunnel (ip route add ${routeCidr} dev TUNNEL)`,
  };
}

/** Whether the instance itself lacks the way: it answers the device, and the host not at all or elsewhere. */
function instanceFault(
  seen: ProbeReport,
  { instance, device, via, isGateway, routeCidr }: RouteNames,
): Required<Pick<RouteVerdict, 'hop' | 'text' | 'repair'>> | undefined {
  const hop = `instance ${instance}`;
  const repair = `ip route replace ${isGateway ? 'default' : routeCidr} via ${via}`;
  if (seen.cardSendsTo === undefined) {
    if (!seen.cardAnswers) return undefined;
    return { hop, text: `${instance} has no route to ${routeCidr} (${repair} in it)`, repair };
  }
  // Another gateway than the device may know the way to it.
  if (seen.cardSendsTo === seen.viaMac || !isGateway) return undefined;
  return {
    hop,
    text: `${instance} sends what is for ${routeCidr} to ${seen.cardSendsTo} and not to device ${device}, which is ${seen.viaMac} (${repair} in it)`,
    repair,
  };
}
