// Story 1: three VPCs become one, by the public API, as a domain admin.
//
//        vpc1 10.1.0.0/16        vpc2 10.2.0.0/16        vpc3 10.3.0.0/16
//        tier 10.1.1.0/24        tier 10.2.1.0/24        tier 10.3.1.0/24
//           | vm1                   | vm2                   | vm3
//        [ vpc1 ]                [ vpc2 ]                [ vpc3 ]
//           | .1                    | .2                    | .3
//        ---+-----------------------+-----------------------+---   Private network 172.16.0.0/24
import { field, rows, text } from '../../src/demo/answer.ts';
import type { Guest, Story, World } from '../../src/demo/story.ts';

const ACCOUNT = 'acme-admin';
const NUMBERS = [1, 2, 3] as const;
const PRIVATE = '172.16.0.0/24';

export const story: Story = {
  title: 'Story 1: three VPCs become one',
  summary: `A domain admin connects three VPCs through the Private network ${PRIVATE}: gateways, routes, and all six directions ping.`,
  byHand: 'vm1 -- ping -c3 10.2.1.2',
  async play(world) {
    const call = world.as(ACCOUNT);
    const had = rows(await call('listVPCs'), 'vpc').some((vpc) => text(vpc, 'name') === 'vpc1');
    if (had) {
      world.say('the VPCs are here already, from an earlier run');
      await world.matrix('all six directions ping', await findGuests(world), true);
      return;
    }
    const vpcs = await buildVpcs(world);
    const guests = vpcs.map((vpc) => vpc.guest);
    await world.matrix('before: no instance reaches another VPC', guests, false);
    await connect(world, vpcs);
    await world.matrix('after: all six directions ping, the first packet included', guests, true);
    await proveAddresses(world, guests);
    await world.refused(
      'a private gateway that routes depend on is not deleted',
      () => call('deletePrivateGateway', { id: vpcs[0]!.gatewayId! }),
      /static routes/,
    );
  },
};

interface Vpc {
  readonly id: string;
  readonly name: string;
  readonly guest: Guest;
  gatewayId?: string;
}

/** Three VPCs with a tier and an instance each. */
async function buildVpcs(world: World): Promise<Vpc[]> {
  const call = world.as(ACCOUNT);
  const zoneid = await idOf(world, 'listZones', 'zone');
  const vpcoffering = await idOf(world, 'listVPCOfferings', 'vpcoffering', 'Default VPC offering');
  const tieroffering = await idOf(
    world,
    'listNetworkOfferings',
    'networkoffering',
    'DefaultIsolatedNetworkOfferingForVpcNetworks',
  );
  const serviceofferingid = await idOf(world, 'listServiceOfferings', 'serviceoffering', 'Small Instance');
  const templateid = await idOf(world, 'listTemplates', 'template', 'tiny linux kvm', { templatefilter: 'featured' });
  const aclid = await idOf(world, 'listNetworkACLLists', 'networkacllist', 'default_allow');

  return Promise.all(
    NUMBERS.map(async (n) => {
      const created = await call('createVPC', {
        name: `vpc${n}`,
        displaytext: `VPC ${n}`,
        cidr: `10.${n}.0.0/16`,
        zoneid,
        vpcofferingid: vpcoffering,
      });
      const vpcid = text(field(created, 'vpc'), 'id');
      const tier = await call('createNetwork', {
        name: `tier${n}`,
        displaytext: `tier of vpc${n}`,
        zoneid,
        vpcid,
        networkofferingid: tieroffering,
        gateway: `10.${n}.1.1`,
        netmask: '255.255.255.0',
        aclid,
      });
      const networkids = text(field(tier, 'network'), 'id');
      const deployed = await call('deployVirtualMachine', {
        name: `vm${n}`,
        displayname: `vm${n}`,
        zoneid,
        serviceofferingid,
        templateid,
        networkids,
      });
      const guest = guestOf(field(deployed, 'virtualmachine'));
      world.say(`vpc${n} 10.${n}.0.0/16 with tier 10.${n}.1.0/24 and ${guest.name} at ${guest.address}`);
      return { id: vpcid, name: `vpc${n}`, guest };
    }),
  );
}

