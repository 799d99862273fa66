// Puts a device into a network by the switch port it is plugged in at. All that stands in the way is refused here, before a port
// is touched: a port set to the wrong VLAN cuts off whoever is behind it.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { routedBy, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { usableNetwork } from '../network/network-access.ts';
import { type Room, jobCommand } from '../room.ts';
import { requiredPorts } from './carriage.ts';
import { refuseTakenMac } from './device.ts';
import { reserveAddress } from './member-address.ts';
import { memberView } from './member-view.ts';
import { visiblePort } from './switch-port-view.ts';

type Network = Tables['network'];
type Port = Tables['switchport'];

export const attachDevice = jobCommand({
  name: 'attachDevice',
  summary: 'Puts a device into a network: reserves its address and sets its switch port',
  roles: WRITERS,
  event: 'DEVICE.ATTACH',
  answer: { kind: 'object', key: 'networkmember', view: memberView },
  params: z.object({
    networkid: param.ref('network', 'The network'),
    deviceid: param.ref('device', 'The device'),
    switchportid: param
      .ref('switchport', 'The port it is plugged in at; where the device was registered without')
      .optional(),
    ipaddress: param
      .text('Its address, as 10.1.1.10 or 10.1.1.10/24; the lowest free one where it is left out')
      .optional(),
    netmask: param.netmask("The netmask set at the device, to be checked against the network's").optional(),
    tagged: param.flag('Whether the device tags its frames with the VLAN itself').optional(),
    isgateway: param.flag("Whether the device is the network's gateway").optional(),
  }),
  async job(room, want) {
    const network = await usableNetwork(room, want.networkid, 'networkid');
    const device = await visible(room, 'device', want.deviceid, 'deviceid');
    const port = await portFor(room, device, want.switchportid);
    const on = await existing(room, 'switch', port.switch);
    const tagged = want.tagged === true;
    checkWire(network, on, port);
    await refuseTwice(room, network, device);
    await checkPort(room, network, device, port, tagged);
    await refuseTakenMac(room, network, device);
    const isgateway = want.isgateway === true;
    if (isgateway) await checkGateway(room, network, want.networkid);
    const id = newId();
    const address = await reserveAddress(room, network, { ...want, isgateway }, id);
    if (isgateway && address === null)
      throw refuse('parameter', `Network ${network.name} has no addresses, so it has no gateway: leave isgateway out`);
    // A network that had none gets the device's.
    if (isgateway && network.gateway === null) await room.tx.update('network', network.id, { gateway: address });
    await room.tx.insert('member', {
      id,
      network: network.id,
      device: device.id,
      switchport: port.id,
      ip: address,
      mac: device.mac,
      tagged: tagged ? 1 : 0,
      isgateway: isgateway ? 1 : 0,
      state: 'Attaching',
      moved: await room.tx.generation(),
      account: device.account,
      domain: device.domain,
      created: new Date().toISOString(),
    });
    if (device.switchport !== port.id) await room.tx.update('device', device.id, { switchport: port.id });
    return {
      id,
      about: { type: 'NetworkMember', id },
      view: 'networkmember',
      text: await describe(room, network, device, { port, on, tagged, address }),
    };
  },
});

/** The port that was named, or the one the device is registered at. */
async function portFor(room: Room, device: Tables['device'], id: string | undefined): Promise<Port> {
  if (id === undefined && device.switchport === null) {
    throw refuse(
      'parameter',
      `Device ${device.name} is registered at no switch port: give switchportid (listSwitchPorts shows yours)`,
    );
  }
  const port = await visiblePort(room, id ?? device.switchport ?? '', 'switchportid');
  if (port.role !== 'access') {
    throw refuse(
      'parameter',
      `No device can be attached by port ${port.name}: its role is ${port.role}, and only access ports are ever set for devices`,
    );
  }
  if (device.switchport !== null && device.switchport !== port.id) {
    const elsewhere = await room.db
      .selectFrom('member')
      .innerJoin('network', 'network.id', 'member.network')
      .select('network.name')
      .where('member.device', '=', device.id)
      .where('member.switchport', '!=', port.id)
      .executeTakeFirst();
    if (elsewhere !== undefined) {
      throw refuse(
        'parameter',
        `Device ${device.name} is in network ${elsewhere.name} by another port than ${port.name}: register its second card as a device of its own, or detach it there first`,
      );
    }
  }
  return port;
}

/** Refuses a port whose switch cannot carry the network. */
export function checkWire(network: Network, on: Tables['switch'], port: Port): void {
  if (network.segment !== 'vlan' || network.vlan === null) {
    throw refuse(
      'parameter',
      `Network ${network.name} has no VLAN: it is a tunnel between the hypervisors, and no switch port can carry it. Devices need a network of an offering with VLANs`,
    );
  }
  if (network.physicalnetwork !== on.physicalnetwork) {
    throw refuse(
      'parameter',
      `Network ${network.name} is on another physical network than switch ${on.name} with port ${port.name}: its frames never come by there`,
    );
  }
  if (network.vlan === on.nativevlan) {
    throw refuse(
      'parameter',
      `Network ${network.name} is on the VLAN that free ports of switch ${on.name} are in: it would be open to whoever plugs in. The operator must give the switch another native VLAN`,
    );
  }
}

