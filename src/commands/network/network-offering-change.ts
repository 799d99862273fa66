// Whether a network may change to another offering: only where nothing of what it is made of, who routes for it, or what is asked of
// its router would be lost.
import { refuse } from '../../api/error.ts';
import { routedBy, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import type { Room } from '../room.ts';
import { some } from './network.ts';

type Network = Tables['network'];
type Offering = Tables['networkoffering'];

/** The offering with this id, if the network may change to it. */
export async function checkedOffering(room: Room, network: Network, id: string): Promise<Offering> {
  const offering = await existing(room, 'networkoffering', id, 'networkofferingid');
  if (network.guesttype !== 'Isolated' || offering.guesttype !== 'Isolated') {
    throw refuse(
      'parameter',
      `NetworkOffering and domain suffix upgrade can be perfomed for Isolated networks only; network ${network.name} is ${network.guesttype}, offering ${offering.name} is ${offering.guesttype}`,
    );
  }
  if (offering.state !== 'Enabled') {
    throw refuse(
      'parameter',
      `Network offering with specified id is not in Enabled state, can't upgrade to it: ${offering.name} is ${offering.state}`,
    );
  }
  if ((offering.forvpc === 1) !== (network.vpc !== null)) {
    throw refuse(
      'parameter',
      network.vpc === null
        ? "Can't update as the new offering is a vpc offering"
        : "Can't update as the new offering is not a vpc offering",
    );
  }
  const old = await existing(room, 'networkoffering', network.offering, 'networkofferingid');
  if (offering.segment !== network.segment || offering.specifyvlan !== old.specifyvlan) {
    throw refuse(
      'parameter',
      `Network ${network.name} is made of ${wordsFor(network.segment, old)}, networks of offering ${offering.name} of ${wordsFor(offering.segment, offering)}: make a new network instead`,
    );
  }
  if (offering.internetprotocol !== old.internetprotocol) {
    throw refuse(
      'parameter',
      `Network ${network.name} has internetprotocol ${old.internetprotocol}, networks of offering ${offering.name} have ${offering.internetprotocol}: its instances would lose addresses, or get none. Make a new network instead`,
    );
  }
  if (network.vpc === null) refuseOtherRouter(network, old, offering);
  await refuseLostRules(room, network, offering);
  await refuseRunning(room, network);
  return offering;
}

function wordsFor(segment: string, { specifyvlan }: Offering): string {
  if (segment === 'overlay') return 'an overlay';
  return specifyvlan === 1 ? 'a VLAN chosen by hand' : 'a VLAN from the pool';
}

function refuseOtherRouter(network: Network, old: Offering, offering: Offering): void {
  const [before, after] = [old, offering].map((one) => `${routedBy(servicesOf(one))} (${one.networkmode})`);
  if (before === after) return;
  throw refuse(
    'parameter',
    `Who routes for network ${network.name} cannot change: ${before} does with ${old.name}, ${after} would with ${offering.name}. Make a new network and move the instances there`,
  );
}

/** Rules of a service that the new offering lacks would be nobody's. */
async function refuseLostRules(room: Room, network: Network, offering: Offering): Promise<void> {
  const services = new Set(servicesOf(offering).map(({ name }) => name));
  const counted = async (table: 'portforward' | 'loadbalancer' | 'firewallrule' | 'remotevpn'): Promise<number> => {
    const rows = await room.db.selectFrom(table).select('id').where('network', '=', network.id).execute();
    return rows.length;
  };
  const addresses = await room.db
    .selectFrom('publicip')
    .select(['issourcenat', 'vmip'])
    .where('network', '=', network.id)
    .execute();
  const needed = [
    ['PortForwarding', await counted('portforward'), 'port forwarding rules'],
    ['Lb', await counted('loadbalancer'), 'load balancer rules'],
    ['Vpn', await counted('remotevpn'), 'remote access VPNs'],
    ['Firewall', await counted('firewallrule'), 'firewall rules'],
    ['StaticNat', addresses.filter(({ vmip }) => vmip !== null).length, 'static NATs'],
    ['SourceNat', addresses.filter(({ issourcenat }) => issourcenat === 1).length, 'source NAT addresses'],
  ] as const;
  const lost = needed.find(([service, count]) => count > 0 && !services.has(service));
  if (lost === undefined) return;
  throw refuse(
    'parameter',
    `Network ${network.name} has ${lost[1]} ${lost[2]}, and offering ${offering.name} has no service ${lost[0]}: remove them first`,
  );
}

async function refuseRunning(room: Room, network: Network): Promise<void> {
  const running = await room.db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select('instance.displayname')
    .where('nic.network', '=', network.id)
    .where('instance.power', '=', 'running')
    .orderBy('instance.displayname')
    .execute();
  if (running.length === 0) return;
  throw refuse(
    'parameter',
    `All user vm of network of specified id should be stopped before changing the offering! These run in ${network.name}: ${some(running.map((row) => row.displayname))}`,
  );
}
