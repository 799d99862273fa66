// Network offerings: what goes together, what is refused, how clients find them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cloud, type Params, openCloud } from '../../../test/support/cloud.ts';
import { putNetwork, refused, rowOf, rowsOf } from '../zone/provider.test-support.ts';

async function create(cloud: Cloud, more: Params = {}): Promise<Record<string, unknown>> {
  const params = { name: 'mine', displaytext: 'My offering', traffictype: 'GUEST', guestiptype: 'Isolated', ...more };
  return (await cloud.callAs('admin', 'createNetworkOffering', params))['networkoffering'] as Record<string, unknown>;
}

test('createNetworkOffering with no services makes one without a router, on a VLAN', async () => {
  await using cloud = await openCloud();
  const made = await create(cloud, { supportedservices: '', specifyvlan: true });
  assert.deepEqual(
    [
      made['service'],
      made['state'],
      made['segment'],
      made['specifyvlan'],
      made['forvpc'],
      made['serviceofferingid'],
      made['conservemode'],
    ],
    [[], 'Disabled', 'vlan', true, false, '', true],
  );
});

test('createNetworkOffering keeps services in one order, each with its provider, and routed ones live on an overlay', async () => {
  await using cloud = await openCloud();
  const made = await create(cloud, {
    supportedservices: 'SourceNat,dhcp,DNS,UserData',
    serviceproviderlist: [
      { service: 'Dhcp', provider: 'virtualrouter' },
      { service: 'SourceNat', provider: 'VirtualRouter' },
    ],
    servicecapabilitylist: [{ service: 'SourceNat', capabilitytype: 'RedundantRouter', capabilityvalue: 'true' }],
    enable: true,
  });
  const provider = [{ name: 'VirtualRouter' }];
  assert.deepEqual(made['service'], [
    { name: 'Dhcp', provider },
    { name: 'Dns', provider },
    { name: 'UserData', provider },
    { name: 'SourceNat', provider },
  ]);
  assert.deepEqual([made['state'], made['segment']], ['Enabled', 'overlay']);
});

test('createNetworkOffering is for VPCs when it says so, or names their router', async () => {
  await using cloud = await openCloud();
  const said = await create(cloud, { forvpc: true, supportedservices: 'Dhcp,NetworkACL' });
  assert.deepEqual([said['forvpc'], said['conservemode']], [true, false]);
  const named = await create(cloud, {
    name: 'other',
    supportedservices: 'Dhcp',
    conservemode: false,
    serviceproviderlist: [{ service: 'Dhcp', provider: 'VPCVirtualRouter' }],
  });
  assert.equal(named['forvpc'], true);
  assert.deepEqual(named['service'], [{ name: 'Dhcp', provider: [{ name: 'VpcVirtualRouter' }] }]);
});

test('createNetworkOffering of type Private takes a segment: the pool, by hand, or an overlay', async () => {
  await using cloud = await openCloud();
  assert.equal((await create(cloud, { guestiptype: 'private' }))['segment'], 'vlan');
  assert.equal((await create(cloud, { name: 'o', guestiptype: 'Private', segment: 'overlay' }))['segment'], 'overlay');
});

test('S01: createNetworkOffering with an empty supportedservices has no service, and everybody finds it once enabled', async () => {
  await using cloud = await openCloud();
  const { id, ...made } = await create(cloud, { supportedservices: '' });
  assert.deepEqual(
    [made['service'], made['routedby'], made['networkmode'], made['segment']],
    [[], 'None', 'NATTED', 'vlan'],
  );
  await cloud.callAs('admin', 'updateNetworkOffering', { id: String(id), state: 'Enabled' });
  const found = await rowOf(cloud, 'listNetworkOfferings', 'networkoffering', { name: 'mine' }, 'acme-user');
  assert.deepEqual([found['id'], found['state'], found['service']], [id, 'Enabled', []]);
});