async function refuseTwice(room: Room, network: Network, device: Tables['device']): Promise<void> {
  const member = await room.db
    .selectFrom('member')
    .select('state')
    .where('network', '=', network.id)
    .where('device', '=', device.id)
    .executeTakeFirst();
  if (member === undefined) return;
  throw refuse(
    'inUse',
    member.state === 'Detaching'
      ? `Device ${device.name} is still being taken out of network ${network.name}; listNetworkMembers says what it waits for`
      : `Device ${device.name} is in network ${network.name} already`,
  );
}

/** A port is untagged for one network, or tagged for any number: a device that knows VLANs is told so for all of them. */
export async function checkPort(
  room: Room,
  network: Network,
  device: Tables['device'],
  port: Port,
  tagged: boolean,
): Promise<void> {
  const members = await room.db
    .selectFrom('member')
    .innerJoin('network', 'network.id', 'member.network')
    .innerJoin('device', 'device.id', 'member.device')
    .select(['member.network', 'member.tagged', 'member.account', 'network.name', 'device.name as device'])
    .where('member.switchport', '=', port.id)
    .where('member.state', '!=', 'Detaching')
    .execute();
  const mine = ({ account }: { readonly account: string }): boolean =>
    room.call.caller.role === 'admin' || account === device.account;
  const untagged = members.find((member) => member.tagged === 0);
  if (untagged !== undefined && (tagged || untagged.network !== network.id)) {
    const who = mine(untagged)
      ? `network ${untagged.name} (device ${untagged.device})`
      : 'the network of somebody else';
    throw refuse(
      'inUse',
      tagged
        ? `Port ${port.name} is untagged for ${who}, whose device knows no VLANs: a second network cannot be tagged there. Detach it, and attach it again with tagged=true`
        : `Port ${port.name} is untagged for ${who}: untagged frames can be in one network only. Use another port, or tagged=true for both if the device knows VLANs`,
    );
  }
  const other = members.find((member) => member.tagged === 1);
  if (!tagged && other !== undefined) {
    const who = mine(other) ? `network ${other.name} (device ${other.device})` : 'the network of somebody else';
    throw refuse('inUse', `Port ${port.name} is tagged for ${who}: give tagged=true, since its device knows VLANs`);
  }
}

/** Refuses to give a device the gateway of a network that somebody else routes for. */
async function checkGateway(room: Room, network: Network, networkid: string): Promise<void> {
  // Who may only use a network of somebody else's may not say who its gateway is.
  await visible(room, 'network', networkid, 'networkid');
  const offering = await existing(room, 'networkoffering', network.offering);
  const by = network.vpc === null ? routedBy(servicesOf(offering)) : 'Ovn';
  const named = `${network.gateway} of network ${network.name}`;
  if (by === 'Ovn')
    throw refuse(
      'parameter',
      `The gateway ${named} is the hypervisors' (OVN): a device can be gateway only where the offering has no router service. Leave isgateway out`,
    );
  if (by === 'LinuxRouter')
    throw refuse(
      'parameter',
      `The gateway ${named} is a router node's: a device can be gateway only where the offering has no router service. Leave isgateway out`,
    );
  const other = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .select('device.name')
    .where('member.network', '=', network.id)
    .where('member.isgateway', '=', 1)
    .executeTakeFirst();
  if (other !== undefined)
    throw refuse('inUse', `The gateway ${named} is device ${other.name} already: a network has one gateway`);
}

interface Place {
  readonly port: Port;
  readonly on: Tables['switch'];
  readonly tagged: boolean;
  readonly address: string | null;
}

/** What is set where, and what else must carry the network, as the job's event says it. */
async function describe(room: Room, network: Network, device: Tables['device'], place: Place): Promise<string> {
  const { port, on, tagged, address } = place;
  const root = room.call.caller.role === 'admin';
  const vlan = root || tagged ? ` (VLAN ${network.vlan})` : '';
  const required = root ? await requiredPorts(room.db, [network]) : [];
  const trunks = required
    .filter((each) => each.port.role !== 'access')
    .map((each) => `${each.port.name} of ${each.switch.name}`);
  return [
    `attaching device ${device.name} to network ${network.name}${vlan}`,
    ...(address === null ? [] : [`address ${address}`]),
    `port ${port.name} of switch ${on.name} ${tagged ? 'tagged' : 'untagged'}`,
    ...(trunks.length === 0 ? [] : [`also needed, tagged, on ${trunks.join(', ')}`]),
  ].join(', ');
}
