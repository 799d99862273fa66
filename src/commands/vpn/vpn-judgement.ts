// What is known of a VPN as separate facts: tunnel, pushed routes, forwarding, the way back, what is behind the client. A tunnel that is
// up is half the work, and each of the others alone is enough for silence. Pure, apart from the command, so that each can be tested.
import { cidr, covers } from '../../lib/ip.ts';
import { NOT_PASSED_ON, type VpnClientStatus } from '../../protocol/vpn.ts';

export interface Fact {
  readonly name: 'tunnel' | 'pushedroute' | 'forwarding' | 'returnroute' | 'iroute' | 'acl' | 'peerroute';
  readonly hop: string;
  /** unknown: only the other end can tell. */
  readonly state: 'good' | 'bad' | 'unknown';
  readonly text: string;
  readonly repair?: string;
}

export interface Verdict {
  /** `good`, or the name of the first fact that is bad. */
  readonly result: string;
  readonly wrong?: Fact;
  readonly facts: readonly Fact[];
}

/** What is known of the gateway's node and the router, as they told last. */
export interface Served {
  /** Node that tells that it serves the VPN now; absent: none does. A name for the operator, `true` for others. */
  readonly by?: string | true;
  /** Why it does not run there. */
  readonly fault?: string;
  /** Prefixes the router is known to send to the VPN, canonical; absent: not known yet. */
  readonly routed?: readonly string[];
}

export interface ClientFacts extends Served {
  readonly user: string;
  readonly userId: string;
  readonly vpnId: string;
  readonly userState: string;
  readonly kind: string;
  /** Addresses of clients. */
  readonly range: string;
  /** Absent: he has no profile. */
  readonly ip?: string;
  readonly ends?: string;
  /** Absent: he is not connected. */
  readonly seen?: VpnClientStatus;
  /** Networks there are to be reached. */
  readonly routes: readonly string[];
  /** Those of them that his file does not have; absent where he has no file that says, or it is not known. */
  readonly untold?: readonly string[];
  /** Static routes that carry nothing, as sentences. */
  readonly idle: readonly string[];
  readonly behind: readonly string[];
  /** Lists of tiers, and hops beyond the VPC. */
  readonly further: readonly Fact[];
  /** ISO instant. */
  readonly now: string;
}

const GATEWAY = 'the VPN gateway';
const ROUTER = "the VPC's or network's router";

export function judgeClient(about: ClientFacts): Verdict {
  return verdictOf([
    clientTunnel(about),
    pushedFact(about),
    forwardingFact(
      about,
      `the gateway passes on what ${about.user} sends to ${about.routes.join(', ') || 'nobody'}, and nothing else`,
    ),
    ...returnFacts(about, [about.range], ROUTER),
    ...behindFacts(about),
    ...about.further,
  ]);
}

function clientTunnel(about: ClientFacts): Fact {
  const { user, userId, vpnId, ip, ends, seen, now, userState } = about;
  const base = { name: 'tunnel', hop: GATEWAY } as const;
  const profile = `createVpnClientProfile remoteaccessvpnid=${vpnId} vpnuserid=${userId}`;
  if (userState === 'Revoke')
    return { ...base, state: 'bad', text: `${user} is being removed: his connections are cut` };
  if (ip === undefined)
    return {
      ...base,
      state: 'bad',
      text: `${user} has no profile for this VPN, so he cannot connect`,
      repair: profile,
    };
  if (ends !== undefined && ends < now)
    return { ...base, state: 'bad', text: `the certificate of ${user} ended on ${ends.slice(0, 10)}`, repair: profile };
  if (seen !== undefined)
    return {
      ...base,
      state: 'good',
      text: `${user} (${ip}) is connected${seen.from === undefined ? '' : ` from ${seen.from}`}${seen.since === undefined ? '' : ` since ${seen.since}`}`,
    };
  if (about.by === undefined || about.fault !== undefined)
    return { ...base, state: 'bad', text: `${user} (${ip}) is not connected: ${servedText(about)}` };
  return {
    ...base,
    state: 'bad',
    hop: `client ${user}`,
    text: `${user} (${ip}) is not connected: nothing has come from him. His program is off, or UDP to the public address does not get through`,
  };
}

/** Why nobody serves a VPN. */
function servedText({ by, fault }: Served): string {
  if (by === undefined)
    return 'no gateway node tells that it serves this VPN: none carries the way out of it, or none is reached';
  return `the gateway node${by === true ? '' : ` ${by}`} says: ${fault ?? ''}`;
}

function forwardingFact(about: Served, good: string): Fact {
  const base = { name: 'forwarding', hop: GATEWAY } as const;
  if (about.by === undefined || about.fault !== undefined) return { ...base, state: 'bad', text: servedText(about) };
  return { ...base, state: 'good', text: `${good}${about.by === true ? '' : ` (seen at node ${about.by})`}` };
}

/** Of each prefix whether the router has the route, as far as the network engine has confirmed it. */
function returnFacts({ routed }: Served, prefixes: readonly string[], hop: string): Fact[] {
  const base = { name: 'returnroute', hop } as const;
  const there = (routed ?? []).map(cidr);
  const lacks = prefixes.filter((prefix) => !there.some((one) => covers(one, cidr(prefix))));
  const has = prefixes.filter((prefix) => !lacks.includes(prefix));
  return [
    ...(has.length === 0
      ? []
      : [
          {
            ...base,
            state: 'good' as const,
            text: `the router has the route: it sends what is for ${has.join(', ')} to the VPN gateway`,
          },
        ]),
    ...(lacks.length === 0
      ? []
      : [
          {
            ...base,
            state: 'bad' as const,
            text: `the router does not have the route to ${lacks.join(', ')} by the VPN gateway${routed === undefined ? ' yet, as far as is known' : ''}: it is wanted, and comes by itself unless a static route or a network of the router is in its place`,
          },
        ]),
  ];
}

