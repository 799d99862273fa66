// Rows for tests of the store: a small world that everything else refers to, and one of each kind to put into it.
import { newId } from '../lib/id.ts';
import type { Tables } from './schema.ts';
import type { Tx } from './write.ts';

const created = '2026-11-22T12:00:00.000Z';

/** Ids of the rows that {@link addWorld} makes. */
export const WORLD = {
  domain: newId(),
  account: newId(),
  zone: newId(),
  physical: newId(),
  tierOffering: newId(),
  privateOffering: newId(),
  bareOffering: newId(),
  vpcOffering: newId(),
  small: newId(),
  large: newId(),
  template: newId(),
  deny: newId(),
} as const;

const OFFERING = {
  displaytext: '',
  specifyvlan: 0,
  specifyipranges: 0,
  conservemode: 0,
  ispersistent: 0,
  isdefault: 0,
  egressdefaultpolicy: 0,
  availability: 'Optional',
  state: 'Enabled',
  networkrate: null,
  tags: null,
  serviceoffering: null,
  networkmode: 'NATTED',
  internetprotocol: 'ipv4',
  capabilities: '{}',
  sort: 0,
  created,
} as const;

/** A domain with an account, a zone with a physical network and the pool 100-199, offerings, a template, the list `deny`. */
export async function addWorld(tx: Tx): Promise<void> {
  const services = (names: readonly string[]): string => JSON.stringify(names.map((name) => ({ name, provider: 'x' })));
  await tx.insert('domain', {
    id: WORLD.domain,
    name: 'd',
    path: 'ROOT',
    parent: null,
    level: 0,
    networkdomain: null,
    state: 'Active',
    created,
  });
  await tx.insert('account', {
    id: WORLD.account,
    name: 'a',
    domain: WORLD.domain,
    type: 1,
    state: 'enabled',
    networkdomain: null,
    isdefault: 0,
    created,
  });
  await tx.insert('zone', {
    id: WORLD.zone,
    name: 'z',
    dns1: '9.9.9.9',
    dns2: null,
    internaldns1: '9.9.9.9',
    internaldns2: null,
    networkdomain: null,
    networktype: 'Advanced',
    allocationstate: 'Enabled',
    guestcidr: null,
    created,
  });
  await tx.insert('physicalnetwork', {
    id: WORLD.physical,
    zone: WORLD.zone,
    name: 'physnet1',
    vlan: '100-199',
    state: 'Enabled',
    tags: null,
    isolationmethods: null,
    networkspeed: null,
    broadcastdomainrange: 'ZONE',
    created,
  });
  for (const [id, name, guesttype, forvpc, names] of [
    [WORLD.tierOffering, 'tier', 'Isolated', 1, ['Dhcp', 'SourceNat', 'NetworkACL']],
    [WORLD.privateOffering, 'private', 'Private', 0, []],
    [WORLD.bareOffering, 'bare', 'Isolated', 0, []],
  ] as const) {
    await tx.insert('networkoffering', {
      ...OFFERING,
      id,
      name,
      guesttype,
      forvpc,
      services: services(names),
      segment: 'overlay',
    });
  }
  await tx.insert('vpcoffering', {
    id: WORLD.vpcOffering,
    name: 'vpc',
    displaytext: '',
    services: services(['Dhcp']),
    isdefault: 1,
    redundant: 0,
    state: 'Enabled',
    serviceoffering: null,
    internetprotocol: 'ipv4',
    capabilities: '{}',
    sort: 0,
    created,
  });
  for (const [id, memory] of [
    [WORLD.small, 512],
    [WORLD.large, 2048],
  ] as const) {
    await tx.insert('serviceoffering', {
      id,
      name: `${memory}`,
      displaytext: '',
      cpunumber: 1,
      cpuspeed: 1000,
      memory,
      tags: null,
      networkrate: null,
      offerha: 0,
      issystem: 0,
      removed: 0,
      sort: 0,
      created,
    });
  }
  await tx.insert('template', {
    id: WORLD.template,
    name: 't',
    displaytext: '',
    account: WORLD.account,
    domain: WORLD.domain,
    zone: null,
    ostypename: 'x',
    format: 'RAW',
    hypervisor: 'KVM',
    size: 1,
    url: null,
    templatetype: 'BUILTIN',
    passwordenabled: 0,
    sshkeyenabled: 0,
    ispublic: 1,
    isfeatured: 1,
    isextractable: 0,
    isdynamicallyscalable: 0,
    isready: 1,
    rootpassword: null,
    removed: 0,
    created,
  });
  await tx.insert('acl', {
    id: WORLD.deny,
    name: 'deny',
    description: '',
    vpc: null,
    account: null,
    domain: null,
    created,
  });
}

const OWNER = { account: WORLD.account, domain: WORLD.domain } as const;

export function vpcRow(more: Partial<Tables['vpc']> = {}): Tables['vpc'] {
  return {
    id: newId(),
    name: 'v',
    displaytext: '',
    cidr: '10.1.0.0/16',
    zone: WORLD.zone,
    ...OWNER,
    offering: WORLD.vpcOffering,
    networkdomain: 'v.example',
    state: 'Enabled',
    restartrequired: 0,
    gatewayturn: 0,
    gatewayavoid: '',
    fordisplay: 1,
    epoch: 0,
    created,
    ...more,
  };
}