/** The Private network, a gateway on it for each VPC, and the six routes; the first route alone shows a one-way road. */
async function connect(world: World, vpcs: readonly Vpc[]): Promise<void> {
  const call = world.as(ACCOUNT);
  const zoneid = await idOf(world, 'listZones', 'zone');
  const aclid = await idOf(world, 'listNetworkACLLists', 'networkacllist', 'default_allow');
  const networkofferingid = await idOf(
    world,
    'listNetworkOfferings',
    'networkoffering',
    'DefaultPrivateGatewayNetworkOffering',
  );
  const made = await call('createNetwork', {
    name: 'between',
    displaytext: 'between the VPCs',
    zoneid,
    networkofferingid,
    cidr: PRIVATE,
  });
  const networkid = text(field(made, 'network'), 'id');
  world.say(`Private network ${PRIVATE}, no VLAN named`);

  await Promise.all(
    vpcs.map(async (vpc, i) => {
      const ipaddress = `172.16.0.${i + 1}`;
      const answer = await call('createPrivateGateway', { vpcid: vpc.id, networkid, ipaddress, aclid });
      vpc.gatewayId = text(field(answer, 'privategateway'), 'id');
      world.say(`private gateway ${ipaddress} of ${vpc.name}`);
    }),
  );
  const guests = vpcs.map((vpc) => vpc.guest);
  await world.matrix('gateways without routes: still no instance reaches another VPC', guests, false);

  const addRoute = async (from: number, to: number): Promise<void> => {
    const params = { vpcid: vpcs[from]!.id, cidr: `10.${to + 1}.0.0/16`, nexthop: `172.16.0.${to + 1}` };
    await call('createStaticRoute', params);
    world.say(`static route of ${vpcs[from]!.name}: ${params.cidr} via ${params.nexthop}`);
  };
  await addRoute(0, 1);
  await proveOneWay(world, guests[0]!, guests[1]!);
  const others = vpcs.flatMap((_, from) => vpcs.map((__, to) => [from, to] as const));
  await Promise.all(
    others.filter(([from, to]) => from !== to && !(from === 0 && to === 1)).map(([from, to]) => addRoute(from, to)),
  );
}

/** With a route there and none back, the request arrives and its answer is lost: not "no connection", but half a one. */
async function proveOneWay(world: World, from: Guest, to: Guest): Promise<void> {
  const before = await world.echoesReceived(to);
  const answered = await world.ping(from, to);
  const arrived = (await world.echoesReceived(to)) - before;
  world.expect('one-way route: the ping is not answered', !answered, 'it was answered');
  world.expect(`one-way route: the request does reach ${to.name}`, arrived === 1, `${arrived} requests arrived`);
  world.say(
    `       the request from ${from.address} arrives at ${to.name}; vpc2 has no route back to 10.1.0.0/16, so the answer is lost there`,
  );
}

/** The VPCs are routed, not translated: what arrives bears the sender's own address. */
async function proveAddresses(world: World, guests: readonly Guest[]): Promise<void> {
  const [from, to] = guests;
  const seen = await world.sourceSeen(to!, () => world.ping(from!, to!));
  if (seen === undefined) world.say('       source addresses are not checked: tcpdump cannot run without root here');
  else
    world.expect(
      `no address is translated: ${to!.name} sees ${from!.address}`,
      seen === from!.address,
      `it saw ${seen}`,
    );
}

async function findGuests(world: World): Promise<Guest[]> {
  const all = rows(await world.as(ACCOUNT)('listVirtualMachines'), 'virtualmachine').map(guestOf);
  return all.filter(({ name }) => /^vm[123]$/.test(name)).toSorted((a, b) => a.name.localeCompare(b.name));
}

function guestOf(instance: object): Guest {
  const [nic] = rows(instance, 'nic');
  return { name: text(instance, 'name'), id: text(instance, 'id'), address: text(nic, 'ipaddress') };
}

/** The id of the row of that name in a list (the first row when no name is given). */
async function idOf(
  world: World,
  command: string,
  key: string,
  name?: string,
  params: Record<string, string> = {},
): Promise<string> {
  const found = rows(await world.as(ACCOUNT)(command, params), key).find(
    (row) => name === undefined || text(row, 'name') === name,
  );
  if (found === undefined) throw new Error(`${command} shows no ${key}${name === undefined ? '' : ` called ${name}`}`);
  return text(found, 'id');
}