test('createNetworkOffering lets services name who provides them: Ovn, LinuxRouter, or nobody', async () => {
  await using cloud = await openCloud();
  const providers = (row: Record<string, unknown>): unknown =>
    (row['service'] as { name: string; provider: { name: string }[] }[]).map(
      ({ name, provider }) => `${name} ${provider[0]?.name}`,
    );
  const ovn = await create(cloud, {
    name: 'ovn',
    supportedservices: 'Dhcp,SourceNat',
    serviceproviderlist: [{ service: 'SourceNat', provider: 'ovn' }],
  });
  assert.deepEqual(providers(ovn), ['Dhcp Ovn', 'SourceNat Ovn'], 'the only one named is meant for the rest, too');
  assert.deepEqual([ovn['routedby'], ovn['segment']], ['Ovn', 'overlay']);
  const linux = await create(cloud, {
    name: 'linux',
    supportedservices: 'Dhcp,UserData,Gateway,SourceNat,Lb',
    serviceproviderlist: [
      { service: 'Gateway', provider: 'LinuxRouter' },
      { service: 'SourceNat', provider: 'LinuxRouter' },
      { service: 'Lb', provider: 'LinuxRouter' },
      { service: 'Dhcp', provider: 'Ovn' },
      { service: 'UserData', provider: 'Ovn' },
    ],
    servicecapabilitylist: [{ service: 'Gateway', capabilitytype: 'redundantrouter', capabilityvalue: 'TRUE' }],
    details: [{ key: 'rack', value: '7' }],
  });
  assert.deepEqual(providers(linux), [
    'Dhcp Ovn',
    'UserData Ovn',
    'Lb LinuxRouter',
    'SourceNat LinuxRouter',
    'Gateway LinuxRouter',
  ]);
  assert.deepEqual([linux['routedby'], linux['segment'], linux['details']], ['LinuxRouter', 'vlan', { rack: '7' }]);
  const row = await cloud.store.db
    .selectFrom('networkoffering')
    .selectAll()
    .where('name', '=', 'linux')
    .executeTakeFirstOrThrow();
  assert.deepEqual(JSON.parse(row.capabilities), { Gateway: { RedundantRouter: 'true' } });
  const nobody = await create(cloud, {
    name: 'nobody',
    supportedservices: 'Dhcp,Gateway',
    serviceproviderlist: [{ service: 'Gateway', provider: 'None' }],
  });
  assert.deepEqual(providers(nobody), ['Dhcp VirtualRouter']);
  assert.equal(nobody['routedby'], 'None');
  const routed = await create(cloud, {
    name: 'routed',
    supportedservices: 'Gateway',
    networkmode: 'routed',
    serviceproviderlist: [{ service: 'Gateway', provider: 'LinuxRouter' }],
  });
  assert.equal(routed['networkmode'], 'ROUTED');
});

const by = (provider: string, ...services: readonly string[]): Params => ({
  supportedservices: services.join(','),
  serviceproviderlist: services.map((service) => ({ service, provider })),
});