/** A Private overlay network unless told otherwise. */
export function networkRow(more: Partial<Tables['network']> = {}): Tables['network'] {
  return {
    id: newId(),
    name: 'n',
    displaytext: '',
    zone: WORLD.zone,
    physicalnetwork: WORLD.physical,
    ...OWNER,
    offering: WORLD.privateOffering,
    guesttype: 'Private',
    vpc: null,
    cidr: '172.16.0.0/24',
    gateway: null,
    startip: null,
    endip: null,
    segment: 'overlay',
    vlan: null,
    acl: null,
    networkdomain: null,
    ipexclusionlist: null,
    dns1: null,
    dns2: null,
    state: 'Implemented',
    restartrequired: 0,
    gatewayturn: 0,
    gatewayavoid: '',
    serviceip: null,
    ip6cidr: null,
    ip6gateway: null,
    dhcpoptions: null,
    displaynetwork: 1,
    implicit: 0,
    shared: null,
    guestcidr: null,
    created,
    ...more,
  };
}

export function tierRow(vpc: string, more: Partial<Tables['network']> = {}): Tables['network'] {
  return networkRow({
    vpc,
    guesttype: 'Isolated',
    offering: WORLD.tierOffering,
    cidr: '10.1.1.0/24',
    gateway: '10.1.1.1',
    ...more,
  });
}

export function gatewayRow(vpc: string, network: string, ip: string): Tables['privategateway'] {
  return {
    id: newId(),
    vpc,
    network,
    ip,
    acl: WORLD.deny,
    sourcenat: 0,
    gateway: null,
    netmask: null,
    ...OWNER,
    state: 'Ready',
    created,
  };
}

export function routeRow(vpc: string, cidr: string, nexthop: string): Tables['staticroute'] {
  return { id: newId(), vpc, cidr, nexthop, privategateway: null, ...OWNER, state: 'Active', reason: null, created };
}

export function hostRow(name: string, more: Partial<Tables['host']> = {}): Tables['host'] {
  return {
    id: newId(),
    zone: WORLD.zone,
    name,
    underlayip: '192.0.2.1',
    state: 'Up',
    resourcestate: 'Enabled',
    secret: null,
    secretexpires: null,
    serial: '1',
    facts: null,
    lastseen: null,
    kind: 'hypervisor',
    created,
    ...more,
  };
}

export function instanceRow(name: string, host: string | null): Tables['instance'] {
  return {
    id: newId(),
    name,
    displayname: name,
    hostname: name,
    zone: WORLD.zone,
    ...OWNER,
    serviceoffering: WORLD.small,
    template: WORLD.template,
    host,
    lasthost: host,
    state: 'Running',
    power: 'running',
    passwordturn: 0,
    boot: 0,
    passwordhash: '$6$x',
    password: null,
    userdata: null,
    keypairs: null,
    onetimepassword: null,
    groupname: null,
    details: null,
    migratefrom: null,
    destroyed: null,
    created,
  };
}

export function nicRow(instance: string, network: string, deviceid: number, ip: string): Tables['nic'] {
  return {
    id: newId(),
    instance,
    network,
    ip,
    ip6: null,
    dhcpoptions: null,
    mac: '02:00:00:00:00:01',
    isdefault: deviceid === 0 ? 1 : 0,
    deviceid,
    moved: 0,
    created,
  };
}

export function itemRow(acl: string, number: number): Tables['aclitem'] {
  return {
    id: newId(),
    acl,
    number,
    protocol: 'tcp',
    startport: number,
    endport: null,
    icmptype: null,
    icmpcode: null,
    traffictype: 'Ingress',
    action: 'Allow',
    cidrlist: '10.0.0.0/8,192.168.0.0/16',
    reason: null,
    created,
  };
}

export function switchRow(name: string, more: Partial<Tables['switch']> = {}): Tables['switch'] {
  return {
    id: newId(),
    zone: WORLD.zone,
    physicalnetwork: WORLD.physical,
    name,
    driver: 'ovsdb',
    address: name,
    options: '{}',
    secret: null,
    nativevlan: 999,
    apply: 1,
    state: 'Connecting',
    error: null,
    actual: null,
    findings: null,
    planned: null,
    digest: null,
    documented: 0,
    reached: 0,
    confirmed: 0,
    lastseen: null,
    created,
    ...more,
  };
}

/** A free access port that is ours to set. */
export function portRow(on: string, name: string, more: Partial<Tables['switchport']> = {}): Tables['switchport'] {
  const free = { role: 'access', host: null, managed: 1 as const, domain: null, account: null, carried: null };
  return { id: newId(), switch: on, name, ...free, created, ...more };
}

export function deviceRow(name: string, switchport: string | null = null): Tables['device'] {
  return { id: newId(), name, kind: 'server', mac: null, switchport, ...OWNER, created };
}

/** Untagged, on its way. */
export function memberRow(
  network: string,
  device: string,
  switchport: string,
  more: Partial<Tables['member']> = {},
): Tables['member'] {
  const plain = { ip: null, mac: null, tagged: 0 as const, isgateway: 0 as const, state: 'Attaching', moved: 0 };
  return { id: newId(), network, device, switchport, ...plain, ...OWNER, created, ...more };
}
