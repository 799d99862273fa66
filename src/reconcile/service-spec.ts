// What a node's document says of names, metadata and passwords: from the networks' units, so that a new name rebuilds one network's
// answer and no host's unit. Pure but for what it remembers.
import type { FirstBoot } from '../model/first-boot.ts';
import { type GuestNetwork, type Host, type Intent, type Nic, type Tier, type Vpc, mtuOf } from '../model/intent.ts';
import type { PublicSide } from '../model/public-side.ts';
import type { FirstBootSpec, NamedNetwork, NameScope, ServicesSpec, ServiceSpec } from '../protocol/services.ts';
import { routerMac } from '../compile/names.ts';

type Unit = Vpc | GuestNetwork;

/** What one unit gives: the same object while the unit is. */
export interface Served {
  readonly scope: NameScope;
  readonly networks: readonly {
    readonly spec: Omit<ServiceSpec, 'cards'>;
    /** Names of the nodes with a card in it. */
    readonly hosts: ReadonlySet<string>;
  }[];
  /** Address under which the outside knows a card. */
  publicIpOf(nicId: string): string | undefined;
}

/** By name of a node: what is served there. */
export type ServiceIndex = ReadonlyMap<string, readonly Served[]>;

const known = new WeakMap<Unit, { readonly mtu: number; readonly served: Served | undefined }>();

/** Everything that is served, and where. */
export function servicesOf(intent: Intent): ServiceIndex {
  const index = new Map<string, Served[]>();
  const mtu = intent.fabric.underlayMtu;
  const networks = [...intent.networks.values()].filter((network) => network.kind === 'guest');
  for (const unit of [...intent.vpcs.values(), ...networks]) {
    const served = remembered(unit, mtu);
    if (served === undefined) continue;
    for (const name of new Set(served.networks.flatMap(({ hosts }) => [...hosts]))) {
      const list = index.get(name);
      if (list === undefined) index.set(name, [served]);
      else list.push(served);
    }
  }
  return index;
}

function remembered(unit: Unit, mtu: number): Served | undefined {
  const memo = known.get(unit);
  if (memo?.mtu === mtu) return memo.served;
  const served = servedBy(unit, mtu);
  known.set(unit, { mtu, served });
  return served;
}

function servedBy(unit: Unit, mtu: number): Served | undefined {
  const networks: readonly (Tier | GuestNetwork)[] = 'tiers' in unit ? unit.tiers : [unit];
  if (networks.every(({ service }) => service === undefined)) return undefined;
  return {
    scope: { id: unit.id, networks: networks.map(namedNetwork) },
    networks: networks.flatMap((network) => {
      const spec = specOf(unit.id, network, mtu);
      return spec === undefined ? [] : [{ spec, hosts: new Set(network.nics.flatMap(placesOf)) }];
    }),
    publicIpOf: publicIps(unit.publicSide),
  };
}

function placesOf({ host, movingFrom }: Nic): string[] {
  return [host, movingFrom].filter((name) => name !== undefined);
}

function namedNetwork({ id, domainName, gateway, service, nics }: Tier | GuestNetwork): NamedNetwork {
  return {
    id,
    domain: domainName,
    ...(gateway === undefined ? {} : { gateway }),
    ...(service === undefined ? {} : { service: service.ip }),
    hosts: nics.flatMap(({ hostname, ip, ip6 }) =>
      ip === undefined && ip6 === undefined
        ? []
        : [{ name: hostname, ...(ip === undefined ? {} : { ip }), ...(ip6 === undefined ? {} : { ip6 }) }],
    ),
  };
}

function specOf(scope: string, network: Tier | GuestNetwork, mtu: number): Omit<ServiceSpec, 'cards'> | undefined {
  const { id, name, service, cidr, segment } = network;
  if (service === undefined || cidr === undefined) return undefined;
  return {
    id,
    name,
    ip: service.ip,
    cidr,
    mac: routerMac(id, service.ip),
    mtu: mtuOf(segment, mtu),
    ...(service.dns ? { dns: { scope, resolvers: service.resolvers } } : {}),
    userData: service.userData,
  };
}

/** Its own where it is translated one to one, else the one that everybody leaves with. */
function publicIps(side: PublicSide | undefined): Served['publicIpOf'] {
  const addresses = side?.addresses ?? [];
  const own = new Map(
    addresses.flatMap(({ ip, staticNatNic }) => (staticNatNic === undefined ? [] : [[staticNatNic, ip]])),
  );
  const shared = addresses.find(({ sourceNat }) => sourceNat)?.ip;
  return (nicId) => own.get(nicId) ?? shared;
}

/** The document's section for one node; undefined where it serves nothing. */
export function hostServices(host: Host, served: readonly Served[]): ServicesSpec | undefined {
  if (served.length === 0) return undefined;
  const cards = cardsOf(host);
  return {
    networks: served.flatMap(({ networks }) =>
      networks.flatMap(({ spec, hosts }) =>
        hosts.has(host.name) ? [{ ...spec, cards: cards.get(spec.id) ?? [] }] : [],
      ),
    ),
    scopes: served.map(({ scope }) => scope),
  };
}

function cardsOf(host: Host): ReadonlyMap<string, ServiceSpec['cards'][number][]> {
  const cards = new Map<string, ServiceSpec['cards'][number][]>();
  for (const { id, power, nics } of host.instances) {
    if (power !== 'running') continue;
    for (const { networkId, addresses } of nics) {
      const list = cards.get(networkId) ?? [];
      for (const { ip } of addresses) list.push({ ip, instance: id });
      cards.set(networkId, list);
    }
  }
  return cards;
}

/** `unseal` opens the password; `publicIpOf` as in {@link Served}. */
export function firstBootSpec(
  { toldBy, zone, offering, publicKeys, userData, asksPassword, password }: FirstBoot,
  publicIp: string | undefined,
  unseal: (sealed: string) => string,
): FirstBootSpec {
  return {
    toldBy,
    zone,
    offering,
    publicKeys,
    ...(userData === undefined ? {} : { userData }),
    ...(asksPassword === undefined ? {} : { asksPassword }),
    ...(password === undefined ? {} : { password: { turn: password.turn, text: unseal(password.sealed) } }),
    ...(publicIp === undefined ? {} : { publicIp }),
  };
}