const LB = [{ service: 'Lb', provider: 'VirtualRouter' }];
const REFUSALS: readonly (readonly [Params, string])[] = [
  [{ traffictype: 'Tenant' }, 'Invalid value for traffictype. Supported traffic types'],
  [{ traffictype: 'Public' }, 'Only traffic type Guest is supported in the current release'],
  [{ guestiptype: 'Sync' }, 'Invalid "type" parameter is given; can have Shared and Isolated values'],
  [{ availability: 'Always' }, 'Invalid value for Availability. Supported types: Required, Optional'],
  [
    { availability: 'Required' },
    'Availability can be Required only for networkOfferings of type Isolated and with SourceNat enabled',
  ],
  [{ availability: 'Required', supportedservices: 'SourceNat' }, 'System already has network offering id='],
  [{ supportedservices: 'Dhcp,Magic' }, 'Invalid service Magic'],
  [
    { supportedservices: 'Dhcp', serviceproviderlist: [{ service: 'Dhcp', provider: 'Nsx' }] },
    'Invalid service provider: Nsx',
  ],
  [
    { supportedservices: 'Dhcp', serviceproviderlist: LB },
    "Service Lb is not enabled for the network offering, can't add a provider to it",
  ],
  [
    {
      supportedservices: 'Dhcp',
      serviceproviderlist: [
        { service: 'Dhcp', provider: 'VirtualRouter' },
        { service: 'Dhcp', provider: 'VpcVirtualRouter' },
      ],
    },
    'only one provider can be specified for the service',
  ],
  [{ supportedservices: 'UserData' }, "Without VR as dhcp provider, User data can't selected for VR"],
  [{ supportedservices: 'NetworkACL' }, "Provider VirtualRouter doesn't support the service NetworkACL"],
  [
    {
      supportedservices: 'Dhcp',
      servicecapabilitylist: [{ service: 'Lb', capabilitytype: 'SupportedLBIsolation', capabilityvalue: 'dedicated' }],
    },
    'Capabilities for LB service can be specifed only when LB service is enabled for network offering.',
  ],
  [
    {
      supportedservices: 'Lb',
      servicecapabilitylist: [{ service: 'Lb', capabilitytype: 'SupportedLBIsolation', capabilityvalue: 'none' }],
    },
    'Unknown specified value for SupportedLBIsolation: none',
  ],
  [
    { specifyipranges: true, supportedservices: 'SourceNat' },
    'SpecifyIpRanges can only be true for Shared network offerings and Isolated with no SourceNat',
  ],
  [
    { guestiptype: 'Shared', specifyipranges: false },
    'SpecifyIpRanges should always be true for Shared network offerings',
  ],
  [{ guestiptype: 'Shared', ispersistent: true }, "isPersistent should be false if network offering's type is Shared"],
  [
    { guestiptype: 'Private', supportedservices: 'Dhcp' },
    'A network of type Private has no router, so no services (Dhcp)',
  ],
  [{ forvpc: true, guestiptype: 'Shared' }, 'Only networks of type Isolated can belong to VPC'],
  [{ forvpc: true, conservemode: true }, 'Only networks with conserve mode Off can belong to VPC'],
  [
    { forvpc: true, supportedservices: 'Dhcp', serviceproviderlist: [{ service: 'Dhcp', provider: 'VirtualRouter' }] },
    'Provider of type VirtualRouter is not supported for network offerings that can be used in VPC',
  ],
  [{ segment: 'vxlan' }, 'Invalid segment vxlan. Supported are: vlan, overlay'],
  [{ segment: 'overlay', specifyvlan: true }, 'A network on an overlay has no VLAN to choose'],
  [{ name: 'defaultprivategatewaynetworkoffering' }, 'exists already'],
  [
    { ...by('LinuxRouter', 'Gateway'), segment: 'overlay' },
    'A router node is on the wire, and an overlay is not: services by LinuxRouter go with segment=vlan only',
  ],
  [by('LinuxRouter', 'Dhcp', 'Dns'), 'LinuxRouter gives Dhcp, Dns as the gateway of a network only'],
  [by('LinuxRouter', 'Gateway', 'Vpn'), "Provider LinuxRouter doesn't support the service Vpn"],
  [
    {
      supportedservices: 'Gateway,SourceNat',
      serviceproviderlist: [
        { service: 'Gateway', provider: 'LinuxRouter' },
        { service: 'SourceNat', provider: 'Ovn' },
      ],
    },
    'One router makes all services of a network: Ovn and LinuxRouter cannot share an offering',
  ],
  [by('Ovn', 'NetworkACL'), "Provider Ovn doesn't support the service NetworkACL"],
  [{ networkmode: 'BRIDGED' }, 'Invalid networkmode BRIDGED. Supported network modes: NATTED, ROUTED'],
  [{ networkmode: 'ROUTED' }, 'networkmode ROUTED needs somebody who routes'],
  [
    { ...by('LinuxRouter', 'Gateway', 'SourceNat'), networkmode: 'ROUTED' },
    'SourceNat service is not supported in ROUTED mode',
  ],
  [
    { ...by('LinuxRouter', 'Gateway'), egressdefaultpolicy: false },
    'Firewall egress with default policy deny is not supported by the provider LinuxRouter',
  ],
  [
    { ...by('Ovn', 'Dhcp', 'Gateway'), servicecapabilitylist: [{ service: 'Gateway', capabilitytype: 'Magic' }] },
    'Capability Magic is not supported for service Gateway. Supported are: RedundantRouter, DistributedRouter',
  ],
];

test('createNetworkOffering refuses what does not go together, in CloudStack words', async () => {
  await using cloud = await openCloud();
  const before = await rowsOf(cloud, 'listNetworkOfferings', 'networkoffering');
  for (const [params, words] of REFUSALS) await refused(create(cloud, params), 'parameter', words);
  const [small] = await rowsOf(cloud, 'listServiceOfferings', 'serviceoffering');
  await refused(
    create(cloud, { serviceofferingid: String(small?.['id']) }),
    'parameter',
    'cannot be used by virtual router!',
  );
  assert.deepEqual(await rowsOf(cloud, 'listNetworkOfferings', 'networkoffering'), before, 'nothing was made');
});