function pushedFact(about: ClientFacts): Fact {
  const { kind, user, userId, vpnId, routes, untold, idle } = about;
  const base = { name: 'pushedroute', hop: `client ${user}` } as const;
  if (routes.length === 0)
    return { ...base, state: 'bad', text: `${user} is told of no network: there is none yet`, repair: 'createNetwork' };
  const list = routes.join(', ');
  const not = idle.length === 0 ? '' : `. He is not told of what carries nothing: ${idle.join('; ')}`;
  if (kind !== 'wireguard')
    return {
      ...base,
      state: 'good',
      text: `${user} is told each time he connects that ${list} ${routes.length === 1 ? 'is' : 'are'} behind the VPN${not}`,
    };
  if (untold === undefined)
    return {
      ...base,
      state: 'unknown',
      text: `his file says what ${user} sends into the tunnel: ${list} should be in AllowedIPs${not}`,
    };
  if (untold.length > 0)
    return {
      ...base,
      state: 'bad',
      text: `the file of ${user} was written before ${untold.join(', ')} came: it is not in his AllowedIPs, so he sends nothing there${not}`,
      repair: `createVpnClientProfile remoteaccessvpnid=${vpnId} vpnuserid=${userId}`,
    };
  return { ...base, state: 'good', text: `the file of ${user} has ${list} in AllowedIPs${not}` };
}

/** A branch office: the gateway must know which client, the router that it is behind the gateway, and the office its way back. */
function behindFacts(about: ClientFacts): Fact[] {
  const { behind, user, userId, kind, range, ip, routes } = about;
  if (behind.length === 0)
    return [
      {
        name: 'iroute',
        hop: GATEWAY,
        state: 'good',
        text: `nothing is declared behind ${user}: only ${ip ?? range} itself is his. Networks behind him are said with updateVpnUser id=${userId} cidrlist=…`,
      },
    ];
  const list = behind.join(', ');
  const word = kind === 'wireguard' ? 'AllowedIPs' : kind === 'openvpn' ? 'iroute' : 'traffic selectors';
  const served = about.by !== undefined && about.fault === undefined;
  return [
    {
      name: 'iroute',
      hop: GATEWAY,
      state: served ? 'good' : 'bad',
      text: served
        ? `the gateway is told that ${list} is behind ${user} (${word})`
        : `that ${list} is behind ${user} (${word}) is in place nowhere: ${servedText(about)}`,
    },
    ...returnFacts(about, behind, ROUTER),
    {
      name: 'peerroute',
      hop: `the router of ${list}`,
      state: 'unknown',
      text: `whether the hosts of ${list} send what is for ${routes.join(', ')} to the machine of ${user}, and that one forwards, is only seen there`,
      repair: `${routes.map((route) => `ip route add ${route} via VPN_CLIENT`).join('; ')}; sysctl net.ipv4.ip_forward=1 on the client`,
    },
  ];
}

export interface SiteFacts extends Served {
  readonly id: string;
  readonly peer: string;
  readonly peerName: string;
  readonly kind: string;
  readonly passive: boolean;
  readonly state: string;
  readonly reason?: string;
  readonly vpc: string;
  readonly localCidr: string;
  readonly remoteCidrs: readonly string[];
  /** Lists of tiers. */
  readonly further: readonly Fact[];
}

export function judgeSite(about: SiteFacts): Verdict {
  const { peer, peerName, remoteCidrs, localCidr, vpc, kind } = about;
  const remote = remoteCidrs.join(', ');
  const word = kind === 'wireguard' ? 'AllowedIPs' : 'traffic selectors';
  const fault = about.reason?.startsWith(NOT_PASSED_ON) === true ? about.reason : undefined;
  return verdictOf([
    fault === undefined
      ? siteTunnel(about)
      : {
          name: 'tunnel',
          hop: peer,
          state: 'unknown',
          text: `whether the tunnel to ${peer} is up is told once the gateway passes packets on`,
        },
    forwardingFact(
      fault === undefined ? about : { ...about, fault },
      `the gateway sends what is for ${remote} to ${peer}, and takes nothing else from there (${word})`,
    ),
    ...returnFacts(about, remoteCidrs, `the router of VPC ${vpc}`),
    ...about.further,
    {
      name: 'peerroute',
      hop: peerName,
      state: 'unknown',
      text: `whether the hosts of ${remote} send what is for ${localCidr} to ${peer} is only seen there`,
      repair: `ip route add ${localCidr} via VPN_DEVICE, at the gateway of ${remote}`,
    },
  ]);
}

function siteTunnel({ id, state, reason, peer, passive }: SiteFacts): Fact {
  const why = reason === undefined ? '' : `: ${reason}`;
  const base = { name: 'tunnel', hop: `${peer}` } as const;
  if (state === 'Connected') return { ...base, state: 'good', text: `the tunnel to ${peer} is up` };
  if (state === 'Pending')
    return {
      ...base,
      hop: 'the VPN gateway',
      state: 'bad',
      text: `no gateway node has told of the connection yet${why}`,
    };
  return {
    ...base,
    state: 'bad',
    text: `the tunnel to ${peer} is not up (${state})${why}${passive && reason === undefined ? ': it is passive, so the other end has to begin' : ''}`,
    repair: passive ? `updateVpnConnection id=${id} passive=false` : `resetVpnConnection id=${id}`,
  };
}

function verdictOf(facts: readonly Fact[]): Verdict {
  const wrong = facts.find(({ state }) => state === 'bad');
  return { result: wrong?.name ?? 'good', ...(wrong === undefined ? {} : { wrong }), facts };
}