test('listNetworkOfferings filters as clients do', async () => {
  await using cloud = await openCloud();
  await create(cloud, { tags: 'fast' });
  const names = async (params: Params): Promise<unknown[]> =>
    (await rowsOf(cloud, 'listNetworkOfferings', 'networkoffering', params, 'acme-user')).map((row) => row['name']);
  assert.deepEqual(await names({ name: 'defaultISOLATEDnetworkofferingforvpcnetworks' }), [
    'DefaultIsolatedNetworkOfferingForVpcNetworks',
  ]);
  assert.deepEqual(await names({ state: 'Disabled' }), ['mine']);
  assert.deepEqual(await names({ forvpc: true, supportedservices: 'Lb,SourceNat' }), [
    'DefaultIsolatedNetworkOfferingForVpcNetworks',
  ]);
  assert.deepEqual(await names({ isdefault: false }), ['mine']);
  assert.deepEqual(await names({ istagged: true }), ['mine']);
  assert.deepEqual(await names({ tags: 'fast' }), ['mine']);
  assert.deepEqual(await names({ guestiptype: 'PRIVATE', specifyvlan: true }), [
    'DefaultPrivateGatewayNetworkOfferingSpecifyVlan',
  ]);
  const all = await names({});
  const translating = await names({ sourcenatsupported: true });
  assert.ok(translating.includes('LinuxRouter') && !translating.includes('LinuxRouterRouted'));
  assert.deepEqual(
    await names({ sourcenatsupported: false }),
    all.filter((name) => !translating.includes(name)),
  );
  assert.deepEqual(await names({ networkmode: 'routed' }), ['LinuxRouterRouted']);
  assert.deepEqual(await names({ availability: 'required' }), ['DefaultIsolatedNetworkOfferingWithSourceNatService']);
  assert.deepEqual(await names({ traffictype: 'Public' }), []);
  assert.equal((await names({ keyword: 'privategateway' })).length, 3);
});

test('listNetworkOfferings by network shows what it could change to, and another tenant does not know it', async () => {
  await using cloud = await openCloud();
  const tier = await rowOf(cloud, 'listNetworkOfferings', 'networkoffering', {
    name: 'DefaultIsolatedNetworkOfferingWithSourceNatService',
  });
  const { id } = await putNetwork(cloud, 'acme-admin', { offering: String(tier['id']), segment: 'overlay' });
  const candidates = async (): Promise<string[]> =>
    (await rowsOf(cloud, 'listNetworkOfferings', 'networkoffering', { networkid: id }, 'acme-admin')).map((row) =>
      String(row['name']),
    );
  const before = await candidates();
  assert.deepEqual(before, [
    'DefaultIsolatedNetworkOfferingWithEgress',
    'DefaultRedundantIsolatedNetworkOffering',
    'DefaultRedundantIsolatedNetworkOfferingWithEgress',
  ]);
  await create(cloud, { supportedservices: 'Dhcp', enable: true });
  await create(cloud, { name: 'routed', supportedservices: 'Gateway', enable: true });
  assert.deepEqual(
    (await candidates()).filter((name) => !before.includes(name)),
    ['routed'],
    'one that nobody routes for is none',
  );
  await refused(
    cloud.callAs('globex-admin', 'listNetworkOfferings', { networkid: id }),
    'parameter',
    `Invalid parameter networkid value=${id}`,
  );
});

test('updateNetworkOffering enables an offering, and deleteNetworkOffering removes one that nothing uses', async () => {
  await using cloud = await openCloud();
  const id = String((await create(cloud))['id']);
  const updated = await cloud.callAs('admin', 'updateNetworkOffering', { id, state: 'enabled', sortkey: -1 });
  assert.equal((updated['networkoffering'] as Record<string, unknown>)['state'], 'Enabled');
  assert.equal((await rowsOf(cloud, 'listNetworkOfferings', 'networkoffering'))[0]?.['id'], id);
  await refused(
    cloud.callAs('admin', 'updateNetworkOffering', { id, state: 'On' }),
    'parameter',
    'Incorrect state value: On',
  );
  await refused(
    cloud.callAs('admin', 'updateNetworkOffering', { id, name: 'DefaultPrivateGatewayNetworkOffering' }),
    'parameter',
    'exists already',
  );
  const network = await putNetwork(cloud, 'acme-admin', { offering: id });
  await refused(
    cloud.callAs('admin', 'deleteNetworkOffering', { id }),
    'parameter',
    `Can't delete network offering ${id} as its used by 1 networks.`,
  );
  await cloud.store.write((tx) => tx.remove('network', network.id));
  assert.deepEqual(await cloud.callAs('admin', 'deleteNetworkOffering', { id }), { success: 'true' });
  const [first] = await rowsOf(cloud, 'listNetworkOfferings', 'networkoffering');
  await refused(
    cloud.callAs('admin', 'deleteNetworkOffering', { id: String(first?.['id']) }),
    'parameter',
    "Default network offering can't be deleted",
  );
});
